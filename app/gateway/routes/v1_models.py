"""/v1/models: what can be named in an OpenAI request."""

from fastapi import APIRouter

from app.errors import NotFoundError
from app.gateway.replies import Json
from app.gateway.routes.call import Call

router = APIRouter(tags=["OpenAI"], prefix="/v1")


@router.get("/models")
async def models(call: Call) -> Json:
    """`carrel` answers from the documents; the others are the models themselves."""
    return Json({"object": "list", "data": [_described(name) for name in call.backend.completions.names()]})


@router.get("/models/{name:path}")
async def model(call: Call, name: str) -> Json:
    """One of them."""
    if name not in call.backend.completions.names():
        raise NotFoundError(f"There is no model called {name[:100]!r}.")
    return Json(_described(name))


def _described(name: str) -> dict[str, object]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "carrel"}
