"""What a step costs beside llama.cpp's own work, in the running engine with eight answers at once.

Three figures, from the return of one `llama_decode` to the call of the next:

- scheduling: what the methods of Scheduler take, and filling the batch;
- all our own work: everything but `llama_sampler_sample`, so also text and outboxes;
- the same by the clock on the wall: with waits for the interpreter lock, which the reader of the
  answers needs, too, and for the processor.

The first two are processor time of the engine's thread, the watching included (about 1 µs a call).
"""

import asyncio
import contextlib
import inspect
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import ours
import peer
import prompts
from bench import Bench
from results import Figures, Result

from app.serving.llama import native
from app.serving.native_context import NativeContext
from app.serving.scheduler import Scheduler

_PROMPT, _TOKENS = 60, 120
_Clock = Callable[[], float]


@dataclass
class _Watch:
    """Seconds of each full step by one clock: outside `apart`, and inside `planning`."""

    clock: _Clock
    steps: list[float] = field(default_factory=list)
    planned: list[float] = field(default_factory=list)
    _returned: float | None = None  # when the last full step did
    _apart: float = 0.0  # since then
    _planning: float = 0.0

    def decode_begins(self, tokens: int) -> None:
        if self._returned is not None and tokens == peer.CLIENTS:
            self.steps.append(self.clock() - self._returned - self._apart)
            self.planned.append(self._planning)

    def decode_ended(self, tokens: int) -> None:
        self._apart = self._planning = 0.0
        self._returned = self.clock() if tokens == peer.CLIENTS else None

    def apart(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any) -> Any:
            begun = self.clock()
            result = function(*arguments)
            self._apart += self.clock() - begun
            return result

        return watched

    def planning(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*arguments: Any, **named: Any) -> Any:
            begun, before = self.clock(), self._planning
            result = function(*arguments, **named)
            self._planning = before + self.clock() - begun  # what it called is in it once
            return result

        return watched


def measure(bench: Bench) -> list[Result]:
    """Each round: the median step of eight answers of 120 tokens."""
    figures = Figures()
    with ours.engine(bench.models.chat.path, threads=bench.threads, slots=peer.CLIENTS) as engine:
        for number in bench.numbers():
            seeds = range(70_000 + number * 100, 70_000 + number * 100 + peer.CLIENTS)
            asked = [prompts.question(engine, seed, _PROMPT)[1] for seed in seeds]
            work, wall = _Watch(time.thread_time), _Watch(time.perf_counter)
            with _watched(work), _watched(wall):
                asyncio.run(_all(engine, asked))
            figures.add("overhead.scheduling", statistics.median(work.planned) * 1_000_000)
            figures.add("overhead.step", statistics.median(work.steps) * 1_000_000)
            figures.add("overhead.wall", statistics.median(wall.steps) * 1_000_000)
    return figures.results()


async def _all(engine: Any, asked: list[Any]) -> None:
    await asyncio.gather(*(ours.ask(engine, prompt, _TOKENS) for prompt in asked))


@contextlib.contextmanager
def _watched(watch: _Watch) -> Iterator[None]:
    """Let the watch see each call of llama.cpp's two functions, and of what plans."""
    decode = native.llama_decode

    def llama_decode(context: Any, batch: Any) -> int:
        watch.decode_begins(batch.n_tokens)
        code = decode(context, batch)
        watch.decode_ended(batch.n_tokens)
        return int(code)

    with contextlib.ExitStack() as replaced:
        planners = [(Scheduler, name) for name, _ in inspect.getmembers(Scheduler, inspect.isfunction)]
        for owner, name in [*planners, (NativeContext, "_fill")]:
            _replace(replaced, owner, name, watch.planning(getattr(owner, name)))
        _replace(replaced, native, "llama_decode", llama_decode)
        _replace(replaced, native, "llama_sampler_sample", watch.apart(native.llama_sampler_sample))
        yield


def _replace(replaced: contextlib.ExitStack, owner: Any, name: str, by: Any) -> None:
    replaced.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, by)
