"""llama.cpp's log, as lines of ours.

llama.cpp logs in fragments, from several threads, and explains a refusal nowhere but there. Each
thread's fragments are put together here and logged under 'app.serving.llama': warnings while a
model is being loaded, all else as debug (a stopped decode is an error to it, and none to us). The
errors of a load are kept, so that a refusal can give its reason.
"""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

_log = logging.getLogger("app.serving.llama")

_CONTINUES = 5  # the rest of the line before
_WARNING, _ERROR = 3, 4  # of ggml_log_level
_LONGEST_LINE = 4_096
_ON_PURPOSE = "possible training context overflow"  # positions that no token is put on: `footprint.positions`


class LogLines(threading.local):
    """Puts fragments together. Every thread sees a collector of its own."""

    def __init__(self) -> None:
        self._level = 1
        self._text = ""
        self._loading = False
        self._errors: deque[str] = deque(maxlen=4)

    def take(self, level: int, text: str) -> None:
        """Add a fragment of llama.cpp's log; `level` is its ggml_log_level."""
        if level != _CONTINUES:
            self._flush()
            self._level = level
        self._text += text
        if self._text.endswith("\n") or len(self._text) > _LONGEST_LINE:
            self._flush()

    @contextmanager
    def reasons(self) -> Iterator[list[str]]:
        """A list that holds, after the block of a load, the errors logged on this thread inside it."""
        self._errors.clear()
        self._loading = True
        found: list[str] = []
        try:
            yield found
        finally:
            self._flush()
            self._loading = False
            found.extend(self._errors)

    def _flush(self) -> None:
        line, self._text = self._text.strip(), ""
        if not line.strip("."):  # progress dots
            return
        if self._level == _ERROR:
            self._errors.append(line)
        worth_reading = self._loading and self._level in (_WARNING, _ERROR) and _ON_PURPOSE not in line
        _log.log(logging.WARNING if worth_reading else logging.DEBUG, "%s", line)
