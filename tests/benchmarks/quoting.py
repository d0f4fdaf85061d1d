"""Drafting: answers that quote, answers as Carrel asks for them, and answers that quote nothing.

The same engine twice, with drafting and without, in turns. The drafting one starts without knowing
anything, as after each load: what it tries out is in its figures.
"""

import asyncio
import random
from collections.abc import Callable, Sequence

import ours
import peer
import prompts
from answers import Answer
from bench import Bench, in_turns
from results import Figures, Result

from app.backend.ask import prompt as ask_prompt
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, Prompt

_PASSAGE, _TOKENS, _ASKED = 150, 128, 4
_SIDES = ("automatic", "off")


def measure(bench: Bench) -> list[Result]:
    """Each round: four answers of each kind on each side."""
    figures = Figures()
    with (
        ours.engine(bench.models.chat.path, threads=bench.threads, slots=peer.CLIENTS) as drafting,
        ours.engine(
            bench.models.chat.path, threads=bench.threads, slots=peer.CLIENTS, drafting="off"
        ) as plain,
    ):
        engines = dict(zip(_SIDES, (drafting, plain), strict=True))
        for number in bench.numbers():
            for at, (kind, write) in enumerate(_KINDS.items()):
                seeds = range(number * 100 + at * 10, number * 100 + at * 10 + _ASKED)
                asked = [write(plain, 80_000 + seed) for seed in seeds]
                seen = {
                    side: asyncio.run(_one_by_one(engines[side], asked)) for side in in_turns(_SIDES, number)
                }
                figures.add(f"drafting.{kind}", _rate(seen["automatic"]), _rate(seen["off"]))
    return figures.results()


def _quote(engine: Engine, seed: int) -> Prompt:
    return _message(engine, f"Repeat this text word for word:\n\n{_passage(engine, seed)}")


def _answer(engine: Engine, seed: int) -> Prompt:
    """As a question about documents reaches the bundled model."""
    passage = _passage(engine, seed)
    words = passage.split()
    begin = random.Random(seed).randrange(len(words) - 4)
    question = f"What is said about {' '.join(words[begin : begin + 4])}?"
    return engine.encode(ask_prompt.tiny(question, (passage,)))


def _story(engine: Engine, seed: int) -> Prompt:
    words = _passage(engine, seed).split()
    return _message(engine, f"Tell me a story about a library and these words: {' '.join(words[5:12])}")


_KINDS: dict[str, Callable[[Engine, int], Prompt]] = {"quote": _quote, "answer": _answer, "story": _story}


def _passage(engine: Engine, seed: int) -> str:
    return prompts.text(seed, _PASSAGE, engine.count)


def _message(engine: Engine, text: str) -> Prompt:
    return engine.encode([ChatMessage("user", text)])


async def _one_by_one(engine: Engine, asked: Sequence[Prompt]) -> list[Answer]:
    return [await ours.ask(engine, prompt, _TOKENS) for prompt in asked]


def _rate(answers: Sequence[Answer]) -> float:
    """Tokens a second, after the first one of each."""
    written = sum(answer.tokens - 1 for answer in answers)
    return written / sum(answer.ended - answer.arrivals[0] for answer in answers)
