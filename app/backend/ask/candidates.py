"""Which of the passages found become sources: nothing twice, no document alone, neighbours as one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.records import Passage

# Two passages that share this part of the shorter one are one source.
_SAME_SHARE = 0.6
# Of the sources, one document has this part at most, as long as others fit at least half as well.
_FAIR_SHARE = 0.5
_FITS = 0.5
# Neighbours are one source up to so many characters, about two passages; between them are only blanks.
_LONGEST_JOINED = 1_600
_WIDEST_GAP = 8


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


def joined(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Passages that follow each other under one heading of a page as one, at the better one's place.

    It has the id of that one; offsets are still those of the page.
    """
    kept: list[Candidate] = []
    for candidate in candidates:
        for place, other in enumerate(kept):
            if (whole := _as_one(other, candidate)) is not None:
                kept[place] = whole
                break
        else:
            kept.append(candidate)
    return kept


def _as_one(better: Candidate, other: Candidate) -> Candidate | None:
    first, second = sorted((better.passage, other.passage), key=lambda passage: passage.start)
    one_place = (first.document_id, first.page, first.heading) == (
        second.document_id,
        second.page,
        second.heading,
    )
    gap = second.start - first.end
    if not one_place or not 0 <= gap <= _WIDEST_GAP or second.end - first.start > _LONGEST_JOINED:
        return None
    text = f"{first.text}{chr(10) * gap}{second.text}"
    passage = replace(better.passage, start=first.start, end=second.end, text=text)
    also = tuple(name for name in better.also if name in other.also)
    return replace(better, passage=passage, similarity=max(better.similarity, other.similarity), also=also)


def _seen_again(candidate: Candidate, name: str) -> Candidate:
    if name == candidate.passage.document_name or name in candidate.also:
        return candidate
    return replace(candidate, also=(*candidate.also, name))


def _overlap(one: Passage, other: Passage) -> bool:
    if (one.document_id, one.page) != (other.document_id, other.page):
        return False
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > _SAME_SHARE * min(one.end - one.start, other.end - other.start)
