"""What singles one thing out in a question: its names, codes, dates, years and numbered things.

"How often is pump 17 greased?" is not answered by what is written of pump 16. So a passage may
answer only if it holds what the question names, in its text, above it, or in its document's name;
where none does, the answer is that it is not found. Plain quantities ("after 3 years") are none:
they may be a supposition.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from app.backend.ask import inquiry, names, places, quantities
from app.backend.ask.wording import STOP_WORDS, Wording, stem, wording
from app.records import Passage

# Two spellings of a name: "Lindquist" for "Lindqvist".
_ALIKE = 0.84
_ENGLISH = re.compile(
    r"\b(?:what|who|whom|whose|when|where|how|which|why|does|did|is|are|was|were|the|can|may|must)\b",
    re.IGNORECASE,
)
_NUMBERED = re.compile(
    r"\b([^\W\d_]{3,}) (?:no\.? |number |nr\.? )?(\d+(?:\.\d+)*)(?![\w:%€°²³-]|[.,]\d)(?: (\w+))?"
)
_YEAR = re.compile(r"\b(?:in|of|since|from|until|for|during) ((?:1[5-9]|20)\d\d)\b")
_NOT_LABELS = frozenset(
    re.findall(
        r"\S+",
        """
        about after another around before between every exactly first following last least most next nearly
        only over past roughly than these those under until within some almost and for from more less top
        """,
    )
)


@dataclass(frozen=True, slots=True)
class Anchor:
    """One thing that a question names, as it stands there."""

    text: str
    names: tuple[str, ...] = ()
    code: str | None = None
    label: str | None = None
    number: str | None = None
    date: quantities.Date | None = None


class Holding:
    """What one passage holds; its heading and its document's name count as its own."""

    def __init__(self, passage: Passage) -> None:
        self._passage = passage
        self._text = "\n".join((passage.document_name, passage.heading or "", passage.text))
        self._wording: Wording = wording(self._text)
        self._folded = " ".join(self._text.casefold().split())

    def holds(self, anchor: Anchor) -> bool:
        """Whether the passage names it, too."""
        if anchor.names:
            return all(self._named(name) for name in anchor.names)
        if anchor.code is not None:
            return anchor.code in self._wording.codes
        if anchor.date is not None:
            return any(anchor.date.agrees(date) for date in self._wording.dates)
        if anchor.number is not None:
            below = anchor.label in places.SECTION_LABELS and places.lies_in(anchor.number, self._passage)
            return below or self._numbered(anchor.label, anchor.number)
        return " ".join(anchor.text.casefold().split()) in self._folded

    def _named(self, name: str) -> bool:
        if names.stands(name, self._wording.plain) or stem(name) in self._wording.words:
            return True
        return any(
            word[0] == name[0] and SequenceMatcher(None, name, word).ratio() >= _ALIKE
            for word in self._wording.plain
            if abs(len(word) - len(name)) <= 2
        )

    def _numbered(self, label: str | None, number: str) -> bool:
        exact = rf"(?<![\d.,]){re.escape(number)}(?!\d|[.,]\d)"
        if label is None:
            return re.search(exact, self._text) is not None
        # "pumps 16 and 17" and "the 17th pump" name pump 17; "the pump runs for 17 hours" does not.
        word = rf"\b{re.escape(label.removesuffix('s'))}\w*"
        before = rf"{word}(?:\s+(?:no\.?|nr\.?|number))?\s+(?:[\d.]+\s*(?:,|and|or|to|&|–|-)\s*)*{exact}"
        behind = rf"{exact}(?:st|nd|rd|th|\.)?\s+{word}"
        return re.search(f"{before}|{behind}", self._text, re.IGNORECASE) is not None


def anchors(question: str) -> tuple[Anchor, ...]:
    """What the question names, each once, in order of their kinds."""
    # A page says where to look; whether it is there, is known before anything is searched.
    question = places.without_pages(question)
    found = [Anchor(quote) for quote in inquiry.quotes(question)]
    found += [Anchor(spelled, code=code) for spelled, code in names.spelled_codes(question)]
    rest, dates = quantities.take_dates(question)
    found += [Anchor(_spelled(date), date=date) for date in dates]
    found += [Anchor(year, number=year) for year in _YEAR.findall(rest)]
    for label, number, following in _NUMBERED.findall(rest):
        plain = label.lower()
        if not _labels(plain, following.lower()):
            continue
        found.append(Anchor(f"{label} {number}", label=plain, number=number))
    # Of "Zürich 1953" the name is not named a second time.
    found += [name for name in _names(rest) if all(name.text not in anchor.text for anchor in found)]
    return tuple(dict.fromkeys(found))


def missing(question: str, passages: Sequence[Passage]) -> tuple[Anchor, ...]:
    """What the question names that none of the passages holds."""
    named = anchors(question)
    if not named:
        return ()
    holdings = [Holding(passage) for passage in passages]
    return tuple(anchor for anchor in named if not any(holding.holds(anchor) for holding in holdings))


def naming(question: str, passages: Sequence[Passage]) -> tuple[bool, ...]:
    """Which of the passages hold as much of what the question names as any of them does."""
    named = anchors(question)
    counts = (
        [sum(map(Holding(passage).holds, named)) for passage in passages] if named else [0] * len(passages)
    )
    return tuple(count == max(counts) for count in counts)


def _labels(label: str, following: str) -> bool:
    """Whether a number between these words numbers a thing: "pump 17 greased", not "about 17 litres"."""
    vague = label in STOP_WORDS or label in _NOT_LABELS or label in quantities.MONTHS
    return not vague and quantities.spelled_unit(following) is None


def _names(question: str) -> list[Anchor]:
    words = re.findall(r"[^\W\d_]+", question)
    # A question written like a title, or shouted, says nothing by its capitals.
    titled = any(word[0].isupper() and word != "I" and word.lower() in STOP_WORDS for word in words[1:])
    if titled or not _ENGLISH.search(question):
        return []
    known = names.names(question) - frozenset(quantities.MONTHS)
    groups = re.findall(r"[A-ZÄÖÜ][\w’'-]+(?: [A-ZÄÖÜ][\w’'-]+)*", question)
    found = []
    for group in groups:
        parts = tuple(part for word in group.split() if (part := names.folded(word)) in known)
        if parts and not group.isupper():
            found.append(Anchor(group, names=parts))
    return found


def _spelled(date: quantities.Date) -> str:
    month, day = min(date.days)
    name = next(name for name, number in quantities.MONTHS.items() if number == month)
    return f"{day} {name.capitalize()}" + (f" {date.year}" if date.year else "")
