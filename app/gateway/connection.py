"""The other end of a request: know at once when it is gone."""

import asyncio
from types import TracebackType
from typing import Self

from starlette.types import Receive

from app.gateway.door import Door
from app.gateway.errors import ClientGoneError, ClosingError


class Connected:
    """A block that ends when the client closes the connection, or the door closes.

    Whatever the block awaits is cancelled then, and leaving it raises ClientGoneError or
    ClosingError. The request's body must have been read before.
    """

    def __init__(self, receive: Receive, door: Door) -> None:
        self._receive = receive
        self._door = door
        self._reason: Exception | None = None

    async def __aenter__(self) -> Self:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("Connected is for use in a task")
        self._task = task
        self._cancelled_before = task.cancelling()
        if self._door.closed:
            raise ClosingError
        self._door.watch(self._closing)
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._door.unwatch(self._closing)
        self._listening.cancel()
        if self._reason is None:
            return
        late: BaseException | None = None
        if kind is not asyncio.CancelledError:
            # The block ended just as it was cancelled: let that arrive here and not later.
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError as arrived:
                late = arrived
        ours = self._task.uncancel() <= self._cancelled_before
        if ours and kind in (None, asyncio.CancelledError):
            raise self._reason from error
        if late is not None and not ours:
            raise late

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._end(ClientGoneError())

    def _closing(self) -> None:
        self._end(ClosingError())

    def _end(self, reason: Exception) -> None:
        if self._reason is None:
            self._reason = reason
            self._task.cancel()
