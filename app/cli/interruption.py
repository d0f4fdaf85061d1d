"""Ctrl-C, and the system asking the program to end.

The first signal asks the work at hand to stop gently where it knows how, and otherwise raises
KeyboardInterrupt. A signal while that is under way ends the process at once: every store of the
profile is safe against it.
"""

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

STOPPED = 130
_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


class Interruption:
    """The signals of one run of the program."""

    def __init__(self) -> None:
        self._gentle: Callable[[], None] | None = None
        self._leaving = False

    def install(self) -> None:
        """Take the signals over. Only the main thread may; elsewhere nothing happens."""
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                signal.signal(number, self._arrived)

    @contextlib.contextmanager
    def gently(self, stop: Callable[[], None]) -> Iterator[None]:
        """While inside, the first signal calls `stop` (in the main thread) instead of raising."""
        self._gentle = stop
        try:
            yield
        finally:
            self._gentle = None

    def _arrived(self, _number: int, _frame: FrameType | None) -> None:
        if self._leaving:
            os._exit(STOPPED)
        if self._gentle is not None:
            stop, self._gentle = self._gentle, None
            stop()
            return
        self._leaving = True
        raise KeyboardInterrupt
