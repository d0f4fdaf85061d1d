"""Measures answers of the bundled model: `python -m tests.evaluation.answers.run [quote|write] [--every N]`.

Asks the 200 questions that the made-up documents answer and the 100 that nothing answers. Prints the
share of answers (and of first sentences) that hold the asked fact and cite its page, of questions
wrongly refused, of unanswerable ones refused or marked, and of words that stand on no page.
An answer is refused or marked if nothing of it stands as a fact: it says that nothing was found, or
that it only shows the closest passage.
"""

import argparse
import asyncio
import re
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from app.backend.ask.quoting import ALSO, CLOSEST
from app.events import Delta
from app.records import Message
from tests.evaluation.answers.desk import desk
from tests.evaluation.grounding.material import Page, pages

_REFUSED = re.compile(r"^Nothing (?:was found|in )|^The closest passage in your documents says")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, the words that answer it (None: nothing does), and how it was answered."""

    question: str
    answer: str | None
    page: Page
    message: Message
    first_s: float

    @property
    def refused(self) -> bool:
        return _REFUSED.search(self.message.text) is not None

    @property
    def holds(self) -> bool:
        return self.answer is not None and _plain(self.answer) in _plain(self.message.text)

    @property
    def first_holds(self) -> bool:
        """Whether the first checked sentence holds the fact, and cites the page it stands on."""
        if not self.message.citations or self.answer is None:
            return False
        first = self.message.citations[0]
        cited = next((one.passage for one in self.message.sources if one.number == first.source), None)
        said = self.message.text[first.start : first.end]
        return cited is not None and cited.text == self.page.text and _plain(self.answer) in _plain(said)

    def invented(self, every: set[str]) -> list[str]:
        """Words of the answer that stand on no page and are none of the fixed ones."""
        fixed = set(_words(f"{CLOSEST} {ALSO}"))
        if self.message.text.startswith("Nothing"):
            return []
        return [word for word in _words(self.message.text) if word not in every | fixed]


async def ask(style: str, step: int) -> list[Asked]:
    """Every `step`-th question, in the order of the pages."""
    every = pages()
    asked = [(fact.question, fact.answer, page) for page in every for fact in page.facts]
    asked += [(question, None, page) for page in every for question in page.unanswerable]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        async with desk(Path(folder), every, answer_style=style) as (backend, user):
            for question, answer, page in asked[::step]:
                begun = time.perf_counter()
                first = None
                async for event in backend.ask.ask(user, question, trace_id="0" * 32):
                    if isinstance(event, Delta) and first is None:
                        first = time.perf_counter() - begun
                results.append(Asked(question, answer, page, event.message, first or 0.0))
    return results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("style", nargs="?", default="quote", choices=("quote", "write"))
    parser.add_argument("--every", type=int, default=1, help="ask only every N-th question")
    parser.add_argument("--wrong", action="store_true", help="print each answer that is not as it should be")
    options = parser.parse_args()
    results = asyncio.run(ask(options.style, options.every))
    known = {word for page in pages() for word in _words(f"{page.text} {page.document}")}
    can = [one for one in results if one.answer is not None]
    cannot = [one for one in results if one.answer is None]
    if options.wrong:
        for one in results:
            if one.refused if one.answer is not None else not one.refused:
                print(
                    f"{'answerable' if one.answer else 'unanswerable'}: {one.question} -> {one.message.text}"
                )
    print(f"{options.style}: {len(can)} answerable, {len(cannot)} unanswerable questions")
    print(f"the answer holds the fact         {_share(one.holds for one in can)}")
    print(f"its first sentence, rightly cited {_share(one.first_holds for one in can)}")
    print(f"answerable, refused or marked     {_share(one.refused for one in can)}")
    print(f"unanswerable, refused or marked   {_share(one.refused for one in cannot)}")
    print(f"invented words                    {sum(len(one.invented(known)) for one in results)}")
    times = sorted(one.first_s for one in results)
    first = f"{statistics.median(times):.2f} s median, {times[-1]:.2f} s longest"
    print(f"first words after                 {first}")


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("’", "'").split())


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _share(values) -> str:
    values = list(values)
    return f"{sum(values) / len(values):.3f} ({sum(values)} of {len(values)})"


if __name__ == "__main__":
    main()
