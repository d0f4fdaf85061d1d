"""POST /ask: a question; its answer streams as server-sent events."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter

from app.events import AskEvent, Failed, Finished
from app.gateway.errors import INTERNAL, ClosingError, as_problem
from app.gateway.event_stream import EventStream, named
from app.gateway.replies import Json
from app.gateway.routes.answers import Stopped
from app.gateway.routes.bodies import Ask
from app.gateway.routes.call import Call
from app.records import Manner, Problem

router = APIRouter(tags=["questions"])

_log = logging.getLogger(__name__)


@router.post(
    "/ask",
    responses={
        200: {
            "description": "`retrieved`, then `delta` and `checked`, at last one `finished` or `failed`."
            " Where whole documents are read, `progress` comes behind it, and then `retrieved` again.",
            "content": {"text/event-stream": {}},
        }
    },
)
async def ask(call: Call, body: Ask) -> EventStream:
    """Ask a question. Closing the connection stops the answer."""
    events = call.backend.ask.ask(
        call.user_id,
        body.question,
        conversation_id=body.conversation_id,
        limited=body.limited,
        trace_id=call.trace_id,
        client=call.client,
        urgent=call.at_the_window,
        deadline=body.deadline_s,
        manner=Manner(body.style, body.without_documents, body.read_all),
    )
    trace_id = call.trace_id
    return await EventStream.begin(
        call.request,
        blocks(events, trace_id),
        farewell=lambda: block(Failed(ClosingError().problem, trace_id)),
    )


@router.post("/ask/{answer_id}/stop", response_model=Stopped)
async def stop(call: Call, answer_id: str) -> Json:
    """Stop an answer; what was written of it is kept. False: there is none being written."""
    return Json(Stopped(await call.backend.ask.stop(call.user_id, answer_id)))


async def blocks(events: AsyncGenerator[AskEvent, None], trace_id: str) -> AsyncGenerator[bytes, None]:
    """The events of an answer as blocks: errors before the first are raised, after it comes one end."""
    begun = False
    problem = Problem(*INTERNAL)
    try:
        async with aclosing(events):
            async for event in events:
                begun = True
                yield block(event)
                if isinstance(event, (Finished, Failed)):
                    return
        _log.error("an answer had no end")
    except Exception as error:
        if not begun:
            raise
        problem = as_problem(error)
    yield block(Failed(problem, trace_id))


def block(event: AskEvent) -> bytes:
    return named(event.event, event)
