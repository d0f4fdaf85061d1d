"""POST /evaluate: how good the library, or a public set, is found and answered from."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from fastapi import APIRouter

from app.events import EvaluationEvent, Failed
from app.gateway.errors import ClosingError, as_problem
from app.gateway.event_stream import EventStream, named
from app.gateway.routes.bodies import Evaluate
from app.gateway.routes.call import Call

router = APIRouter(tags=["program"])


@router.post(
    "/evaluate",
    responses={
        200: {
            "description": "`evaluation_progress`, at last one `evaluated` or `failed`. Nothing is stored.",
            "content": {"text/event-stream": {}},
        }
    },
)
async def evaluate(call: Call, body: Evaluate) -> EventStream:
    """Measure. Closing the connection stops it."""
    service = call.backend.evaluation
    events: AsyncGenerator[EvaluationEvent, None]
    if body.public_set is None:
        events = service.library(call.user_id, quick=body.quick, document_ids=body.document_ids)
    else:
        events = service.public_set(body.public_set.name, body.public_set.folder, quick=body.quick)
    trace_id = call.trace_id
    return await EventStream.begin(
        call.request,
        _blocks(events, trace_id),
        farewell=lambda: _block(Failed(ClosingError().problem, trace_id)),
    )


async def _blocks(
    events: AsyncGenerator[EvaluationEvent, None], trace_id: str
) -> AsyncGenerator[bytes, None]:
    """The events as blocks: errors before the first are raised, after it one is the end."""
    begun = False
    try:
        async with aclosing(events):
            async for event in events:
                begun = True
                yield _block(event)
    except Exception as error:
        if not begun:
            raise
        yield _block(Failed(as_problem(error), trace_id))


def _block(event: EvaluationEvent) -> bytes:
    return named(event.event, event)
