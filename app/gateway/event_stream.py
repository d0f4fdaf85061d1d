"""Server-sent events, written in one place.

The first event is awaited before the response starts, so an error raised before it becomes an
HTTP status. After that the connection is watched: when the client goes, or the gateway closes,
the source of events is closed at once.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.gateway.connection import Connected
from app.gateway.door import door_of
from app.gateway.errors import ClosingError

HEARTBEAT_S = 15.0

_COMMENT = b":\n\n"
_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-store",
    "x-accel-buffering": "no",  # proxies must not gather events
    "x-content-type-options": "nosniff",
}


def named(name: str, data: object) -> bytes:
    """An event with a name."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), msgspec.json.encode(data))


def unnamed(data: object) -> bytes:
    """An event without a name, as the OpenAI API sends them."""
    return b"data: %b\n\n" % msgspec.json.encode(data)


class EventStream(Response):
    """A response that sends blocks of events as they are made.

    Made by `begin`. `farewell` makes the last block where the gateway closes the stream.
    """

    def __init__(
        self,
        blocks: AsyncGenerator[bytes, None],
        first: bytes | None,
        farewell: Callable[[], bytes] | None,
        heartbeat: float,
    ) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["content-length"]
        self._blocks = blocks
        self._first = first
        self._farewell = farewell
        self._heartbeat = heartbeat
        self._sent = 0.0  # when, on the loop's clock

    @classmethod
    async def begin(
        cls,
        request: Request,
        blocks: AsyncGenerator[bytes, None],
        *,
        farewell: Callable[[], bytes] | None = None,
        heartbeat: float = HEARTBEAT_S,
        wait: bool = True,
    ) -> "EventStream":
        """Await the first block, then make the response for it and all others.

        `wait=False`: start at once; nothing may come for a long time.

        Raises:
            Whatever `blocks` raises before its first block; ClientGoneError, ClosingError.
        """
        first = None
        if wait:
            try:
                async with Connected(request.receive, door_of(request.scope)):
                    first = await anext(blocks, None)
            except BaseException:
                await blocks.aclose()
                raise
        return cls(blocks, first, farewell, heartbeat)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        async with aclosing(self._blocks):
            started = False
            try:
                async with Connected(receive, door_of(scope)):
                    started = True
                    await send(start)
                    await self._send_blocks(send)
            except ClosingError:
                if not started:
                    raise
                if self._farewell is not None:
                    await _send(send, self._farewell())
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_blocks(self, send: Send) -> None:
        self._sent = asyncio.get_running_loop().time()
        beating = asyncio.create_task(self._beat(send))
        try:
            if self._first is not None:
                await _send(send, self._first)
            async for block in self._blocks:
                self._sent = asyncio.get_running_loop().time()
                await _send(send, block)
        finally:
            beating.cancel()

    async def _beat(self, send: Send) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._sent + self._heartbeat - loop.time())
            if loop.time() >= self._sent + self._heartbeat:
                self._sent = loop.time()
                await _send(send, _COMMENT)


async def _send(send: Send, body: bytes) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": True})
