"""How long a stop takes: from the request, made on the loop, until llama.cpp's call has returned."""

import asyncio
import dataclasses
import random
import threading
import time
from typing import Any

import ours
import prompts
from bench import Bench
from results import Figures, Result

from app.serving.engine import Engine
from app.serving.generation import Prompt

_TRIES = 100
_LONGEST_PAUSE_S = 0.4  # reading a prompt of 2,000 tokens takes several times this
_LONGEST_S = 60.0  # until there is something to stop, and until it is over
_SETTLED_S = 0.03  # by then the engine has seen the stop, if no step was at hand just then


class _Watched:
    """The engine's context, and whether it computes."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.begun = threading.Event()
        self.idle = threading.Event()
        self.idle.set()
        self.returned = 0.0  # when the last step did

    def decode(self, rows: Any) -> int:
        self.idle.clear()
        self.begun.set()
        code = self._context.decode(rows)
        self.returned = time.perf_counter()
        self.idle.set()
        return int(code)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)


def measure(bench: Bench) -> list[Result]:
    """A hundred stops in prefill and as many in decode, at moments drawn by chance; one figure each."""
    figures = Figures()
    chance = random.Random(1)
    with ours.engine(bench.models.chat.path, threads=bench.threads, slots=1) as engine:
        loop = engine._loop
        watched = _Watched(loop.parts.context)
        loop.parts = dataclasses.replace(loop.parts, context=watched)
        for number in range(_TRIES):
            _, prompt = prompts.question(engine, seed=30_000 + number, tokens=2_000)
            pause = chance.uniform(0.005, _LONGEST_PAUSE_S)
            took = asyncio.run(_stop(engine, watched, prompt, after=0, pause=pause))
            figures.add("stop.prefill", took * 1_000)
            _, prompt = prompts.question(engine, seed=40_000 + number, tokens=60)
            after, pause = chance.randint(1, 8), chance.uniform(0, 0.012)
            took = asyncio.run(_stop(engine, watched, prompt, after=after, pause=pause))
            figures.add("stop.decode", took * 1_000)
    return figures.results()


async def _stop(engine: Engine, watched: _Watched, prompt: Prompt, *, after: int, pause: float) -> float:
    """Ask, and stop `pause` seconds after the piece number `after` (0: after the first step began).

    Returns:
        How many seconds the stop took.
    """
    arrived, come = 0, asyncio.Event()
    watched.begun.clear()

    async def read() -> None:
        nonlocal arrived
        async for _ in engine.generate(ours.endless(engine, prompt, 400)):
            arrived += 1
            if arrived == after:
                come.set()

    reading = asyncio.create_task(read())
    async with asyncio.timeout(_LONGEST_S):
        await (come.wait() if after else asyncio.to_thread(watched.begun.wait, _LONGEST_S))
    await asyncio.sleep(pause)
    if not after and arrived:
        raise RuntimeError("The prompt was read before it could be stopped.")
    requested = time.perf_counter()
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    await asyncio.sleep(_SETTLED_S)
    if not await asyncio.to_thread(watched.idle.wait, _LONGEST_S):
        raise TimeoutError("The step was not stopped.")
    return max(0.0, watched.returned - requested)
