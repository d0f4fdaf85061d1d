"""From the observer's thread to the follower's task: which parts of a folder changed.

This is the door between the two threads: `heard` is called on the observer's, the rest on the loop.
"""

import asyncio
import contextlib
import os
import threading
import time
from pathlib import Path

from app.backend.documents.patterns import Patterns

# So many changes at once, and all of the folder is looked through instead: some may have been lost.
_BURST = 1_000


class Changes:
    """Folders in which something changed, gathered on the observer's thread for the follower's task.

    Made on the loop that waits for them.
    """

    def __init__(self, folder: Path, patterns: Patterns) -> None:
        self._root = os.fspath(folder)
        self._patterns = patterns
        self._lock = threading.Lock()
        self._parts: dict[str, bool] = {}
        self._heard = 0
        self._bursting = False
        self._last = 0.0
        self._loop = asyncio.get_running_loop()
        self._woken = asyncio.Event()

    @property
    def burst(self) -> bool:
        """Whether so much was heard before the last call of `take` that something may be lost."""
        return self._bursting

    def heard(self, path: str, is_folder: bool) -> None:
        """Something changed. On the observer's thread."""
        part, deep = self._part(path, is_folder)
        if part is None:
            return
        with self._lock:
            first = not self._parts
            self._parts[part] = self._parts.get(part, False) or deep
            self._heard += 1
            self._last = time.monotonic()
        if first:
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody listens
                self._loop.call_soon_threadsafe(self._woken.set)

    def take(self) -> dict[str, bool]:
        """The folders that changed since the last time, and whether with all below them."""
        with self._lock:
            parts, self._parts = self._parts, {}
            self._bursting, self._heard = self._heard >= _BURST, 0
            self._woken.clear()
        return parts

    async def wait(self, seconds: float, *, quiet: float, longest: float) -> None:
        """Wait for so long, or until something changed and then nothing more for a moment."""
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
        until = time.monotonic() + longest
        while (now := time.monotonic()) < until:
            left = min(self._last + quiet, until) - now
            if left <= 0:
                return
            await asyncio.sleep(left)

    def _part(self, path: str, is_folder: bool) -> tuple[str | None, bool]:
        """The folder to look at for a change, and whether with all below; None: it says nothing to us."""
        if path == self._root or not Path(path).is_relative_to(self._root):
            return self._root, False
        names = Path(path).relative_to(self._root).parts
        if is_folder:
            return (path, True) if self._patterns.reaches(names) else (None, False)
        if self._patterns.reaches(names[:-1]) and self._patterns.takes(names):
            return os.path.dirname(path), False  # noqa: PTH120 - of many
        return None, False
