"""Logging, configured once: JSON lines to a rotating file of the profile, warnings to stderr.

The trace ID of the request at hand is in every line; texts of documents, questions and answers
never are (log their ids, counts and times instead).
"""

import contextvars
import copy
import json
import logging
import logging.handlers
import sys
import time
from pathlib import Path

trace_id: contextvars.ContextVar[str] = contextvars.ContextVar("trace_id", default="")

_BYTES_PER_FILE = 2_000_000
_FILES_KEPT = 3
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """One JSON object a line; `extra={...}` fields are kept beside the message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "from": record.name,
            "message": record.getMessage(),
        }
        if trace := trace_id.get():
            line["trace_id"] = trace
        line.update({key: value for key, value in vars(record).items() if key not in _PLAIN})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class OneLine(logging.Formatter):
    """For a person's terminal: what went wrong, without the traceback (the file has it)."""

    def format(self, record: logging.LogRecord) -> str:
        line = copy.copy(record)
        line.exc_info = line.exc_text = line.stack_info = None
        return super().format(line)


def configure(folder: Path | None, *, verbose: bool = False) -> None:
    """Send the program's log to `folder`/carrel.log and warnings (all, if verbose) to stderr."""
    root = logging.getLogger("app")
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
    shown = logging.StreamHandler(sys.stderr)
    shown.setLevel(logging.DEBUG if verbose else logging.ERROR)
    shown.setFormatter((logging.Formatter if verbose else OneLine)("%(levelname)s %(name)s: %(message)s"))
    root.addHandler(shown)
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        kept = logging.handlers.RotatingFileHandler(
            folder / "carrel.log",
            maxBytes=_BYTES_PER_FILE,
            backupCount=_FILES_KEPT,
            encoding="utf-8",
            delay=True,
        )
        kept.setFormatter(JsonLines())
        root.addHandler(kept)
