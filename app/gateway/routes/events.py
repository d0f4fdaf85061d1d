"""GET /events: every change as it happens; POST /window: bring the window to the front."""

from collections.abc import AsyncGenerator
from contextlib import ExitStack

from fastapi import APIRouter

from app.backend.feed import Feed
from app.events import WindowRequested
from app.gateway.event_stream import EventStream, named
from app.gateway.replies import Json
from app.gateway.routes.answers import Shown
from app.gateway.routes.call import Call
from app.gateway.windows import Windows

router = APIRouter(tags=["program"])


@router.get("/events", responses={200: {"content": {"text/event-stream": {}}}})
async def events(call: Call, window: bool = False) -> EventStream:
    """Follow the changes from now on. `window`: whoever follows is a window that can be shown."""
    blocks = _blocks(call.backend.feed, call.desk.windows if window else None)
    return await EventStream.begin(call.request, blocks)


@router.post("/window", response_model=Shown)
async def show(call: Call) -> Json:
    """Ask the open window to come to the front; false when there is none."""
    shown = call.desk.windows.any
    if shown:
        call.backend.feed.publish(WindowRequested())
    return Json(Shown(shown))


async def _blocks(feed: Feed, windows: Windows | None) -> AsyncGenerator[bytes, None]:
    with ExitStack() as stack:
        if windows is not None:
            stack.enter_context(windows.following())
        async with feed.subscribe(window=windows is not None) as changes:
            # Sent when the subscription stands: from here on nothing is missed.
            yield b": following\n\n"
            async for change in changes:
                yield named(change.event, change)
