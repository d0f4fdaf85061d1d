"""What two or more documents say of the same matters: sentences that stand against each other.

A matter is a sentence of one document that has a near one in another; the nearer the two are, and the
more of them differs (a number, a name, a word), the more they are worth. What is the same, word for
word, is no difference. Behind the matters comes what only one of the documents speaks of.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.backend.ask.retrieval import Vector
from app.backend.ask.whole.telling import Told
from app.backend.ask.wording import wording

_MATTERS = 5
_ALONE = 1
_SAME_MATTER = 0.5
# So near, and nothing different in it, two sentences say the same.
_SAME = 0.97
_WORTH_WEIGHT = 0.5
_DIFFERS_WORTH = 0.25
_ALONE_BELOW = 0.4


@dataclass(frozen=True, slots=True)
class Side:
    """One document's sentences, and the vector of each; shape (sentences, dimension), unit length."""

    listed: Sequence[Told]
    rows: NDArray[np.float32]

    @classmethod
    def of(cls, listed: Sequence[Told], vectors: Sequence[Vector]) -> "Side":
        return cls(listed, np.stack(vectors) if vectors else np.zeros((0, 1), np.float32))


def compared(sides: Sequence[Side]) -> list[list[Told]]:
    """For each document its sentences, matter by matter in one order; empty where it has none."""
    found: list[list[Told]] = [[] for _ in sides]
    used: list[set[int]] = [set() for _ in sides]
    for _, places in sorted(_matters(sides), key=lambda matter: -matter[0]):
        if len(found[0]) + sum(map(len, found[1:])) >= _MATTERS * len(sides):
            break
        if any(
            place in used[side] or _repeats(sides[side], place, used[side]) for side, place in places.items()
        ):
            continue
        for side, place in places.items():
            used[side].add(place)
            found[side].append(sides[side].listed[place])
    for side in range(len(sides)):
        for place in _alone(sides, side, used[side])[:_ALONE]:
            found[side].append(sides[side].listed[place])
    return found


def _matters(sides: Sequence[Side]) -> list[tuple[float, dict[int, int]]]:
    """Sentences of several documents on one matter, by their places, and what each matter is worth."""
    found = []
    for first, one in enumerate(sides):
        for place, told in enumerate(one.listed):
            places, near, differs = {first: place}, [], False
            for second, other in enumerate(sides):
                if second == first or not len(other.rows):
                    continue
                likeness = other.rows @ one.rows[place]
                best = int(np.argmax(likeness))
                if likeness[best] < _SAME_MATTER or (second < first and places):
                    continue
                different = _differ(told, other.listed[best])
                if likeness[best] >= _SAME and not different:
                    continue
                places[second] = best
                near.append(float(likeness[best]) + _WORTH_WEIGHT * other.listed[best].score)
                differs = differs or different
            if len(places) > 1:
                worth = float(np.mean(near)) + _WORTH_WEIGHT * told.score + _DIFFERS_WORTH * differs
                found.append((worth + 0.1 * len(places), places))
    return found


def _differ(one: Told, other: Told) -> bool:
    """Whether they hold other figures, dates or names: that is what is looked for in a comparison."""
    first, second = wording(one.text), wording(other.text)
    figures = [{number.values for number in each.numbers} for each in (first, second)]
    return figures[0] != figures[1] or first.dates != second.dates or first.codes != second.codes


def _repeats(side: Side, place: int, used: set[int]) -> bool:
    return any(float(side.rows[place] @ side.rows[other]) >= _SAME_MATTER + 0.25 for other in used)


def _alone(sides: Sequence[Side], side: int, used: set[int]) -> list[int]:
    """The sentences of one document on what no other speaks of, the best first."""
    mine = sides[side]
    others = [other.rows for number, other in enumerate(sides) if number != side and len(other.rows)]
    if not others or not len(mine.rows):
        return []
    nearest = (mine.rows @ np.concatenate(others).T).max(axis=1)
    lone = [place for place in range(len(mine.listed)) if place not in used and nearest[place] < _ALONE_BELOW]
    return sorted(lone, key=lambda place: -mine.listed[place].score)
