"""What a text denies, clause by clause: two texts disagree where one asserts what the other denies.

A denial reaches as far as its clause: "takes 35 minutes and does not dry the dishes" does not deny
the 35 minutes. Two clauses that speak of the same have the same number of denials, odd or even,
unless another word makes up for it: "is forbidden" for "must not", "at most" for "no more than".
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DENIALS = _listed("not no never none nobody nothing neither nor cannot kein keine nicht")
# Each stands for a "not" of the other text.
_REFUSALS = _listed(
    """
    prohibited prohibits prohibit forbidden forbid forbids refuse refused refuses rejected reject rejects
    declined avoid avoided avoids ban banned bans excluded exclude excludes excluding except unless without
    free ended ends end over closed shut blocked stopped stops stop off waived waive instead rather unable
    lack lacks lacking missing absent away cancelled cancels cancel failed fails only empty still remains
    """
)
# With one of these a denial sets a bound ("no later than"), which the other text may set without one.
_COMPARED = _listed(
    """
    than later longer more less before until earlier fewer narrower younger older higher lower most least
    after
    """
)
_BOUNDS = _listed(
    """
    within least most until under below over above only before after up latest earliest limited limit maximum
    minimum between beyond from ahead
    """
)
_ALLOWED = _listed("allowed permitted may can allows permits")
_CLAUSE = re.compile(r"[,;:.!?–()]|\b(?:and|but|because|which|who|while|so that)\b", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
# A clause of the page is spoken of where this part of its words is said.
_SPOKEN_OF = 0.5


@dataclass(frozen=True, slots=True)
class Clause:
    """One clause: stems of its content words, all its words, and how often it denies."""

    words: frozenset[str]
    plain: frozenset[str]
    denials: int

    @property
    def denies(self) -> bool:
        """Whether it has an open denial, such as "not"."""
        return self.denials > 0


def clauses(text: str, reduce: Callable[[str], Iterable[str]]) -> tuple[Clause, ...]:
    """The clauses of `text`; `reduce` gives the stems of the content words of one."""
    found = []
    for part in _CLAUSE.split(text):
        plain = [word.lower().replace("’", "'") for word in _WORD.findall(part)]
        if not plain:
            continue
        denials = sum(word in _DENIALS or word.endswith("n't") or word.startswith("non") for word in plain)
        cues = frozenset(stem for word in _DENIALS & set(plain) for stem in reduce(word))
        found.append(Clause(frozenset(reduce(part)) - cues, frozenset(plain), denials))
    return tuple(found)


def disagree(said: Iterable[Clause], there: Iterable[Clause]) -> bool:
    """Whether one side denies what the other asserts."""
    said, there = tuple(said), tuple(there)
    if not said or not there:
        return False
    opposite = any(
        _unlike(clause, near) if clause.denies else _forbids(clause, near) or _forbids(near, clause)
        for clause, near in ((clause, _nearest(clause, there)) for clause in said)
    )
    return opposite or any(
        all(_unlike(other, clause) for other in said if other.words & clause.words or not clause.words)
        for clause in there
        if clause.denies and _spoken_of(clause, said)
    )


def shared(said: Iterable[Clause], there: Iterable[Clause]) -> bool:
    """Whether both sides deny something of the same; a "no" about something else says nothing of it."""
    here = [clause for clause in said if _denying(clause)]
    return any(clause.words & other.words for other in there if _denying(other) for clause in here)


def _denying(clause: Clause) -> bool:
    return clause.denies or "without" in clause.plain


def _nearest(clause: Clause, others: tuple[Clause, ...]) -> Clause:
    """The clause that is most like it; of those that are as much, one that agrees with it."""

    def likeness(other: Clause) -> tuple[float, bool]:
        shared = len(other.words & clause.words)
        size = len(other.words) * len(clause.words)
        return (shared * shared / size if size else 0.0), not _unlike(clause, other)

    return max(others, key=likeness)


def _spoken_of(clause: Clause, said: tuple[Clause, ...]) -> bool:
    every = frozenset[str]().union(*(other.words for other in said))
    return len(clause.words & every) >= _SPOKEN_OF * len(clause.words)


def _unlike(said: Clause, there: Clause) -> bool:
    if said.denials % 2 == there.denials % 2:
        return _forbids(said, there) or _forbids(there, said)
    more, fewer = (said, there) if said.denials % 2 else (there, said)
    if (fewer.plain & _REFUSALS) - more.plain:
        return False
    # "no later than two weeks before" for "at least two weeks ahead": neither bound stands on both sides.
    return not ((more.plain & _COMPARED) - fewer.plain and (fewer.plain & _BOUNDS) - more.plain)


def _forbids(one: Clause, other: Clause) -> bool:
    """Whether one forbids what the other allows, both without a "not"."""
    forbidding = one.plain & _listed("forbidden prohibited banned")
    return (
        bool(forbidding)
        and not one.denies
        and not other.denies
        and bool(other.plain & _ALLOWED)
        and not other.plain & (_REFUSALS | _BOUNDS)
    )
