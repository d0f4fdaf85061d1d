"""Random load on a chat model: clients that join, stop, vanish, wait too long, and change the model.

Everything a client does follows from its seed; when it does it follows from the machine.
"""

import asyncio
import contextlib
import ctypes
import gc
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from app.errors import AppError
from app.serving.engine import Engine
from app.serving.generation import Asker, End, Generation, Prompt, Sampling
from app.serving.models import Models

_LONGEST_S = 120.0  # after which a request counts as stuck

Client = Callable[[random.Random], Awaitable[str]]


@dataclass
class Load:
    """Clients over engines. `ended` counts how requests ended; `surprises` is what must not be."""

    engines: Callable[[], Awaitable[Engine]]
    longest: int = 40  # tokens of an answer
    ended: Counter[str] = field(default_factory=Counter)
    surprises: list[str] = field(default_factory=list)
    asked: list[Engine] = field(default_factory=list)

    def run(self, seconds: float, *, seed: int, threads: int = 3, clients: int = 4) -> None:
        """Blocks until the time is over and every client has ended."""
        until = time.monotonic() + seconds
        running = [
            threading.Thread(target=self._run_loop, args=(until, f"{seed} {number}", clients))
            for number in range(threads)
        ]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    def _run_loop(self, until: float, seed: str, clients: int) -> None:
        async def all_clients() -> None:
            await asyncio.gather(
                *(self._client(until, random.Random(f"{seed} {number}")) for number in range(clients))
            )

        asyncio.run(all_clients())

    async def _client(self, until: float, chance: random.Random) -> None:
        habits = (self._listen, self._listen, self._leave, self._vanish, self._cancel, self._score, self._die)
        while time.monotonic() < until:
            habit = chance.choice(habits)
            name = habit.__name__.strip("_")
            try:
                how = await asyncio.wait_for(habit(chance), _LONGEST_S)
            except TimeoutError:
                self.surprises.append(f"{name} is stuck")
                return
            except AppError as error:
                how = error.code
            except Exception as error:
                self.surprises.append(f"{name}: {error!r}")
                return
            self.ended[f"{name}: {how}"] += 1

    async def _listen(self, chance: random.Random) -> str:
        engine = await self._engine(chance)
        items = [item async for item in engine.generate(self._generation(engine, chance))]
        if not isinstance(items[-1], End) or any(isinstance(item, End) for item in items[:-1]):
            self.surprises.append(f"an answer ended like this: {items[-2:]}")
        return items[-1].reason

    async def _leave(self, chance: random.Random) -> str:
        """Stop after a few pieces."""
        engine = await self._engine(chance)
        answer = engine.generate(self._generation(engine, chance))
        async with contextlib.aclosing(answer):
            for _ in range(chance.randrange(1, 6)):
                if isinstance(await anext(answer), End):
                    return "end"
        return "left"

    async def _vanish(self, chance: random.Random) -> str:
        """Take one piece and drop the generator, unclosed."""
        engine = await self._engine(chance)
        await anext(engine.generate(self._generation(engine, chance)))
        return "vanished"

    async def _cancel(self, chance: random.Random) -> str:
        """Give up at any moment, be it before anything is computed."""
        engine = await self._engine(chance)
        asking = asyncio.ensure_future(anext(engine.generate(self._generation(engine, chance))))
        await asyncio.wait([asking], timeout=chance.choice((0, 0, 0.01, 0.1, 0.5)))
        asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled() and isinstance(asking.exception(), AppError):
            raise asking.exception()
        return "cancelled"

    async def _score(self, chance: random.Random) -> str:
        engine = await self._engine(chance)
        prefix = Prompt("", self._tokens(engine, chance, 1, 200))
        texts = [" ".join(["the"] * chance.randrange(1, 20)) for _ in range(chance.randrange(1, 30))]
        scoring = asyncio.ensure_future(engine.score(prefix, texts))
        if chance.random() < 0.3:
            await asyncio.wait([scoring], timeout=chance.random() * 0.3)
            scoring.cancel()
            await asyncio.wait([scoring])
            return "cancelled"
        found = await scoring
        # No number at all is what random weights may come to; a probability above one is not.
        if len(found) != len(texts) or any(score > 0 for score in found):
            self.surprises.append(f"scores like these: {found}")
        return "scored"

    async def _die(self, chance: random.Random) -> str:
        """Ask on a loop that is closed in the middle of the answer."""
        engine = await self._engine(chance)
        generation = self._generation(engine, chance)

        def ask_and_die() -> None:
            loop = asyncio.new_event_loop()
            answer = engine.generate(generation)
            try:
                loop.run_until_complete(anext(answer))
            finally:
                loop.close()
                answer.aclose().close()  # nobody is left to wait for it

        await asyncio.to_thread(ask_and_die)
        return "died"

    async def _engine(self, chance: random.Random) -> Engine:
        engine = await self.engines()
        if chance.random() < 0.05:
            engine.forget()
        return engine

    def _generation(self, engine: Engine, chance: random.Random) -> Generation:
        # A third begins like another, so that beginnings are copied, waited for and found on disk.
        tokens = self._tokens(engine, chance, 1, engine.context_length - self.longest)
        if chance.random() < 0.4:
            shared = random.Random(chance.randrange(4))
            tokens = (*self._tokens(engine, shared, 150, 400), *tokens)[
                : engine.context_length - self.longest
            ]
        sampling = Sampling(temperature=chance.choice((0.0, 1.0)), seed=chance.randrange(9))
        return Generation(
            Prompt("", tokens),
            chance.randrange(1, self.longest),
            sampling,
            asker=Asker(chance.choice("abc"), urgent=chance.random() < 0.1),
            deadline=chance.choice((None, None, None, None, 0.3)),
        )

    def _tokens(self, engine: Engine, chance: random.Random, least: int, most: int) -> tuple[int, ...]:
        most = max(least + 1, min(most, engine.context_length - self.longest))
        length = int(least + (most - least) * chance.random() ** 3)  # mostly short
        vocabulary = engine._parts.native.vocabulary_size
        return tuple(chance.randrange(3, vocabulary) for _ in range(max(1, length)))


class Switching:
    """Engines behind `Models`, which are changed while they answer."""

    def __init__(self, models: Models, files: list[Path], seed: int, others: int) -> None:
        """`others`: engines that are at work besides."""
        self.others = others
        self._models, self._files, self._chance = models, files, random.Random(seed)
        self._over = threading.Event()
        self.switches = 0  # that were made

    async def engine(self) -> Engine:
        return await self._models.chat()

    async def choose_first(self) -> None:
        """Answer with the first file again."""
        await self._models.choose_chat(self._files[0])

    @contextlib.contextmanager
    def every(self, seconds: float):
        """Change the model about that often, on a thread of its own."""

        def change() -> None:
            while not self._over.wait(seconds * (0.5 + self._chance.random())):
                with contextlib.suppress(AppError):
                    asyncio.run(self._models.choose_chat(self._chance.choice(self._files)))
                    self.switches += 1

        self._over.clear()
        thread = threading.Thread(target=change)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()


@dataclass(frozen=True)
class Footprint:
    """What the process has taken of the machine.

    `memory`: bytes that are its own, without the pages of mapped files (they come and go with the
    model that is loaded) and without what the allocator keeps for later. `resident`: with both.
    """

    memory: int
    resident: int
    threads: int
    descriptors: int

    @classmethod
    def now(cls) -> "Footprint":
        gc.collect()
        process = psutil.Process()
        resident = process.memory_info().rss
        if sys.platform == "linux":
            with contextlib.suppress(AttributeError):  # not glibc
                ctypes.CDLL(None).malloc_trim(0)
        info = process.memory_info()
        descriptors = process.num_fds() if hasattr(process, "num_fds") else process.num_handles()
        own = info.rss - getattr(info, "shared", 0)
        return cls(own, resident, threading.active_count(), descriptors)


def threads(name: str) -> int:
    """How many threads of that name there are."""
    return sum(thread.name == name for thread in threading.enumerate())


def wait_for_threads(name: str, count: int, within: float = 60.0) -> None:
    """Wait until no more than `count` threads of that name are left."""
    until = time.monotonic() + within
    while threads(name) > count:
        assert time.monotonic() < until, [thread.name for thread in threading.enumerate()]
        time.sleep(0.05)


def rest(engine: Engine, within: float = 60.0) -> None:
    """Wait until the engine has nothing left to do; then its books must be those of its memory."""
    until = time.monotonic() + within
    loop = engine._loop
    while engine.requests or not loop._scheduler.idle or loop._scorings:
        assert time.monotonic() < until, f"{engine.requests} requests are stuck"
        time.sleep(0.01)
    cache, context = loop._cache, loop.parts.context
    assert cache.free_slots == len(cache.slots)
    assert not loop._samplers
    assert not loop._scheduler._served
    assert not loop._scheduler._arrived
    held = {slot.number: context.held(slot.number) for slot in cache.slots}
    assert held == {slot.number: len(slot.tokens) for slot in cache.slots}
