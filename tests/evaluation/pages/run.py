"""Is the right page found? `python -m tests.evaluation.pages.run [--each] [--missed] [--keep FOLDER]`.

Asks every question over the whole shelf of volumes, as a person would who has all of them, and again
in the volume it is about. What is judged is the page of each of the passages found.
`--each` shows every volume in a row of its own, `--missed` the questions whose page is not among the
first five.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from app.backend.documents.parsing.messages import ReadPage
from app.filters import EVERYTHING, Filter
from tests.evaluation import library
from tests.evaluation.measures import hit, percentile, reciprocal_rank
from tests.evaluation.pages.asked import Question, by_volume, questions
from tests.evaluation.pages.shelf import fill
from tests.evaluation.pages.volumes import VOLUMES

# So many passages are asked for; several of one page count once, at the first one's place.
_PASSAGES = 50


@dataclass(frozen=True, slots=True)
class Found:
    """A question, the pages that were found for it, best first, and the ones that answer it.

    Pages are written "Mail.pdf 12". `ms`: the search alone, without embedding the question.
    """

    question: Question
    pages: tuple[str, ...]
    right: Mapping[str, float]
    ms: float


async def asked(
    shelf: library.Library,
    read: Mapping[str, Sequence[ReadPage]],
    wanted: Sequence[Question],
    *,
    within: bool = False,
) -> list[Found]:
    """Ask each question, over the whole shelf or `within` its own volume; those whose page is known."""
    retriever, found = shelf.retriever(), []
    ids = {name: number for number, name in shelf.search.names(shelf.user).items()}
    for question in wanted:
        right = question.right({question.volume: read[question.volume]} if within else read)
        if not right:
            continue
        limited = Filter(documents=(ids[f"{question.volume}.pdf"],)) if within else EVERYTHING
        result = await retriever.find(shelf.user, question.text, k=_PASSAGES, limited=limited)
        passages = [candidate.passage for candidate in result.candidates]
        pages = dict.fromkeys(f"{passage.document_name} {passage.page}" for passage in passages)
        found.append(Found(question, tuple(pages), right, result.search_ms))
    return found


def row(name: str, found: Sequence[Found]) -> str:
    """One line of the table."""
    pairs = [(one.pages, one.right) for one in found]
    figures = (
        mean(hit(*pair, 1) for pair in pairs),
        mean(hit(*pair, 5) for pair in pairs),
        mean(reciprocal_rank(*pair) for pair in pairs),
    )
    shown = " | ".join(f"{figure:.3f}" for figure in figures)
    return f"| {name} | {len(found)} | {shown} | {percentile([one.ms for one in found], 0.5):.1f} |"


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--each", action="store_true")
    parser.add_argument("--missed", action="store_true")
    parser.add_argument("--keep", type=Path, help="where indexed libraries lie")
    told = parser.parse_args()
    keep = told.keep or Path(tempfile.gettempdir()) / "carrel-evaluation"
    with library.opened(keep / "pages") as shelf:
        over, inside = asyncio.run(_both(shelf))
    print("| asked | questions | hit_1 | hit_5 | mrr | p50_ms |\n| --- | --- | --- | --- | --- | --- |")
    print(row("over the whole shelf", over))
    print(row("within the volume", inside))
    if told.each:
        for volume in by_volume([one.question for one in over]):
            print(row(volume, [one for one in over if one.question.volume == volume]))
    if told.missed:
        for one in over:
            if not hit(one.pages, one.right, 5):
                print(
                    f"{one.question.text}\n  wanted {', '.join(one.right)}; found {', '.join(one.pages[:5])}"
                )
    return 0


async def _both(shelf: library.Library) -> tuple[list[Found], list[Found]]:
    read = await fill(shelf, VOLUMES)
    return await asked(shelf, read, questions()), await asked(shelf, read, questions(), within=True)


if __name__ == "__main__":
    sys.exit(main())
