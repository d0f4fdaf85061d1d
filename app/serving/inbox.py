"""The way into the engine: what is asked on any thread, taken up on the engine's own.

A request is live from `put` until the engine discards it. Whoever asked may give it up at any moment;
if nobody else takes part in the step at hand, that is stopped, too.
"""

import threading
import time
from collections import deque
from collections.abc import Iterable

from app.errors import BusyError, ModelError
from app.serving.scoring import Scoring
from app.serving.sequence import Sequence
from app.serving.stop_flag import StopFlag

Request = Sequence | Scoring

CLOSED = "The model was closed."
RETIRED = "The model was changed meanwhile; ask again."
RESTING = "The model was freed because nobody had asked for long; ask again."


class Inbox:
    """Thread-safe; the methods of the second half are for the engine's thread alone."""

    def __init__(self, limit: int) -> None:
        """`limit`: requests that may wait; one more is refused, unless it is urgent."""
        self._limit = limit
        self._changed = threading.Condition()
        self._new: deque[Request] = deque()
        self._live: set[Request] = set()
        self._computing: tuple[Request, ...] = ()
        self._stop: StopFlag | None = None
        self._closed: str | None = None  # why no more requests are taken
        self._retires_at: float | None = None  # on the monotonic clock
        self._rests_after: float | None = None  # seconds without a request
        self._touched = time.monotonic()
        self._forgets = False

    @property
    def live(self) -> int:
        """Requests that have not ended."""
        with self._changed:
            return len(self._live)

    @property
    def closed(self) -> str | None:
        """Why no more requests are taken; None while they are."""
        return self._closed

    @property
    def rests(self) -> bool:
        """Whether it was closed because nobody had asked for long."""
        return self._closed == RESTING

    def open(self, stop: StopFlag, rests_after: float | None = None) -> None:
        """The engine is ready.

        Args:
            stop: stops the step at hand.
            rests_after: seconds without a request after which it closes; None: never.

        Raises:
            ModelError: it was closed meanwhile, or is open already.
        """
        with self._changed:
            if self._closed or self._stop:
                raise ModelError(self._closed or "The model is loaded already.")
            self._stop = stop
            self._rests_after = rests_after
            self._touched = time.monotonic()

    def touch(self) -> bool:
        """Somebody is about to ask: do not rest now. False: it is closed."""
        with self._changed:
            self._touched = time.monotonic()
            return self._closed is None

    def put(self, request: Request) -> None:
        """Ask.

        Raises:
            BusyError: too many wait.
            ModelError: the engine is closed.
        """
        with self._changed:
            self._check(urgent=request.urgent)
            self._live.add(request)
            self._new.append(request)
            self._touched = time.monotonic()
            if self._retires_at is not None:
                self._retires_at = max(self._retires_at, time.monotonic() + 1.0)
            self._changed.notify()

    def check(self) -> None:
        """Raise what `put` would raise for a request that is not urgent."""
        with self._changed:
            self._check(urgent=False)

    def cancel(self, request: Request) -> None:
        """Nobody waits for it any more."""
        with self._changed:
            request.cancelled = True
            # Others in the batch would lose the step: then it runs to its end.
            if self._stop and self._computing and all(other.cancelled for other in self._computing):
                self._stop.set()
            self._changed.notify()

    def forget(self) -> bool:
        """Ask the engine to forget what it remembers of requests that have ended. False: it is closed."""
        with self._changed:
            self._forgets = True
            self._changed.notify()
            return self._closed is None

    def retire(self, grace: float) -> None:
        """Close once nothing has been asked for `grace` seconds and everything has ended."""
        with self._changed:
            self._retires_at = time.monotonic() + grace
            self._changed.notify()

    def close(self, why: str) -> None:
        """Take no more requests and stop the step at hand. The first reason counts."""
        with self._changed:
            self._closed = self._closed or why
            if self._stop is not None:
                self._stop.set()
            self._changed.notify()

    def _check(self, *, urgent: bool) -> None:
        if self._closed:
            raise ModelError(self._closed)
        waiting = sum(other.waiting and not other.cancelled for other in self._live)
        if waiting >= self._limit and not urgent:
            raise BusyError

    # From here on: the engine's thread.

    def take(self, *, idle: bool, patience: float | None = None) -> tuple[Request, ...]:
        """What was asked since the last time.

        Args:
            idle: the engine has nothing else to do; wait for a request, the end, or a wish to forget.
            patience: seconds to wait at most; None: as long as it takes.
        """
        until = None if patience is None else time.monotonic() + patience
        with self._changed:
            while idle and not (self._closed or self._new or self._forgets):
                rests_at = None if self._rests_after is None else self._touched + self._rests_after
                ends = [moment for moment in (until, self._retires_at, rests_at) if moment is not None]
                now = time.monotonic()
                if not ends or min(ends) > now:
                    self._changed.wait(min(ends) - now if ends else None)
                    continue
                if self._retires_at is not None and self._retires_at <= now:
                    self._closed = RETIRED
                elif rests_at is not None and rests_at <= now:
                    self._closed = RESTING
                break
            taken = tuple(self._new)
            self._new.clear()
            return taken

    def take_wish_to_forget(self) -> bool:
        """Whether somebody asked for it since the last time."""
        with self._changed:
            forgets, self._forgets = self._forgets, False
            return forgets

    def begin_step(self, requests: Iterable[Request]) -> bool:
        """A step is about to be computed for `requests`. False: nobody waits for it any more."""
        with self._changed:
            self._computing = tuple(requests)
            if self._closed or all(request.cancelled for request in self._computing):
                self._computing = ()
                return False
            if self._stop is not None:
                self._stop.clear()
            return True

    def end_step(self) -> None:
        with self._changed:
            self._computing = ()

    def discard(self, request: Request) -> None:
        """The request has ended."""
        with self._changed:
            self._live.discard(request)
            self._touched = time.monotonic()

    def live_requests(self) -> tuple[Request, ...]:
        with self._changed:
            return tuple(self._live)
