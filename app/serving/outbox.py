"""From the engine's thread back to the loop that asked."""

import asyncio
import threading
from collections import deque

from app.errors import AppError
from app.serving.generation import End, Piece

Item = Piece | End | AppError


class Outbox:
    """What one request gets, in order. `put` from any thread, `get` on the loop that made it.

    Bounded by the request's own `max_tokens`. A loop that is gone makes `put` a no-op: nobody is
    left to read.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: deque[Item] = deque()
        self._filled = asyncio.Event()
        self._waking = False
        self._lock = threading.Lock()

    def put(self, item: Item) -> None:
        with self._lock:
            self._items.append(item)
            if self._waking:  # one wake-up is under way: it will find this item, too
                return
            self._waking = True
        try:
            self._loop.call_soon_threadsafe(self._wake)
        except RuntimeError:  # the loop is closed
            self._items.clear()

    async def get(self) -> Item:
        """The next item; waits for it."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.popleft()

    def _wake(self) -> None:
        with self._lock:
            self._waking = False
        self._filled.set()
