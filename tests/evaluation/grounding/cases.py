"""Sentence-passage cases: what a check of answers has to accept, and what it has to refuse.

Every other document is for tuning, the rest is only reported; no page stands in both halves. Each
case has four pages in its prompt, as an answer would: the page of the sentence among three others,
or, for sentences that are not there, four others.
"""

import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.evaluation.grounding import swaps
from tests.evaluation.grounding.material import Fact, Page, pages

Kind = Literal[
    "verbatim", "paraphrase", "merged", "number", "name", "date", "unit", "denial", "opposite", "elsewhere"
]
TRUE: tuple[Kind, ...] = ("verbatim", "paraphrase", "merged")
_IN_PROMPT = 4
# Of these the capital letter goes when they come to stand inside a sentence.
_BEGINNINGS = (
    "The", "A", "It", "Its", "On", "In", "At", "For", "From", "By", "After", "Before", "During", "You",
    "Each", "Every", "There", "They", "No", "Using", "With", "If",
)  # fmt: skip
_LICENCE = Path(__file__).parents[3] / "resources" / "notices" / "LGPL-3.0.txt"


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence, the pages it is checked against, and the spans of pages[place] that support it."""

    kind: Kind
    half: Literal["tuning", "reporting"]
    sentence: str
    question: str
    pages: tuple[Page, ...]
    place: int | None
    span: tuple[int, int] | None

    @property
    def supported(self) -> bool:
        return self.kind in TRUE


def made(seed: int = 5) -> list[Case]:
    """All cases, the same for the same seed."""
    draw = random.Random(seed)
    every = [*pages(), *_licence()]
    documents = list(dict.fromkeys(page.document for page in every))
    cases = []
    for page in every:
        half = "tuning" if documents.index(page.document) % 2 == 0 else "reporting"
        others = [
            other
            for other in every
            if (documents.index(other.document) % 2 == 0) == (half == "tuning")
            and other.document != page.document
        ]
        for fact, following in zip(page.facts, [*page.facts[1:], None], strict=True):
            for kind, sentence, span in _sentences(page, fact, following, draw):
                near = draw.sample(others, _IN_PROMPT - 1)
                place = draw.randrange(_IN_PROMPT)
                near.insert(place, page)
                cases.append(Case(kind, half, sentence, fact.question, tuple(near), place, span))
            away = tuple(draw.sample(others, _IN_PROMPT))
            sentence = draw.choice((fact.sentence, fact.paraphrase))
            cases.append(Case("elsewhere", half, sentence, away[0].facts[0].question, away, None, None))
    return cases


def _sentences(
    page: Page, fact: Fact, following: Fact | None, draw: random.Random
) -> list[tuple[Kind, str, tuple[int, int] | None]]:
    span = page.span(fact)
    found: list[tuple[Kind, str, tuple[int, int] | None]] = [("verbatim", fact.sentence, span)]
    if fact.paraphrase != fact.sentence:
        found.append(("paraphrase", fact.paraphrase, span))
        first = following.paraphrase.split()[0] if following is not None else ""
        if following is not None and first in _BEGINNINGS:
            rest = following.paraphrase.removeprefix(first)
            both = f"{fact.paraphrase.rstrip('.')}, and {first.lower()}{rest}"
            found.append(("merged", both, (span[0], page.span(following)[1])))
    base = draw.choice((fact.sentence, fact.paraphrase))
    there = re.findall(r"(?<=[a-z,] )[A-Z]\w+ [A-Z]\w+", page.body)
    changed: tuple[tuple[Kind, str | None], ...] = (
        ("number", swaps.number(base, draw)),
        ("name", swaps.name(base, draw, there)),
        ("date", swaps.date(base, draw)),
        ("unit", swaps.unit(base, draw)),
        ("denial", swaps.denied(fact.sentence)),
        ("opposite", swaps.opposite(base, draw)),
    )
    found += [(kind, sentence, None) for kind, sentence in changed if sentence is not None]
    return found


def _licence() -> list[Page]:
    """Real text, not made for this: sections of a licence that comes with Carrel, by sentences."""
    text = _LICENCE.read_text("utf-8")
    found = []
    for section in re.split(r"\n  (?=\d\. )", text)[1:]:
        heading, _, body = section.partition("\n")
        sentences = re.split(r"(?<=[.])\s+(?=[A-Z])", " ".join(body.split()))
        facts = [
            Fact(one, one, "", "") for one in sentences if 8 <= len(one.split()) <= 40 and "  " not in one
        ]
        if len(facts) > 1:
            found.append(Page(f"Licence section {heading}", heading, facts))
    return found
