"""What the passages of a prompt carry: the stretch that a sentence rests on, and how far it does.

A sentence rests on a stretch of a passage (one sentence, or a few that follow each other) when
enough of its content words are there and nothing contradicts: every number with its unit, every
date, name and code stands there, and neither side denies what the other asserts. Words that only
echo the question count half: an answer has to bring something from the page. Nothing here knows a
model: what it says is what a careful reader with a marker could check.
"""

import bisect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from app.backend.ask import clauses, contrast, denial, names
from app.backend.ask.sentences import is_heading, split
from app.backend.ask.swaps import Doubt, doubt
from app.backend.ask.wording import Number, Wording, content_words, stem, wording, words_of
from app.records import Source, Verdict

# Shares of a sentence's weight that have to be found. Settled on the tuning half of
# tests/evaluation/grounding.
SUPPORTED_FROM = 0.5
PARTLY_FROM = 0.35
# What a reader asks of the sentences of a model that is not trusted with any.
STRICTLY_FROM = 0.6
_ECHO_WEIGHT = 0.5
_NUMBER_WEIGHT = 1.5
_NAME_WEIGHT = 1.5
_LONGEST_STRETCH = 3
# Who says so many words in a row twice in one sentence goes round in a circle.
_CIRCLE = 4
# What each further sentence of a stretch costs, so that the shortest that carries the claim wins.
_STRETCH_COST = 0.04
_MARKED_BONUS = 0.1
# What a contradiction takes from the score.
_CONTRADICTED = 0.5
# A longer stretch has to carry so much more than the best of its sentences.
_STRETCH_GAIN = 0.1
# Who may and who must is not what a sentence is about; whether is looked at by `denial`.
_MODAL = frozenset(
    map(
        stem,
        (
            "allowed",
            "permitted",
            "permission",
            "forbidden",
            "prohibited",
            "possible",
            "required",
            "must",
            "need",
        ),
    )
)
# A stem of at least this length also agrees with a longer word that begins with it.
_PREFIX_STEM = 5

_REFUSAL = re.compile(
    r"\bi (?:do not|don['’]t|cannot|can['’]t|could not|couldn['’]t) (?:know|find|answer|see|tell|determine)"
    r"|\b(?:documents?|passages?|context|text|pages?|lease|it) (?:do|does|did)(?: not|n['’]t) "
    r"(?:\w+ )?(?:mention|state|say|specif|contain|provide|include)"
    r"|\b(?:is|are|was|were)(?: not|n['’]t) (?:\w+ )?(?:stated|given|mentioned|specified|provided)\b"
    r"|\bno information|\bnot (?:found )?in (?:the|your) (?:context|documents?|passages?)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Support:
    """How well a stretch of a source's passage carries a sentence. Offsets into the passage.

    `doubt`: what of a supported sentence only the meaning of both can settle.
    """

    source: int
    start: int
    end: int
    score: float
    verdict: Verdict
    doubt: Doubt | None = None

    @property
    def supported(self) -> bool:
        return self.verdict == "supported"


@dataclass(frozen=True, slots=True)
class _Stretch:
    """A few sentences of a passage, and what is `above` them: headings, and the document's name."""

    source: int
    first: int
    length: int
    start: int
    end: int
    text: str
    wording: Wording
    prefixes: tuple[str, ...]
    above: Wording
    before: Wording | None


@dataclass(frozen=True, slots=True)
class _Match:
    """`own`: a word or number stands in the stretch itself, not only above it."""

    share: float
    own: bool
    brought: bool
    foreign: bool
    contradicted: bool


class Evidence:
    """The passages a model has read, cut into stretches that a sentence can be compared with."""

    def __init__(self, sources: Iterable[Source], question: str) -> None:
        self._echo = frozenset(content_words(question))
        every = [stretch for source in sources for stretch in _stretches(source)]
        self._stretches = sorted(every, key=lambda stretch: stretch.length)

    def support(self, sentence: str, marked: Sequence[int] = (), *, strict: bool = False) -> Support | None:
        """The stretch that carries `sentence` best, preferring the sources it was `marked` with.

        With `strict` one sentence of the passage has to carry it all: every content word stands
        there or in the question, no number is said more often than there, no run of words twice,
        and the question has a word in common with it. None when the sentence makes no claim that
        could be compared ("I don't know.", "Namely:").
        """
        if not sentence.strip() or sentence.rstrip(" *_").endswith((":", "?")) or _REFUSAL.search(sentence):
            return None
        said = wording(sentence)
        circles = strict and _circles(sentence)
        best: Support | None = None
        carrying: _Stretch | None = None
        alone: dict[tuple[int, int], float] = {}
        for stretch in self._stretches:
            if strict and stretch.length > 1:
                break
            match = self._compare(said, stretch)
            if stretch.length == 1:
                alone[stretch.source, stretch.first] = match.share
            elif match.share < _STRETCH_GAIN + max(
                alone[stretch.source, stretch.first + number] for number in range(stretch.length)
            ):
                continue  # a contradiction does not go away by reading on
            verdict = self._strictly(said, stretch, match, circles) if strict else self._verdict(said, match)
            rank = match.share - _STRETCH_COST * (stretch.length - 1) - _CONTRADICTED * match.contradicted
            if stretch.source in marked:
                rank += _MARKED_BONUS
            found = Support(stretch.source, stretch.start, stretch.end, rank, verdict)
            if best is None or _order(found) > _order(best):
                best, carrying = found, stretch
        if best is None or carrying is None:
            return Support(0, 0, 0, 0.0, "unsupported")
        if best.verdict == "unsupported":
            return best
        start, end = clauses.carrying(carrying.text, frozenset(content_words(sentence)))
        best = replace(best, start=carrying.start + start, end=carrying.start + end)
        if strict or not best.supported:
            return best
        return replace(best, doubt=doubt(sentence, carrying.text, self._echo | carrying.above.words))

    def _verdict(self, said: Wording, match: _Match) -> Verdict:
        # A sentence that only repeats the question brings nothing, and need not; but a heading that
        # names what was asked, such as "Pets", does not say whether they are allowed.
        only_echo = not said.numbers and said.words <= self._echo
        if match.contradicted or not (match.brought or (only_echo and match.own)):
            return "unsupported"
        if match.share >= SUPPORTED_FROM:
            return "supported"
        return "partly" if match.share >= PARTLY_FROM else "unsupported"

    def _strictly(self, said: Wording, stretch: _Stretch, match: _Match, circles: bool) -> Verdict:
        there = stretch.wording.numbers + stretch.wording.loose
        good = (
            match.share >= STRICTLY_FROM
            and match.brought
            and not match.contradicted
            and not match.foreign
            and not _repeats(said.numbers, there)
            and not circles
            and self._asked_of(stretch)
        )
        return "supported" if good else "unsupported"

    def _compare(self, said: Wording, stretch: _Stretch) -> _Match:
        weight = found = 0.0
        own = brought = foreign = False
        for word in said.words - _MODAL:
            echo = word in self._echo
            worth = _ECHO_WEIGHT if echo else 1.0
            weight += worth
            if _has(stretch, word):
                found += worth
                own = True
                brought = brought or not echo
            elif word in stretch.above.words:
                found += worth
            elif not echo:
                foreign = True
        contradicted = False
        for number in said.numbers:
            weight += _NUMBER_WEIGHT
            if _stands(number, stretch.wording.numbers, stretch.wording.loose):
                found += _NUMBER_WEIGHT
                own = brought = True
            elif _stands(number, stretch.above.numbers, ()):
                found += _NUMBER_WEIGHT
            else:
                contradicted = True
        for name in said.names | said.codes:
            weight += _NAME_WEIGHT
            if _named(name, stretch.wording) or _named(name, stretch.above):
                found += _NAME_WEIGHT
            elif stretch.before is None or not _named(name, stretch.before):
                contradicted = True
        contradicted = contradicted or not all(
            any(date.agrees(other) for other in stretch.wording.dates) for date in said.dates
        )
        contradicted = contradicted or denial.disagree(said.clauses, stretch.wording.clauses)
        # "No catalyst was added" brings the "no" to words that only echo the question.
        brought = brought or denial.shared(said.clauses, stretch.wording.clauses)
        contradicted = contradicted or contrast.opposed(said.plain, stretch.wording.plain)
        return _Match(found / weight if weight else 0.0, own, brought, foreign, contradicted)

    def _asked_of(self, stretch: _Stretch) -> bool:
        """Whether the question is about this stretch at all: a word of it stands there or above."""
        return not self._echo or any(
            _has(stretch, word) or word in stretch.above.words for word in self._echo
        )


def _order(found: Support) -> tuple[int, float]:
    return ("unsupported", "partly", "supported").index(found.verdict), found.score


def _stretches(source: Source) -> list[_Stretch]:
    text = source.passage.text
    heading = source.passage.heading
    every = split(text, wrapped=True)
    spans = [span for span in every if not is_heading(text[slice(*span)], heading)] or every
    # What a passage stands under is said of each of its sentences.
    titles = [text[slice(*span)] for span in every if span not in spans]
    above = wording("\n".join((*titles, heading or "", source.passage.document_name)))
    reduced = [wording(text[slice(*span)]) for span in spans]
    stretches = []
    for length in range(1, _LONGEST_STRETCH + 1):
        for first in range(len(spans) - length + 1):
            start, end = spans[first][0], spans[first + length - 1][1]
            said = reduced[first] if length == 1 else wording(text[start:end])
            prefixes = tuple(sorted(word for word in said.words if len(word) >= _PREFIX_STEM))
            before = reduced[first - 1] if first else None
            stretches.append(
                _Stretch(
                    source.number, first, length, start, end, text[start:end], said, prefixes, above, before
                )
            )
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


def _named(name: str, there: Wording) -> bool:
    return name in there.codes or names.stands(name, there.plain)


def _stands(number: Number, there: Sequence[Number], loose: Sequence[Number]) -> bool:
    """Whether the number is in the passage, in its own unit; or counts what it counts there.

    Two units of measure have to be the same one. Where the passage counts in this unit, the number
    has to be one of those that stand before it. `loose`: see `Wording`.
    """
    alike = [other for other in there if other.values & number.values]
    vague = [other for other in loose if other.values & number.values and other.unit == number.unit]
    if number.unit is not None:
        alike += vague
    if not number.measured or not alike:
        return bool(alike)
    if any(other.unit == number.unit for other in alike):
        return True
    counted = any(other.unit == number.unit for other in (*there, *loose))
    return not counted and not any(other.measured for other in alike)


def _circles(sentence: str) -> bool:
    """Whether a run of words is said twice, as small models do that have lost the thread."""
    words = words_of(sentence)
    runs = [tuple(words[at : at + _CIRCLE]) for at in range(len(words) - _CIRCLE + 1)]
    return len(set(runs)) < len(runs)


def _repeats(said: Sequence[Number], there: Sequence[Number]) -> bool:
    """Whether a number is said more often than it stands there."""
    return any(
        sum(1 for other in said if other.values & number.values)
        > sum(1 for other in there if other.values & number.values)
        for number in said
    )
