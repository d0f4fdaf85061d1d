"""How well a chat model writes from passages: measured once, by a short test, and kept by its content.

A model of 135 million parameters invents where it is given several passages; one of 4 thousand million
does not. Size alone does not tell which is which, so each model answers eight questions about eight
sentences, all of them in its prompt as they would be in a real one. Its place in the answers' styles
follows from how many it gets right: it quotes, it writes below the best quote, or it writes.
"""

import asyncio
import logging
import re
import time
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Literal

import msgspec

from app.backend.ask import budget, prompt
from app.backend.feed import Feed
from app.errors import AppError
from app.events import ModelChanged
from app.records import Passage, Source
from app.serving.engine import Engine
from app.serving.generation import Asker, Generation, Piece
from app.serving.models import Models
from app.serving.notebook import Notebook

Aptitude = Literal["quote", "both", "write"]
"""What a model is fit for: quotes alone, writing below the best quote, or writing alone."""

# Raised with every change of the test or of what is made of it: what older ones found is measured anew.
_EDITION = 1
# Right answers of eight from which a model writes; below the first it only quotes.
_BOTH_FROM, _WRITE_FROM = 7, 8
_ANSWER_TOKENS = 14
_BETWEEN_LOOKS_S = 0.25
_CALM_S = 2.0

# Sentences of one matter, alike enough that the answer to one question stands near that of another.
_TEST = (
    ("A berth costs 340 euros a year.", "How much is a berth?", r"340"),
    ("The winter store costs 95 euros a year.", "What does the winter store cost?", r"\b95\b"),
    ("The crane may be used until 18 o'clock.", "Until when may the crane be used?", r"\b18\b|\b6 ?p"),
    ("The gate is locked at 22 o'clock.", "When is the gate locked?", r"\b22\b|\b10 ?p"),
    ("The harbour master is Ms Okafor.", "Who is the harbour master?", r"okafor"),
    ("The treasurer is Mr Lindholm.", "Who is the treasurer?", r"lindholm"),
    ("Notice is given by 30 September.", "By which date is notice given?", r"30 sep|september 30"),
    ("The yearly fee is due on 15 March.", "When is the yearly fee due?", r"15 mar|march 15"),
)


class _Entry(msgspec.Struct, frozen=True):
    edition: int
    right: int


class Aptitudes:
    """What the models of one profile are fit for. Used on the gateway's loop."""

    def __init__(self, file: Path | None = None) -> None:
        """`file` is JSON; damaged or unwritable, it is done without. None: nothing is kept."""
        self._kept = Notebook(file, dict[str, _Entry]) if file is not None else None
        self._entries: dict[str, _Entry] | None = None
        self._log = logging.getLogger(__name__)

    def of(self, engine: Engine) -> Aptitude:
        """What the model is fit for, as measured; until then a guess by its size. Returns at once."""
        right = self._right(engine.model.sha256)
        if right is None:
            return "quote" if engine.parameters < budget.TINY_BELOW else "write"
        return "write" if right >= _WRITE_FROM else "both" if right >= _BOTH_FROM else "quote"

    def known(self, engine: Engine) -> bool:
        """Whether it was measured."""
        return self._right(engine.model.sha256) is not None

    async def measure(self, engine: Engine, busy: Callable[[], bool] = lambda: False) -> int:
        """Put the test to the model and keep the result: how many of the eight it got right.

        Each question waits until nobody else asks for anything.

        Args:
            busy: whether the machine has something better to do.

        Raises:
            AppError: the model was closed, or failed.
        """
        right = 0
        for number in range(len(_TEST)):
            await _quiet(lambda: engine.requests > 0, busy)
            right += await self._answers(engine, number)
        sha256 = engine.model.sha256
        entry = _Entry(_EDITION, right)
        self._entries = {**self._known, sha256: entry}
        if self._kept is not None:
            await asyncio.to_thread(self._kept.change, lambda there: {**(there or {}), sha256: entry})
        self._log.info("a model was measured", extra={"model": engine.model.name, "right": right})
        return right

    async def _answers(self, engine: Engine, number: int) -> bool:
        """Whether the model answers question `number`, and with none of the other answers."""
        _, question, _ = _TEST[number]
        rendered = await asyncio.to_thread(engine.encode, prompt.full(question, _SOURCES))
        generation = Generation(rendered, _ANSWER_TOKENS, asker=Asker("carrel"))
        said, held = "", list[int]()
        async with aclosing(engine.generate(generation)) as items:
            async for item in items:
                if not isinstance(item, Piece):
                    continue
                said += item.text
                held = [
                    place
                    for place, (_, _, answer) in enumerate(_TEST)
                    if re.search(answer, said, re.IGNORECASE)
                ]
                if "\n" in said.strip() or (held and said.endswith(".")):
                    break
        return held == [number]

    def _right(self, sha256: str) -> int | None:
        entry = self._known.get(sha256)
        return entry.right if entry is not None and entry.edition == _EDITION else None

    @property
    def _known(self) -> dict[str, _Entry]:
        if self._entries is None:
            self._entries = (self._kept.read() if self._kept is not None else None) or {}
        return self._entries


class Examiner:
    """Measures each chat model that is loaded and was not measured before. Used on the gateway's loop."""

    def __init__(self, aptitudes: Aptitudes, models: Models, feed: Feed) -> None:
        self._aptitudes, self._models, self._feed = aptitudes, models, feed
        self._task: asyncio.Task[None] | None = None
        self._log = logging.getLogger(__name__)

    def start(self) -> None:
        """Begin, in the background. Call once."""
        self._task = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Give up what is being measured. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _watch(self) -> None:
        async with self._feed.subscribe() as changes:
            await self._look()
            async for event in changes:
                if isinstance(event, ModelChanged) and event.model.kind == "chat" and event.model.loaded:
                    await self._look()

    async def _look(self) -> None:
        try:
            engine = await self._models.chat()
            if not self._aptitudes.known(engine):
                await asyncio.sleep(_CALM_S)  # what is done first after a start may be a folder of files
                await self._aptitudes.measure(engine, self._reading)
        except AppError as error:
            self._log.info("a model was not measured", extra={"code": error.code})

    def _reading(self) -> bool:
        """Whether files are being read. Two threads that wait for each other would slow that down a lot."""
        return any(embedder.busy for embedder in self._models.embedders())


async def _quiet(asked: Callable[[], bool], busy: Callable[[], bool]) -> None:
    """Return once nothing is asked, and nothing was `busy` for a moment: files come one after the other."""
    last = float("-inf")
    while True:
        now = time.monotonic()
        if busy():
            last = now
        if not asked() and now - last >= _CALM_S:
            return
        await asyncio.sleep(_BETWEEN_LOOKS_S)


def _source(number: int, text: str) -> Source:
    return Source(number, Passage(number, "", "Notes", False, 1, 0, len(text), None, text), 1.0, True)


_SOURCES = tuple(_source(number, text) for number, (text, _, _) in enumerate(_TEST, start=1))
