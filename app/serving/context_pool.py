"""Small computations, on threads of their own: one a core, each with its own context.

A batch, of one text or a few short ones (`packing.py`), is computed by one thread. Several threads
would wait for each other after every step, which on a machine that is busy with something else costs
many times the work. What somebody waits for is delayed by one batch at most (urgent jobs go first).
"""

import asyncio
import atexit
import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.errors import AppError, BusyError, ModelError
from app.serving import allocator, hardware
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel

_log = logging.getLogger(__name__)

Vector = NDArray[np.float32]
Task = Callable[[NativeContext], Vector]
"""Computes one batch in the context it is given: a row for each of its texts, all of the same width."""


@dataclass(eq=False, slots=True)
class _Job:
    tasks: tuple[Task, ...]
    done: Future[Vector] = field(default_factory=Future)
    results: dict[int, Vector] = field(default_factory=dict)  # by the task's place
    taken: int = 0  # tasks that a thread has computed or is computing
    over: bool = False


class ContextPool:
    """The threads of one model, which it frees when it is closed. All methods are thread-safe."""

    def __init__(
        self,
        native: NativeModel,
        contexts: Sequence[NativeContext],
        *,
        name: str,
        closed: str,
        queue_limit: int,
        polite: bool,
    ) -> None:
        """Start a thread for each of `contexts`.

        Args:
            name: of the threads.
            closed: what whoever asks later is told.
            queue_limit: jobs that may wait; one more gets BusyError.
            polite: let other threads of this computer go first, where it can be done (Linux).
        """
        self._native, self._contexts = native, tuple(contexts)
        self._closed, self._queue_limit, self._polite = closed, queue_limit, polite
        self._changed = threading.Condition()
        self._urgent: deque[_Job] = deque()
        self._bulk: deque[_Job] = deque()
        self._closing = False
        self._computing = 0  # threads that have a text at hand
        self._threads = [
            threading.Thread(target=self._run, args=(context,), name=f"{name}-{number}", daemon=True)
            for number, context in enumerate(self._contexts)
        ]
        # A daemon that is still inside native code when the interpreter goes would crash it.
        atexit.register(self.close)
        for thread in self._threads:
            thread.start()

    @property
    def texts(self) -> int:
        """The most of one batch."""
        return self._contexts[0].slots

    @property
    def threads(self) -> int:
        return len(self._contexts)

    @property
    def waiting(self) -> int:
        """Jobs of which not every task is being computed yet."""
        with self._changed:
            return len(self._urgent) + len(self._bulk)

    @property
    def busy(self) -> bool:
        """Whether anything is being computed, or waits for it."""
        with self._changed:
            return bool(self._computing or self._urgent or self._bulk)

    async def compute(self, tasks: Sequence[Task], *, urgent: bool) -> Vector:
        """The rows of at least one task, in their order. Cancelling whoever awaits it leaves the rest undone.

        Raises:
            BusyError: too many jobs wait.
            ModelError: the pool is closed, or a task failed.
            AppError: whatever else a task raised.
        """
        job = _Job(tuple(tasks))
        with self._changed:
            if self._closing:
                raise ModelError(self._closed)
            if len(self._urgent) + len(self._bulk) >= self._queue_limit:
                raise BusyError
            (self._urgent if urgent else self._bulk).append(job)
            self._changed.notify_all()
        return await asyncio.wrap_future(job.done)

    def close(self) -> None:
        """Fail what waits, free the model. Idempotent; takes as long as the texts at hand."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        with self._changed:
            waiting = (*self._urgent, *self._bulk)
            # Whoever joined first frees; the handles do not mind being freed twice.
            free(self._native, self._contexts)
        for job in waiting:
            self._end(job, ModelError(self._closed))
        atexit.unregister(self.close)

    def _run(self, context: NativeContext) -> None:
        if self._polite:
            hardware.step_back()
        while (taken := self._take()) is not None:
            self._one(*taken, context)
            with self._changed:
                self._computing -= 1

    def _one(self, job: _Job, place: int, context: NativeContext) -> None:
        try:
            result = job.tasks[place](context)
        except AppError as error:
            self._end(job, error)
        except Exception:
            _log.exception("A small computation failed.")
            self._end(job, ModelError("The model failed. This is a bug."))
        else:
            self._put(job, place, result)

    def _take(self) -> tuple[_Job, int] | None:
        """Wait for a task: its job and its place there. None once the pool is closed."""
        with self._changed:
            while not self._closing:
                for queue in (self._urgent, self._bulk):
                    while queue and queue[0].done.cancelled():
                        queue.popleft()
                    if queue:
                        job = queue[0]
                        job.taken += 1
                        self._computing += 1
                        if job.taken == len(job.tasks):
                            queue.popleft()
                        return job, job.taken - 1
                self._changed.wait()
            return None

    def _put(self, job: _Job, place: int, result: Vector) -> None:
        with self._changed:
            job.results[place] = result
            complete = len(job.results) == len(job.tasks)
        if complete:
            self._end(job, np.concatenate([job.results[at] for at in range(len(job.tasks))]))

    def _end(self, job: _Job, result: Vector | AppError) -> None:
        """Give a job its one end; a later one (another of its tasks failed, too) is dropped."""
        with self._changed:
            over, job.over = job.over, True
            for queue in (self._urgent, self._bulk):
                if job in queue:
                    queue.remove(job)
        if over or not job.done.set_running_or_notify_cancel():
            return
        if isinstance(result, AppError):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)


def contexts(
    native: NativeModel, *, positions: int, threads: int, texts: int = 1
) -> tuple[NativeContext, ...]:
    """One context a thread, each `positions` tokens long; if one cannot be made, none is left.

    Args:
        texts: that one batch may have; must divide `positions` (llama.cpp ends the process if not).

    Raises:
        ModelError: not enough memory.
    """
    made: list[NativeContext] = []
    try:
        for _ in range(threads):
            made.append(
                NativeContext(
                    native,
                    length=positions,
                    batch=positions,
                    threads=1,
                    slots=texts,
                    shared=texts > 1,
                    pooled=True,
                )
            )
    except BaseException:
        for context in made:
            context.free()
        raise
    return tuple(made)


def free(native: NativeModel, made: Sequence[NativeContext]) -> None:
    """Free contexts, then their model."""
    for context in made:
        context.free()
    native.free()
    allocator.give_back()
