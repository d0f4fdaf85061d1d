"""A body that is sent as it is made, and never held as a whole.

The first chunk is awaited before the response starts, so an error raised before it becomes an HTTP
status. One that comes later breaks the response off: whoever reads it sees that its end is missing.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.gateway.connection import Connected
from app.gateway.door import door_of


class Download(Response):
    """Sends chunks of bytes. Made by `begin`."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], first: bytes, media_type: str) -> None:
        super().__init__(
            headers={"cache-control": "no-store", "x-content-type-options": "nosniff"}, media_type=media_type
        )
        del self.headers["content-length"]
        self._chunks = chunks
        self._first = first

    @classmethod
    async def begin(
        cls, request: Request, chunks: AsyncGenerator[bytes, None], *, media_type: str
    ) -> "Download":
        """Await the first chunk, then make the response for it and all others.

        Raises:
            Whatever `chunks` raises before its first chunk; ClientGoneError, ClosingError.
        """
        try:
            async with Connected(request.receive, door_of(request.scope)):
                first = await anext(chunks, b"")
        except BaseException:
            await chunks.aclose()
            raise
        return cls(chunks, first, media_type)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        async with aclosing(self._chunks), Connected(receive, door_of(scope)):
            await send(start)
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
            async for chunk in self._chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
