"""Ctrl-C in the terminal, and the system asking the program to end: the window closes.

Qt's loop lets no Python run while nothing happens, so a handler alone would wait for the next
mouse move. The number of the signal is therefore also written to a socket that Qt watches.
"""

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

from PySide6.QtCore import QSocketNotifier

_SIGNALS = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


@contextlib.contextmanager
def closing(close: Callable[[], object]) -> Iterator[None]:
    """While inside, each such signal calls `close` on the GUI thread. Elsewhere it does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    watched, written = socket.socketpair()
    watched.setblocking(False)
    written.setblocking(False)
    before: dict[int, Any] = {}
    notifier = QSocketNotifier(watched.fileno(), QSocketNotifier.Type.Read)

    def arrived() -> None:
        with contextlib.suppress(BlockingIOError):
            watched.recv(64)
        close()

    notifier.activated.connect(arrived)
    wakeup = signal.set_wakeup_fd(written.fileno(), warn_on_full_buffer=False)
    try:
        for number in _SIGNALS:
            before[number] = signal.signal(number, lambda *_: None)
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        notifier.setEnabled(False)
        watched.close()
        written.close()
