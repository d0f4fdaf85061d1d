"""The sentences of the passages found that most likely answer the question.

A very small model is a poor reader of pages: it answers from one or two sentences or not at all.
So its reading is done for it here: each sentence is scored by its meaning (cosine with the
question), its rarer words in common with the question, the rank of its passage, and whether it
holds the kind of thing asked for (a number, a date, a name).
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.backend.ask.candidates import Candidate
from app.backend.ask.retrieval import Vector
from app.backend.ask.sentences import is_heading, split
from app.backend.ask.wording import content_words, wording

_WORDS_WEIGHT = 0.5
_PASSAGE_WEIGHT = 0.5
_KIND_WEIGHT = 0.2
_RANK_COST = 0.02
# A word that stands in the heading above counts as if it were half in the sentence.
_HEADING_SHARE = 0.5
# A word of the question before counts less than one of the question.
_EARLIER_SHARE = 0.4
_SHORTEST = 3

_SIZE = re.compile(
    r"\bhow (?:big|large|small|wide|tall|high)\b|\b(?:what|which) (?:size|area)\b", re.IGNORECASE
)
_MEASURE = re.compile(
    r"\d\s?(?:m²|m³|m2|km|cm|mm|m|ft|ha|[kMGT]B|square|cubic|sq|met(?:re|er)s?|feet|foot|inch(?:es)?|acres?"
    r"|hectares?|kilomet(?:re|er)s?|miles?|pages?|people|employees)\b|\d\s?m[²³]",
    re.IGNORECASE,
)
_QUANTITY = re.compile(
    r"\bhow (?:much|many|long|old|far|often|heavy|late|early)\b"
    r"|\b(?:what|which) (?:is |are |was |were )?(?:the )?(?:\w+ )?"
    r"(?:amount|price|cost|number|sum|rate|percentage|length|fee|rent|deposit|salary)\b"
    r"|\bwhat (?:does|do|did) .* cost\b",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\bwhen\b|\b(?:what|which) (?:date|day|month|year|time|hours)\b|\bwhat are the .*hours\b", re.IGNORECASE
)
_PERSON = re.compile(r"\bwho(?:m|se)?\b|\bname of\b", re.IGNORECASE)
_PLACE = re.compile(r"\bwhere\b|\baddress\b|\bin which (?:city|town|country|street|place)\b", re.IGNORECASE)
_DATE = re.compile(
    r"\b(?:jan(?:uary)?|feb(?:ruary)?|march|april|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?"
    r"|nov(?:ember)?|dec(?:ember)?)\b|\b(?-i:May)\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b"
    r"|\b(?:day|week|month|year|noon|midnight|o['’]clock|morning|evening|immediately|end of)\b"
    r"|\d{1,2}[:.]\d{2}|\b(?:19|20)\d\d\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"\b[A-ZÄÖÜ][\w'’.-]+(?: (?:von|van|de|der|di|da))? [A-ZÄÖÜ][\w'’-]+")
_PROPER = re.compile(r"(?<=[\w,;] )[A-ZÄÖÜ][\w'’-]{2,}")


@dataclass(frozen=True, slots=True)
class Extract:
    """A sentence of a candidate's passage: candidates[candidate].passage.text[start:end].

    `similarity`: cosine with the question, 0 where unknown.
    """

    candidate: int
    start: int
    end: int
    text: str
    score: float
    similarity: float = 0.0


def sentences(candidates: Sequence[Candidate]) -> list[Extract]:
    """Every sentence of the candidates that says something (no headings, no running heads), unscored.

    `text` has the line ends of the page taken out.
    """
    found = []
    for number, candidate in enumerate(candidates):
        passage = candidate.passage
        for start, end in split(passage.text, wrapped=True):
            text = " ".join(passage.text[start:end].split())
            if len(text.split()) < _SHORTEST or is_heading(text, passage.heading):
                continue
            found.append(Extract(number, start, end, text, 0.0))
    return found


def ranked(
    question: str,
    candidates: Sequence[Candidate],
    extracts: Sequence[Extract],
    similarities: Sequence[float],
    *,
    earlier: str | None = None,
) -> list[Extract]:
    """The extracts with their scores, best first.

    Args:
        similarities: cosine of each extract with the question; zeros where unknown.
        earlier: the question before, where this one leans on it.
    """
    asked = frozenset(content_words(question))
    leant_on = frozenset(content_words(earlier or "")) - asked
    asked |= leant_on
    worded = [frozenset(content_words(extract.text)) for extract in extracts]
    headed = [frozenset(content_words(candidate.passage.heading or "")) for candidate in candidates]
    counts = Counter(word for words in worded for word in words)
    weights = {word: math.log(1 + len(extracts) / (1 + counts[word])) for word in asked}
    for word in leant_on:
        weights[word] *= _EARLIER_SHARE
    whole = sum(weights.values()) or 1.0
    # "And the deposit?" asks for what the question before asked for.
    kind = _kind(question) or _kind(earlier or "")
    scored = []
    for extract, words, similarity in zip(extracts, worded, similarities, strict=True):
        candidate = candidates[extract.candidate]
        common = sum(weights[word] for word in asked & words)
        common += _HEADING_SHARE * sum(weights[word] for word in (asked & headed[extract.candidate]) - words)
        score = similarity + _WORDS_WEIGHT * common / whole
        score += _PASSAGE_WEIGHT * candidate.similarity - _RANK_COST * extract.candidate
        score += _KIND_WEIGHT * (kind is not None and kind(extract.text))
        scored.append(Extract(extract.candidate, extract.start, extract.end, extract.text, score, similarity))
    return sorted(scored, key=lambda extract: -extract.score)


def cosines(vector: Vector, vectors: Sequence[Vector]) -> list[float]:
    """Cosine of each of `vectors` with `vector`; all have unit length."""
    if not vectors:
        return []
    return [float(value) for value in np.stack(vectors) @ vector]


def fits(question: str, sentence: str) -> bool:
    """Whether the sentence holds the kind of thing the question asks for."""
    kind = _kind(question)
    return kind is not None and kind(sentence)


def _kind(question: str) -> Callable[[str], bool] | None:
    """The test for what the question asks for; None if it is no such question."""
    if _SIZE.search(question):
        return lambda sentence: _MEASURE.search(sentence) is not None
    if _QUANTITY.search(question):
        return lambda sentence: bool(wording(sentence).numbers)
    if _TIME.search(question):
        return lambda sentence: _DATE.search(sentence) is not None
    if _PERSON.search(question):
        return lambda sentence: _NAME.search(sentence) is not None
    if _PLACE.search(question):
        return lambda sentence: _PROPER.search(sentence) is not None
    return None
