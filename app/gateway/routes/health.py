"""GET /health: the state of the whole program."""

from dataclasses import replace

from fastapi import APIRouter

from app.gateway.replies import Json
from app.gateway.routes.call import Call
from app.records import Health

router = APIRouter(tags=["program"])


@router.get("/health", response_model=Health)
async def health(call: Call) -> Json:
    """The state of the whole program; over TCP without a session only status and version."""
    found = await call.backend.status.health()
    if call.known_user is None and call.door.kind == "tcp":
        return Json({"status": found.status, "version": found.version})
    return Json(replace(found, listening=call.desk.listeners.address))
