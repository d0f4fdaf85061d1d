"""The sentences that say most of a document: near to the whole, from all of its parts, nothing twice.

What a sentence is worth: its words occur in many sections; its meaning is near to the mean of all
passages; it opens a section; it holds the words of its heading; it says what the document is for, or
what must be. Of those the best are taken one by one, each less where another says the same, and more
where its part of the document is not represented yet.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from app.backend.ask.retrieval import Vector
from app.backend.ask.sentences import is_heading, split
from app.backend.ask.whole.material import Section
from app.backend.ask.wording import content_words
from app.records import Passage

_LEAST_WORDS, _MOST_WORDS = 5, 60
_LEAST_LETTERS, _REAL_SHARE = 0.75, 0.7
_SPREAD_WEIGHT, _CENTRE_WEIGHT, _POSITION_WEIGHT, _HEADING_WEIGHT = 0.35, 0.35, 0.2, 0.15
# What a document opens with; more where it is asked what it is about.
_OPENING_WEIGHT, _OVERVIEW_OPENING_WEIGHT, _OPENING = 0.1, 0.5, 12
_CUE_WEIGHT, _FIGURE_WEIGHT, _MONEY_WEIGHT = 0.12, 0.06, 0.08
_LEANING_COST, _UNFINISHED_COST, _LONG_COST = 0.2, 0.15, 0.1
_LONG_WORDS = 32
_ASPECT_WEIGHT = 0.8
# Below this likeness to the aspect, and without a word of it, a sentence does not have to do with it.
_ASPECT_FROM = 0.3
_REPEAT_COST = 0.5
_FRESH_PART = 0.25
# So alike in meaning, or in words, one of two sentences is enough.
_SAME_MEANING, _SAME_WORDS = 0.86, 0.6
# Of each section, so many of the best by words and place get a vector.
_LOOKED_AT = 4

_LEANS = re.compile(
    r"(?:This|These|Those|That|It|Its|They|Their|He|She|His|Her|However|Therefore|Thus|Hence"
    r"|But|And|Also|Such|So|Moreover"
    r"|Furthermore|Otherwise|Then|Instead|Nevertheless|Here|There|Dies(?:e[rsnm]?)?|Er|Sie|Es"
    r"|Jedoch|Aber|Und|Auch|Daher"
    r"|Deshalb|Dabei|Dann|Diese|Dort|Dazu|Hierzu|Sonst|In addition|For this)\b"
    r"(?! (?:agreement|lease|contract|document|report|paper|study|handbook|policy|guide|article"
    r"|thesis|vertrag|bericht"
    r"|dokument|arbeit|studie|satzung))"
)
# One case of several: what they are cases of stands before it.
_CASE = re.compile(r"\((?:[a-z]|[ivx]+|\d+)\) ")
_CUES = re.compile(
    r"\bthis (?:agreement|lease|contract|document|report|paper|study|handbook|policy|guide"
    r"|article|thesis)\b"
    r"|\b(?:purpose|aims?|goal|objective|in summary|in conclusion|conclude[sd]?|overall|we "
    r"(?:propose|show|find|present|recommend)"
    r"|main|key|important|notice|terminat\w+|may end|kündig\w+|recommend\w*"
    r"|result(?:s|ed)?|must|shall|may not|responsible for"
    r"|agree[sd]?|decided"
    r"|zweck|ziel|ergebnis\w*|zusammenfassend|insgesamt|wichtig\w*|muss|müssen|verpflichtet"
    r"|vereinbar\w+|beschlossen)\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"\d")
_MONEY = re.compile(
    r"[€$£]\s?\d|\d\s?(?:€|EUR|USD|GBP|CHF|%|percent|euros?|dollars?|pounds?|francs?)\b", re.IGNORECASE
)
_NO_SENTENCE = re.compile(
    r"^(?:dear|hello|hi|yours|kind regards|sehr geehrte|liebe[rs]?|hallo|mit freundlichen) "
    r"|\.{4}|…\s*\d|©|https?://|www\.|\S@\S+\.\w|\bISBN\b|^\W*(?:fig(?:ure)?|table|tab|abb)\b\.? ?\d"
    r"|^\d+(?:\.\d+)+ |^(?:proof|beweis|q\.?e\.?d)\b",
    re.IGNORECASE,
)
_REAL_WORD = re.compile(r"[^\W\d_]{2,}")


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence of a passage: passage.text[start:end], `text` without line ends.

    `section`: which of the sections it is of; `order`: its place among all sentences.
    """

    passage: Passage
    section: int
    order: int
    start: int
    end: int
    text: str
    words: frozenset[str]
    first: bool
    score: float = 0.0


def sentences(sections: Sequence[Section], *, alone: bool = True) -> list[Told]:
    """Every sentence of the sections, in order; with `alone` only those that can stand alone."""
    found: list[Told] = []
    seen: set[str] = set()
    for number, section in enumerate(sections):
        first = True
        for passage in section.passages:
            for start, end in split(passage.text, wrapped=True):
                text = " ".join(passage.text[start:end].split())
                if alone and (not _stands_alone(text) or is_heading(text, passage.heading)):
                    continue
                # Running heads and clauses that stand in several places count once.
                if (plain := text.casefold()) in seen:
                    continue
                seen.add(plain)
                words = frozenset(content_words(text))
                found.append(Told(passage, number, len(found), start, end, text, words, first))
                first = False
    return found


def scored(
    every: Sequence[Told], sections: Sequence[Section], *, aspect: str = "", overview: bool = False
) -> list[Told]:
    """The sentences with what their words, their places and their headings make them worth."""
    spread = Counter(word for words in _section_words(every, len(sections)) for word in words)
    asked = frozenset(content_words(aspect))
    whole = math.log(1 + max(len(sections), 2))
    lone = [
        sum(math.log(1 + spread[word]) for word in told.words) / whole / (len(told.words) + 4)
        for told in every
    ]
    most = max(lone, default=0.0) or 1.0
    return [
        replace(
            told,
            score=_SPREAD_WEIGHT * worth / most
            + _placed(told, _OVERVIEW_OPENING_WEIGHT if overview else _OPENING_WEIGHT)
            + _worded(told)
            + (_ASPECT_WEIGHT / 2 * len(asked & told.words) / len(asked) if asked else 0.0),
        )
        for told, worth in zip(every, lone, strict=True)
    ]


def shortlist(every: Sequence[Told], most: int) -> list[Told]:
    """Those with a chance, in order: a vector for each sentence of a long document takes too long."""
    by_section: dict[int, list[Told]] = {}
    for told in every:
        by_section.setdefault(told.section, []).append(told)
    each = max(_LOOKED_AT, most // max(len(by_section), 1))
    kept = [told for part in by_section.values() for told in sorted(part, key=lambda one: -one.score)[:each]]
    return sorted(sorted(kept, key=lambda one: -one.score)[:most], key=lambda one: one.order)


def by_meaning(
    listed: Sequence[Told], vectors: Sequence[Vector] | None, centre: Vector | None, aspect: Vector | None
) -> list[Told]:
    """The same with what their meaning adds; the vectors are theirs, in order, of unit length."""
    if vectors is None or not listed:
        return list(listed)
    rows = np.stack(vectors)
    added = np.zeros(len(listed))
    if centre is not None:
        added += _CENTRE_WEIGHT * (rows @ centre)
    if aspect is not None:
        added += _ASPECT_WEIGHT * (rows @ aspect)
    return [replace(told, score=told.score + float(more)) for told, more in zip(listed, added, strict=True)]


def about(
    listed: Sequence[Told], vectors: Sequence[Vector] | None, aspect: str, direction: Vector | None
) -> list[bool]:
    """Which of the sentences have to do with the aspect: by a word of it, or by their meaning."""
    asked = frozenset(content_words(aspect))
    near = [0.0] * len(listed)
    if vectors is not None and direction is not None and listed:
        near = [float(value) for value in np.stack(vectors) @ direction]
    return [
        bool(asked & (told.words | frozenset(content_words(told.passage.heading or ""))))
        or likeness >= _ASPECT_FROM
        for told, likeness in zip(listed, near, strict=True)
    ]


def chosen(
    listed: Sequence[Told], vectors: Sequence[Vector] | None, count: int, parts: Sequence[int]
) -> list[Told]:
    """The `count` that together say most, in the order of the document.

    Args:
        parts: for each section which part of the document it counts to; one of each is wanted first.
    """
    taken: list[int] = []
    rows = None if vectors is None or not listed else np.stack(vectors)
    alike = np.zeros(len(listed))
    while len(taken) < min(count, len(listed)):
        represented = {parts[listed[place].section] for place in taken}
        best, worth = -1, -math.inf
        for place, told in enumerate(listed):
            if place in taken or alike[place] >= 1:
                continue
            value = told.score - _REPEAT_COST * alike[place]
            value += _FRESH_PART * (parts[told.section] not in represented)
            if value > worth:
                best, worth = place, value
        if best < 0:
            break
        taken.append(best)
        for place, told in enumerate(listed):
            meant = float(rows[place] @ rows[best]) if rows is not None else 0.0
            same = meant >= _SAME_MEANING or _overlap(told.words, listed[best].words) >= _SAME_WORDS
            alike[place] = 1.0 if same else max(alike[place], meant)
    return sorted((listed[place] for place in taken), key=lambda told: told.order)


def parts(sections: Sequence[Section], count: int) -> list[int]:
    """To which of at most `count` parts of about one size each section counts."""
    whole = sum(section.size for section in sections) or 1
    numbers, before = [], 0
    for section in sections:
        # A section counts to the part that its middle lies in.
        numbers.append(min(count - 1, int((before + section.size / 2) * count / whole)))
        before += section.size
    return numbers


def _section_words(every: Sequence[Told], count: int) -> list[set[str]]:
    found: list[set[str]] = [set() for _ in range(count)]
    for told in every:
        found[told.section] |= told.words
    return found


def _placed(told: Told, opening: float) -> float:
    headed = frozenset(content_words((told.passage.heading or "").rsplit(" › ", 1)[-1]))
    worth = _POSITION_WEIGHT * told.first + opening * max(0.0, 1 - told.order / _OPENING)
    return worth + (_HEADING_WEIGHT * len(headed & told.words) / len(headed) if headed else 0.0)


def _worded(told: Told) -> float:
    worth = _CUE_WEIGHT * (_CUES.search(told.text) is not None)
    worth += _FIGURE_WEIGHT * (_FIGURE.search(told.text) is not None)
    worth += _MONEY_WEIGHT * (_MONEY.search(told.text) is not None)
    worth -= _LEANING_COST * bool(_LEANS.match(told.text) or _CASE.match(told.text))
    worth -= _UNFINISHED_COST * (told.text[-1] not in ".!。")
    return worth - _LONG_COST * (len(told.text.split()) > _LONG_WORDS)


def _stands_alone(text: str) -> bool:
    words = text.split()
    real = len(_REAL_WORD.findall(text))
    # Formulas and rows of a table are no sentences, whatever stands at their end.
    if (
        real < max(_LEAST_WORDS, _REAL_SHARE * len(words))
        or len(words) > _MOST_WORDS
        or text[-1] in "?:,"
        or text[0].islower()
    ):
        return False
    letters = sum(character.isalpha() for character in text)
    return letters >= _LEAST_LETTERS * len(text.replace(" ", "")) and _NO_SENTENCE.search(text) is None


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(1, min(len(one), len(other)))
