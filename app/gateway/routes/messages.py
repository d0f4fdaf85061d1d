"""/messages: all that stood behind a message, and what the user thinks of an answer."""

from fastapi import APIRouter

from app.gateway.replies import Json
from app.gateway.routes.bodies import Rate
from app.gateway.routes.call import Call
from app.records import Audit, Message

router = APIRouter(tags=["messages"])


@router.get("/messages/{message_id}", response_model=Audit)
async def message(call: Call, message_id: str) -> Json:
    """A message with its prompt, model, sampling and timings."""
    return Json(await call.backend.messages.get(call.user_id, message_id))


@router.put("/messages/{message_id}/rating", response_model=Message)
async def rate(call: Call, message_id: str, body: Rate) -> Json:
    """Rate an answer, in place of its earlier rating."""
    return Json(
        await call.backend.messages.rate(
            call.user_id, message_id, body.thumb, reasons=body.reasons, comment=body.comment
        )
    )


@router.delete("/messages/{message_id}/rating", response_model=Message)
async def unrate(call: Call, message_id: str) -> Json:
    """Take the rating of an answer back."""
    return Json(await call.backend.messages.unrate(call.user_id, message_id))
