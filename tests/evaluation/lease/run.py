"""Measures answers about the sample document: `python -m tests.evaluation.lease.run [quote|write]`.

Asks ordinary questions about the lease that comes with Carrel, read by Carrel's own parser, with
the bundled models: 100 that it answers and 40 that it does not. Prints, for the half that the rules
were tuned on and for the other, the share of answers (and of first quotes) that hold the asked fact, of
questions wrongly refused or marked, and of unanswerable ones refused or marked.
"""

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from app import paths
from app.events import Delta
from app.records import Message
from tests.evaluation.answers.desk import desk

_QUESTIONS = Path(__file__).with_name("questions.txt")
# How an answer begins that does not say that it answers.
_MARKED = re.compile(r"^Nothing (?:was found|in )|^The closest passage in your documents says")
HALVES = ("tuning", "reporting")


@dataclass(frozen=True, slots=True)
class Question:
    """A question; `expected` (a regular expression) is what its answer holds, None if there is none."""

    text: str
    expected: str | None
    pages: tuple[int, ...]
    half: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A question and what became of it; `first_s`: seconds to the first words."""

    question: Question
    message: Message
    first_s: float

    @property
    def marked(self) -> bool:
        return _MARKED.search(self.message.text) is not None

    @property
    def holds(self) -> bool:
        """Whether the asked fact is in the text, and a citation leads to its page."""
        expected = self.question.expected
        if expected is None or not re.search(expected, self.message.text, re.IGNORECASE):
            return False
        return bool(self._pages(len(self.message.citations)) & set(self.question.pages))

    @property
    def first_holds(self) -> bool:
        """Whether the first cited sentence holds it."""
        if not self.message.citations or self.question.expected is None:
            return False
        first = self.message.citations[0]
        said = self.message.text[first.start : first.end]
        found = re.search(self.question.expected, said, re.IGNORECASE) is not None
        return found and bool(self._pages(1) & set(self.question.pages))

    def _pages(self, count: int) -> set[int]:
        cited = {one.source for one in self.message.citations[:count]}
        return {one.passage.page for one in self.message.sources if one.number in cited}


def questions() -> list[Question]:
    """All questions, in the order of the file."""
    found: list[Question] = []
    for line in _QUESTIONS.read_text("utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        answered = mark == "?"
        half = HALVES[sum((one.expected is not None) == answered for one in found) % 2]
        if answered:
            text, expected, pages = rest.split(" | ")
            found.append(Question(text, expected, tuple(map(int, pages.split())), half))
        elif mark == "u":
            found.append(Question(rest, None, (), half))
    return found


async def ask(style: str, wanted: list[Question]) -> list[Answered]:
    """The questions, answered in that style over the sample document."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        async with desk(Path(folder), (), answer_style=style) as (backend, user):
            await backend.start()
            async with backend.feed.subscribe() as changes:
                sample = str(paths.resource("sample", "Lease agreement.pdf"))
                (addition,) = await backend.documents.add_paths(user, [sample])
                while (status := (await backend.documents.get(user, addition.document.id)).status) != "ready":
                    if status == "failed":
                        raise RuntimeError("The sample document could not be read.")
                    await anext(changes)
            for question in wanted:
                begun = time.perf_counter()
                first = 0.0
                async for event in backend.ask.ask(user, question.text, trace_id="0" * 32):
                    if isinstance(event, Delta) and not first:
                        first = time.perf_counter() - begun
                results.append(Answered(question, event.message, first))
    return results


def share(values) -> float:
    """The part of the values that are true."""
    values = list(values)
    return sum(values) / len(values)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("style", nargs="?", default="quote", choices=("quote", "write"))
    parser.add_argument("--wrong", action="store_true", help="print each answer that is not as it should be")
    options = parser.parse_args()
    results = asyncio.run(ask(options.style, questions()))
    for half in HALVES:
        can = [one for one in results if one.question.half == half and one.question.expected is not None]
        cannot = [one for one in results if one.question.half == half and one.question.expected is None]
        print(f"{half}: {len(can)} answerable, {len(cannot)} unanswerable questions, style {options.style}")
        print(f"  the answer holds the fact         {share(one.holds for one in can):.2f}")
        print(f"  its first sentence                {share(one.first_holds for one in can):.2f}")
        print(f"  answerable, refused or marked     {share(one.marked for one in can):.2f}")
        print(f"  unanswerable, refused or marked   {share(one.marked for one in cannot):.2f}")
    times = [one.first_s for one in results]
    print(f"first words after {statistics.median(times):.2f} s median, {max(times):.2f} s longest")
    for one in results if options.wrong else ():
        if one.marked == (one.question.expected is not None):
            print(f"{one.question.half:10} {one.question.text} -> {one.message.text}")


if __name__ == "__main__":
    main()
