"""PUT /listener: open or close the API on 127.0.0.1."""

from fastapi import APIRouter

from app.errors import ForbiddenError
from app.gateway.replies import Json
from app.gateway.routes.answers import Address
from app.gateway.routes.bodies import Listening
from app.gateway.routes.call import Call

router = APIRouter(tags=["program"])


@router.put("/listener", response_model=Address)
async def listener(call: Call, body: Listening) -> Json:
    """Switch the listener on or off; its address. Not over TCP: nobody locks himself out."""
    if call.door.kind == "tcp":
        raise ForbiddenError("The listener is switched from the window or the command line.")
    if body.on:
        return Json(Address(await call.desk.listeners.listen(body.port)))
    await call.desk.listeners.unlisten()
    return Json(Address(None))
