"""Scorings wait here for their turn: one batch of the oldest between any two steps of answers."""

from collections import deque
from collections.abc import Generator

from app.errors import AppError, DecodeError, ModelError
from app.serving import llama
from app.serving.chat_model import ChatModel
from app.serving.inbox import CLOSED, Inbox
from app.serving.scoring import Scorer, Scoring, Step


class ScoringQueue:
    """Those of one engine. Belongs to its thread."""

    def __init__(self, inbox: Inbox, parts: ChatModel) -> None:
        """`parts`: asked for a context of its own when the first scoring comes."""
        self._inbox, self._parts = inbox, parts
        self._waiting: deque[Scoring] = deque()
        self._scorer: Scorer | None = None
        self._steps: Generator[Step, None, tuple[float, ...]] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, scoring: Scoring) -> None:
        self._waiting.append(scoring)

    def go_on(self) -> None:
        """One batch of the oldest, if there is one."""
        if not self._waiting:
            return
        scoring = self._waiting[0]
        if self._scorer is None:
            try:
                self._scorer = Scorer(self._parts.scoring_context())
            except ModelError as error:
                self.end(scoring, error)
                return
        if self._steps is None:
            self._steps = self._scorer.steps(scoring)
        try:
            step = next(self._steps)
        except StopIteration as done:
            self.end(scoring, done.value)
            return
        if not self._inbox.begin_step((scoring,)):
            self.end(scoring, None)
            return
        context = self._scorer.context
        try:
            code = (context.decode_scored if step.scored else context.decode)(step.rows)
        finally:
            self._inbox.end_step()
        if code == llama.ABORTED:
            self.end(scoring, None)
        elif code != llama.OK:
            self.end(scoring, DecodeError(f"The model could not score (llama.cpp returned {code})."))

    def end(self, scoring: Scoring, result: tuple[float, ...] | AppError | None) -> None:
        """The one place where a scoring ends. None: nobody waits for it."""
        if scoring in self._waiting:
            self._waiting.remove(scoring)
        if self._steps is not None and scoring.begun:
            self._steps.close()
            self._steps = None
            if not isinstance(result, tuple) and self._scorer is not None:
                self._scorer.forget()
        self._inbox.discard(scoring)
        if not scoring.done.set_running_or_notify_cancel():
            return
        if isinstance(result, tuple):
            scoring.done.set_result(result)
        else:
            scoring.done.set_exception(result or ModelError(self._inbox.closed or CLOSED))

    def fail(self, error: AppError) -> None:
        """The one that has begun, if any, ends like this."""
        if self._steps is not None:
            self.end(self._waiting[0], error)

    def forget(self) -> None:
        """Forget what was read for scorings that have ended."""
        if self._scorer is not None and self._steps is None:
            self._scorer.forget()

    def free(self) -> None:
        if self._scorer is not None:
            self._scorer.context.free()
