"""What a step costs beside llama.cpp's own work: planning, filling the batch, text, outboxes.

Measured in the running engine with eight answers at once: the processor time of its thread from
the return of one `llama_decode` to the call of the next, less what `llama_sampler_sample` took.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ours
import peer
import prompts
from bench import Bench
from results import Figures, Result, not_measured

from app.serving.llama import native

_PROMPT, _TOKENS = 60, 120
_Clock = Callable[[], float]


@dataclass
class _Steps:
    """Seconds of each step beside native code, by one clock."""

    clock: _Clock
    taken: list[float]
    returned: float | None = None  # when the last full step did
    sampling: float = 0.0  # since then

    def before_decode(self, tokens: int) -> None:
        if self.returned is not None and tokens == peer.CLIENTS:
            self.taken.append(self.clock() - self.returned - self.sampling)

    def after_decode(self, tokens: int) -> None:
        self.sampling = 0.0
        self.returned = self.clock() if tokens == peer.CLIENTS else None


def measure(bench: Bench) -> list[Result]:
    """Each round: the median step of eight answers of 120 tokens."""
    if not ours.takes("slots"):
        return not_measured("overhead.", "the engine has one slot yet")
    figures = Figures()
    with ours.engine(bench.models.chat.path, threads=bench.threads, slots=peer.CLIENTS) as engine:
        for number in range(bench.rounds):
            seeds = range(70_000 + number * 100, 70_000 + number * 100 + peer.CLIENTS)
            asked = [prompts.question(engine, seed, _PROMPT)[1] for seed in seeds]
            work, wall = _Steps(time.thread_time, []), _Steps(time.perf_counter, [])
            with _watched(work, wall):
                asyncio.run(_all(engine, asked))
            figures.add("overhead.step", statistics.median(work.taken) * 1_000_000)
            figures.add("overhead.wall", statistics.median(wall.taken) * 1_000_000)
    return figures.results()


async def _all(engine: Any, asked: list[Any]) -> None:
    await asyncio.gather(*(ours.ask(engine, prompt, _TOKENS) for prompt in asked))


@contextlib.contextmanager
def _watched(*all_steps: _Steps) -> Iterator[None]:
    """Let every call of the two functions of llama.cpp be noted."""
    decode, sample = native.llama_decode, native.llama_sampler_sample

    def llama_decode(context: Any, batch: Any) -> int:
        for steps in all_steps:
            steps.before_decode(batch.n_tokens)
        code = decode(context, batch)
        for steps in all_steps:
            steps.after_decode(batch.n_tokens)
        return int(code)

    def llama_sampler_sample(*arguments: Any) -> int:
        begun = [steps.clock() for steps in all_steps]
        token = sample(*arguments)
        for steps, moment in zip(all_steps, begun, strict=True):
            steps.sampling += steps.clock() - moment
        return int(token)

    native.llama_decode, native.llama_sampler_sample = llama_decode, llama_sampler_sample
    try:
        yield
    finally:
        native.llama_decode, native.llama_sampler_sample = decode, sample
