"""Ties each finished sentence of an answer to the passage it rests on, or to none.

A sentence rests on a stretch of a passage (one sentence, or a few that follow each other) when
enough of its content words are there, every number in it is there, and the two do not disagree on
whether something is denied. Words that only echo the question count half: an answer has to bring
something from the page. Nothing here knows a model: what it says is what a careful reader with a
marker could check.
"""

import bisect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.backend.ask.marks import Mark
from app.backend.ask.sentences import SentenceStream, Span, is_heading, split
from app.backend.ask.wording import Number, Wording, content_words, wording
from app.records import Citation, Source

# Share of a sentence's weight that has to be found. From tests/backend/ask/test_grounding.py.
SUPPORTED_FROM = 0.6
_ECHO_WEIGHT = 0.5
_NUMBER_WEIGHT = 1.5
_LONGEST_STRETCH = 3
# What each further sentence of a stretch costs, so that the shortest that carries the claim wins.
_STRETCH_COST = 0.04
_MARKED_BONUS = 0.1
# A stem of at least this length also agrees with a longer word that begins with it.
_PREFIX_STEM = 5

_REFUSAL = re.compile(
    r"\bi (?:do not|don['’]t|cannot|can['’]t|could not|couldn['’]t) (?:know|find|answer|see|tell|determine)"
    r"|\b(?:do|does|did|is|are|was) ?n[o'’]t (?:\w+ )?"
    r"(?:mention|state|say|specif|contain|provide|include|stated|given|mentioned|specified|provided)"
    r"|\bno information|\bnot (?:found )?in (?:the|your) (?:context|documents?|passages?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Support:
    """How well a stretch of a source's passage carries a sentence. Offsets into the passage."""

    source: int
    start: int
    end: int
    score: float
    supported: bool


@dataclass(frozen=True, slots=True)
class _Stretch:
    source: int
    start: int
    end: int
    length: int
    wording: Wording
    prefixes: tuple[str, ...]
    titles: frozenset[str]


class Evidence:
    """The passages a model has read, cut into stretches that a sentence can be compared with."""

    def __init__(self, sources: Iterable[Source], question: str) -> None:
        self._echo = frozenset(content_words(question))
        self._stretches = [stretch for source in sources for stretch in _stretches(source)]

    def support(self, sentence: str, marked: Sequence[int] = (), *, strict: bool = False) -> Support | None:
        """The stretch that carries `sentence` best, preferring the sources it was `marked` with.

        With `strict` one sentence of the passage has to carry it all: every content word stands
        there or in the question, no number is said more often than there, and the question has
        a word in common with it. None when the sentence makes no claim that could be compared
        ("I don't know.", "Namely:").
        """
        if not sentence.strip() or sentence.rstrip(" *_").endswith((":", "?")) or _REFUSAL.search(sentence):
            return None
        said = wording(sentence)
        best: Support | None = None
        for stretch in self._stretches:
            if strict and stretch.length > 1:
                continue
            share, agrees = self._compare(said, stretch, strict=strict)
            rank = share - _STRETCH_COST * (stretch.length - 1)
            if stretch.source in marked:
                rank += _MARKED_BONUS
            supported = agrees and share >= SUPPORTED_FROM
            found = Support(stretch.source, stretch.start, stretch.end, rank, supported)
            if best is None or (found.supported, found.score) > (best.supported, best.score):
                best = found
        return best or Support(0, 0, 0, 0.0, supported=False)

    def _compare(self, said: Wording, stretch: _Stretch, *, strict: bool) -> tuple[float, bool]:
        """The share of the sentence's weight found in the stretch, and whether nothing contradicts."""
        weight = found = 0.0
        brought = foreign = False
        for word in said.words:
            echo = word in self._echo
            worth = _ECHO_WEIGHT if echo else 1.0
            weight += worth
            if _has(stretch, word):
                found += worth
                brought = brought or not echo
            elif word in stretch.titles:
                found += worth
            elif not echo:
                foreign = True
        there = stretch.wording.numbers + stretch.wording.loose
        numbers_agree = True
        for number in said.numbers:
            weight += _NUMBER_WEIGHT
            if _stands(number, there):
                found += _NUMBER_WEIGHT
                brought = True
            else:
                numbers_agree = False
        if not weight:
            return 0.0, False
        # A sentence that only repeats the question says nothing a strict reader would accept.
        only_echo = not strict and not said.numbers and all(word in self._echo for word in said.words)
        agrees = numbers_agree and (brought or only_echo) and not _disagree(said, stretch.wording)
        if strict:
            agrees = agrees and not foreign and not _repeats(said.numbers, there) and self._asked_of(stretch)
        return found / weight, agrees

    def _asked_of(self, stretch: _Stretch) -> bool:
        """Whether the question is about this stretch at all: a word of it stands there or above."""
        return not self._echo or any(_has(stretch, word) or word in stretch.titles for word in self._echo)


class Grounding:
    """Checks the sentences of one answer while it streams."""

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._sentences = SentenceStream()

    @property
    def text(self) -> str:
        """The answer so far, as shown."""
        return self._sentences.text

    def feed(self, text: str, marks: Sequence[Mark] = ()) -> tuple[Citation, ...]:
        """Take the next piece of the shown text; return the checks of sentences that ended.

        `marks`: all the marks the model has written so far, in order.
        """
        return self._check(self._sentences.feed(text), marks)

    def finish(self, marks: Sequence[Mark] = ()) -> tuple[Citation, ...]:
        """There is no more text: check what is left."""
        return self._check(self._sentences.finish(), marks)

    def _check(self, spans: list[Span], marks: Sequence[Mark]) -> tuple[Citation, ...]:
        return tuple(
            citation for start, end in spans if (citation := self._citation(start, end, marks)) is not None
        )

    def _citation(self, start: int, end: int, marks: Sequence[Mark]) -> Citation | None:
        first = bisect.bisect_right(marks, start, key=lambda mark: mark.at)
        last = bisect.bisect_right(marks, end, key=lambda mark: mark.at)
        support = self._evidence.support(self.text[start:end], [mark.number for mark in marks[first:last]])
        if support is None:
            return None
        if not support.supported:
            return Citation(start, end, "unsupported", None, None, None)
        return Citation(start, end, "supported", support.source, support.start, support.end)


def _stretches(source: Source) -> list[_Stretch]:
    text = source.passage.text
    heading = source.passage.heading
    every = split(text, wrapped=True)
    spans = [span for span in every if not is_heading(text[slice(*span)], heading)] or every
    # What a passage stands under is said of each of its sentences.
    above = [text[slice(*span)] for span in every if span not in spans]
    titles = frozenset(word for title in (*above, heading or "") for word in content_words(title))
    stretches = []
    for first in range(len(spans)):
        for last in range(first, min(first + _LONGEST_STRETCH, len(spans))):
            start, end = spans[first][0], spans[last][1]
            reduced = wording(text[start:end])
            prefixes = tuple(sorted(word for word in reduced.words if len(word) >= _PREFIX_STEM))
            stretches.append(_Stretch(source.number, start, end, last - first + 1, reduced, prefixes, titles))
    return stretches


def _has(stretch: _Stretch, word: str) -> bool:
    if word in stretch.wording.words:
        return True
    if len(word) < _PREFIX_STEM:
        return False
    at = bisect.bisect_left(stretch.prefixes, word)
    if at < len(stretch.prefixes) and stretch.prefixes[at].startswith(word):
        return True
    return any(word.startswith(prefix) for prefix in stretch.prefixes)


def _stands(number: Number, there: Sequence[Number]) -> bool:
    """Whether the number is in the passage; with its unit, where the passage counts in that unit."""
    alike = [other for other in there if other.values & number.values]
    if not alike:
        return False
    if number.unit is None or all(other.unit != number.unit for other in there):
        return True
    return any(other.unit == number.unit for other in alike)


def _repeats(said: Sequence[Number], there: Sequence[Number]) -> bool:
    """Whether a number is said more often than it stands there."""
    return any(
        sum(1 for other in said if other.values & number.values)
        > sum(1 for other in there if other.values & number.values)
        for number in said
    )


def _disagree(said: Wording, passage: Wording) -> bool:
    if said.denies:
        return not (passage.denies or passage.conditional)
    return passage.denies and not passage.conditional
