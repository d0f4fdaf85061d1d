"""/models: which models are loaded, and choosing another to answer with."""

from fastapi import APIRouter

from app.gateway.replies import Json
from app.gateway.routes.answers import Models
from app.gateway.routes.bodies import ModelFile
from app.gateway.routes.call import Call
from app.records import Model

router = APIRouter(tags=["models"])


@router.get("/models", response_model=Models)
async def models(call: Call) -> Json:
    """The chat and the embedding model."""
    return Json(Models(call.backend.models.describe()))


@router.put("/models/chat", response_model=Model)
async def choose(call: Call, body: ModelFile) -> Json:
    """Answer with another GGUF file; the old model stays when the new one cannot be loaded."""
    return Json(await call.backend.models.choose_chat(body.path))
