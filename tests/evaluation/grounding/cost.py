"""What the check by meaning adds to an answer: `python -m tests.evaluation.grounding.cost [--pairs N]`.

The bundled model, taken for a large one so that its sentences are shown and checked, answers the same
questions over the made-up documents with the check and without, in turns within one run.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from app.backend.ask.writing import Writing
from app.serving.generation import Sampling
from tests.evaluation.answers.desk import desk
from tests.evaluation.grounding.material import pages

_ANSWER_TOKENS = 80


class Large:
    """The engine, but for its size."""

    parameters = 4_000_000_000

    def __init__(self, engine) -> None:
        self._engine = engine

    def __getattr__(self, name):
        return getattr(self._engine, name)


async def measure(pairs: int) -> tuple[list[float], int]:
    """For each pair the time with the check over the time without; and how many sentences were doubted."""
    every = pages()
    asked = [fact.question for page in every for fact in page.facts]
    ratios, doubted = [], 0

    def counted(embed):
        async def made(texts):
            nonlocal doubted
            doubted += 1
            return await embed(texts)

        return made

    with tempfile.TemporaryDirectory() as folder:
        async with desk(Path(folder), every, answer_style="write") as (backend, user):
            preparation = backend.ask._preparation
            engine = Large(await preparation._retriever._models.chat())
            for number in range(pairs):
                brief = await preparation.brief(
                    engine,
                    user,
                    asked[number * 17 % len(asked)],
                    sampling=Sampling(),
                    answer_tokens=_ANSWER_TOKENS,
                )
                seconds = {}
                # Each first in turn; what was read is in memory from the second on, so one goes before.
                for checks in (None, *((True, False) if number % 2 else (False, True))):
                    writing = Writing(
                        replace(brief, embed=counted(brief.embed) if checks else None), brief.generation
                    )
                    begun = time.perf_counter()
                    async for _ in writing.events():
                        pass
                    seconds[checks] = time.perf_counter() - begun
                ratios.append(seconds[True] / seconds[False])
    return ratios, doubted


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=24)
    ratios, doubted = asyncio.run(measure(parser.parse_args().pairs))
    print(f"{len(ratios)} pairs of answers, {doubted} sentences settled by meaning")
    print(f"with the check by meaning over without: {statistics.median(ratios):.3f}x median")


if __name__ == "__main__":
    main()
