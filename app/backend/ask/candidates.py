"""Which of the passages found become sources: nothing twice, and no document alone."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.records import Passage

# Two passages that share this part of the shorter one are one source.
_SAME_SHARE = 0.6
# Of the sources, one document has this part at most, as long as others fit at least half as well.
_FAIR_SHARE = 0.5
_FITS = 0.5


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage found. `score`: 0 to 1, within one question; `similarity`: cosine with it, 0 if unknown.

    `also` are the names of other documents that hold the same text.
    """

    passage: Passage
    score: float
    similarity: float
    also: tuple[str, ...] = ()


def without_repeats(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Only the first of passages that say the same: equal texts, or overlapping spans of a page."""
    kept: dict[str, Candidate] = {}
    for candidate in candidates:
        text = " ".join(candidate.passage.text.split()).casefold()
        if text in kept:
            kept[text] = _seen_again(kept[text], candidate.passage.document_name)
        elif not any(_overlap(candidate.passage, other.passage) for other in kept.values()):
            kept[text] = candidate
    return list(kept.values())


def fair(candidates: Sequence[Candidate], k: int, named: Collection[str] = ()) -> list[Candidate]:
    """The `k` that become sources, best first.

    A document that the question does not name gives up places beyond its share to others that fit.

    Args:
        named: the ids of the documents that the question names.
    """
    share = max(1, round(k * _FAIR_SHARE))
    taken: dict[str, int] = {}
    first, beyond = [], []
    for candidate in candidates:
        document = candidate.passage.document_id
        fits = candidate.score >= _FITS * candidates[0].score
        if document in named or (taken.get(document, 0) < share and fits):
            taken[document] = taken.get(document, 0) + 1
            first.append(candidate)
        else:
            beyond.append(candidate)
    chosen = [*first, *beyond][:k]
    return sorted(chosen, key=lambda candidate: -candidate.score)


def _seen_again(candidate: Candidate, name: str) -> Candidate:
    if name == candidate.passage.document_name or name in candidate.also:
        return candidate
    return replace(candidate, also=(*candidate.also, name))


def _overlap(one: Passage, other: Passage) -> bool:
    if (one.document_id, one.page) != (other.document_id, other.page):
        return False
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > _SAME_SHARE * min(one.end - one.start, other.end - other.start)
