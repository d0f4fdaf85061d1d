"""From the engine's thread back to the loop that asked."""

import asyncio
import threading
import weakref
from collections import deque
from weakref import WeakKeyDictionary

from app.errors import AppError
from app.serving.generation import End, Piece

Item = Piece | End | AppError


class Bell:
    """Wakes a loop once for all the outboxes that were filled since it looked the last time.

    A step of the engine fills one an answer, and each call into a loop is a system call.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._lock = threading.Lock()
        self._waiting: list[asyncio.Event] = []

    def ring(self, filled: asyncio.Event) -> bool:
        """Set `filled` on the loop. Any thread. False: the loop is closed."""
        with self._lock:
            self._waiting.append(filled)
            if len(self._waiting) > 1:  # one call is under way: it will set this one, too
                return True
        loop = self._loop()
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._answer)
                return True
        except RuntimeError:  # the loop is closed
            pass
        with self._lock:
            self._waiting.clear()
        return False

    def _answer(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for filled in waiting:
            filled.set()


class Bells:
    """One bell a loop. Thread-safe; keeps no loop alive."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: WeakKeyDictionary[asyncio.AbstractEventLoop, Bell] = WeakKeyDictionary()

    def here(self) -> Bell:
        """The bell of the running loop."""
        loop = asyncio.get_running_loop()
        with self._lock:
            bell = self._known.get(loop)
            if bell is None:
                bell = self._known[loop] = Bell(loop)
            return bell


class Outbox:
    """What one request gets, in order. `put` from any thread, `get` on the loop of its bell.

    Bounded by the request's own `max_tokens`. A loop that is gone makes `put` a no-op: nobody is
    left to read.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._items: deque[Item] = deque()
        self._filled = asyncio.Event()

    def put(self, item: Item) -> None:
        self._items.append(item)
        if not self._bell.ring(self._filled):
            self._items.clear()

    async def get(self) -> Item:
        """The next item; waits for it."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.popleft()
