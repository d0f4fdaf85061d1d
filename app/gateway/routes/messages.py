"""/messages: all that stood behind a message, what the user thinks of an answer, and its prompt again."""

from fastapi import APIRouter

from app.audit import Audit
from app.events import Failed
from app.gateway.errors import ClosingError
from app.gateway.event_stream import EventStream
from app.gateway.replies import Json
from app.gateway.routes.ask import block, blocks
from app.gateway.routes.bodies import Rate, Replay
from app.gateway.routes.call import Call
from app.records import Message

router = APIRouter(tags=["messages"])


@router.get("/messages/{message_id}", response_model=Audit)
async def message(call: Call, message_id: str) -> Json:
    """A message with its prompt, model, sampling and timings."""
    return Json(await call.backend.messages.get(call.user_id, message_id))


@router.post(
    "/messages/{message_id}/replay",
    responses={
        200: {
            "description": "As of POST /ask; nothing of it is stored.",
            "content": {"text/event-stream": {}},
        }
    },
)
async def replay(call: Call, message_id: str, body: Replay) -> EventStream:
    """Run the prompt of an answer again. Closing the connection stops it."""
    trace_id = call.trace_id
    events = call.backend.replay.replay(
        call.user_id,
        message_id,
        model=body.model,
        trace_id=trace_id,
        client=call.client,
        urgent=call.at_the_window,
    )
    return await EventStream.begin(
        call.request,
        blocks(events, trace_id),
        farewell=lambda: block(Failed(ClosingError().problem, trace_id)),
    )


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
