"""One question on its way, as the window sees it."""

import concurrent.futures
from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.events import AskEvent, Checked, Failed, Finished, Progress, Retrieved
from app.records import Problem

_STOP_WAIT_MS = 3_000


class Ask(QObject):
    """One question on its way. Exactly one of `finished` and `failed` comes, always.

    Signals:
        retrieved: a Retrieved, before the first word; twice where whole documents are read.
        progress: a Progress, while they are.
        text: the next piece of the answer.
        checked: a tuple of Citations of sentences that ended.
        finished: the Message as it was stored, or None where it was stopped before that.
        failed: a Problem, the trace ID, and the Message that was kept (or None).
    """

    retrieved = Signal(object)
    progress = Signal(object)
    text = Signal(str)
    checked = Signal(object)
    finished = Signal(object)
    failed = Signal(object, str, object)

    def __init__(self, parent: QObject, stop_answer: Callable[[str, Callable[[], None]], None]) -> None:
        """`stop_answer` asks for the end of an answer by id, and calls back where that fails."""
        super().__init__(parent)
        self._stop_answer = stop_answer
        self._future: concurrent.futures.Future[Any] | None = None
        self._answer_id: str | None = None
        self._ended = False
        self._stopping = False

    @property
    def ended(self) -> bool:
        return self._ended

    def stop(self) -> None:
        """End the answer where it is; what there is of it is kept."""
        if self._ended or self._stopping:
            return
        self._stopping = True
        if self._answer_id is None:
            self._cancel()
            return
        self._stop_answer(self._answer_id, self._cancel)
        QTimer.singleShot(_STOP_WAIT_MS, self, self._cancel)

    def start(self, future: "concurrent.futures.Future[Any]") -> None:
        self._future = future

    def arrived(self, event: AskEvent) -> None:
        """An event of the stream, on the GUI thread and in order."""
        if self._ended:
            return
        if isinstance(event, Retrieved):
            self._answer_id = event.answer_id
            self.retrieved.emit(event)
            if self._stopping:
                self._stopping = False
                self.stop()
        elif isinstance(event, Progress):
            self.progress.emit(event)
        elif isinstance(event, Checked):
            self.checked.emit(event.citations)
        elif isinstance(event, Finished):
            self._ended = True
            self.finished.emit(event.message)
        elif isinstance(event, Failed):
            self._ended = True
            self.failed.emit(event.problem, event.trace_id, event.message)

    def broke(self, problem: Problem | None) -> None:
        """The stream is over; without a last event, it was cancelled (None) or it broke."""
        if not self._ended:
            self._ended = True
            if problem is None:
                self.finished.emit(None)
            else:
                self.failed.emit(problem, "", None)
        self.deleteLater()

    def _cancel(self) -> None:
        if not self._ended and self._future is not None:
            self._future.cancel()
