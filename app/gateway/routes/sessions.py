"""/sessions: bearer tokens of the local user."""

from fastapi import APIRouter, Response
from starlette.datastructures import Headers

from app.gateway.access import bearer
from app.gateway.replies import Json
from app.gateway.routes.call import Call
from app.records import Session

router = APIRouter(tags=["sessions"])


@router.post("/sessions", response_model=Session, status_code=201)
async def begin(call: Call) -> Json:
    """Begin a session: in process and over the local socket for its owner, elsewhere with a token."""
    return Json(await call.backend.accounts.open_session(), 201)


@router.delete("/sessions/current", status_code=204)
async def end(call: Call) -> Response:
    """End the session of this request."""
    token = bearer(Headers(scope=call.request.scope))
    if token is not None:
        await call.desk.sessions.end(token)
    return Response(status_code=204)
