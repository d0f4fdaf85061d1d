"""How passages found by words and by meaning become one order.

BM25 and cosine, each divided by its best value, are added with one weight: a sum keeps how much
better one passage is than the next, where ranks alone do not (Bruch, Gai, Ingber 2023). Then what the
first passages say, their telling words (RM3: Lavrenko, Croft 2001) and the direction of their vectors
(Rocchio 1971), orders the rest of the pool, but the first passage stays first: there such feedback
costs more than it brings (measured on tests/evaluation/pages: the right page first for 12 questions
fewer in a hundred). How telling a word is, is judged within the pool, so the cost is the same in any
library.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.backend.ask.wording import STOP_WORDS, stem

Vector = NDArray[np.float32]

# BM25 within the pool, with the parameters that FTS5 has.
_K1, _B = 1.2, 0.75
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Ranking:
    """The weights; the defaults are what is shipped.

    `meaning`: the part of the cosine, BM25 having the rest. Of the first `pool` passages, `kept` stay
    where they are and `models` say what else belongs to the question: their best `terms` words get
    `share` of the weight of all words, their vectors `pull` where the question's own has 1.
    """

    meaning: float = 0.65
    pool: int = 100
    kept: int = 1
    models: int = 5
    terms: int = 20
    share: float = 0.5
    pull: float = 0.6


def combined(
    worded: Mapping[int, float], near: Mapping[int, float], ranking: Ranking
) -> list[tuple[int, float]]:
    """(id, score), best first, of every passage in one of the two; equal ones by id."""
    best_worded = max(worded.values(), default=0.0)
    best_near = max(near.values(), default=0.0)
    scores = {
        number: (
            (1 - ranking.meaning) * _part(worded.get(number, 0.0), best_worded)
            + ranking.meaning * _part(near.get(number, 0.0), best_near)
        )
        for number in worded.keys() | near.keys()
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def with_feedback(
    question: str,
    vector: Vector | None,
    *,
    texts: Sequence[str],
    scores: Sequence[float],
    vectors: Sequence[Vector | None],
    ranking: Ranking,
) -> list[int]:
    """The places of the pool's passages in their new order; the first `kept` stay.

    Args:
        vector: of the question, unit length; None: without a model.
        scores: those of `combined`, best first; `texts` and `vectors` go with them.
    """
    places = list(range(len(texts)))
    trust = np.asarray(scores[: ranking.models], np.float64)
    if len(texts) <= ranking.kept or not len(trust) or trust.sum() <= 0:
        return places
    trust /= trust.sum()
    again = (1 - ranking.meaning) * _words(question, [_stems(text) for text in texts], trust, ranking)
    known = [place for place in places if vectors[place] is not None]
    if vector is not None and known:
        rows = np.stack([row for row in vectors if row is not None])
        trusted = [(row, part) for row, part in zip(vectors, trust, strict=False) if row is not None]
        middle = sum((part * row for row, part in trusted), np.zeros_like(vector))
        near = np.clip(rows @ (vector + ranking.pull * middle), 0, None)
        again[known] += ranking.meaning * near / (float(near.max()) or 1.0)
    return places[: ranking.kept] + sorted(places[ranking.kept :], key=lambda place: -again[place])


def _words(
    question: str, pool: Sequence[Counter[str]], trust: NDArray[np.float64], ranking: Ranking
) -> NDArray[np.float64]:
    """BM25 of the question's words and those that the first passages add, the best one being 1."""
    held_by = Counter(word for counts in pool for word in counts)
    telling = {word: math.log(1 + (len(pool) - held + 0.5) / (held + 0.5)) for word, held in held_by.items()}
    added: dict[str, float] = {}
    for part, counts in zip(trust, pool, strict=False):
        length = counts.total() or 1
        for word, count in counts.items():
            added[word] = added.get(word, 0.0) + part * count / length * telling[word]
    chosen = sorted(added.items(), key=lambda item: (-item[1], item[0]))[: ranking.terms]
    weight = sum(value for _, value in chosen) or 1.0
    query = {word: ranking.share * value / weight for word, value in chosen}
    asked = [word for word in _stems(question) if word in telling]
    for word in asked:
        query[word] = query.get(word, 0.0) + (1 - ranking.share) / len(asked)
    lengths = np.asarray([counts.total() for counts in pool], np.float64)
    norms = _K1 * (1 - _B + _B * lengths / (lengths.mean() or 1.0))
    scores = np.zeros(len(pool))
    for word, value in query.items():
        counted = np.asarray([counts[word] for counts in pool], np.float64)
        scores += value * telling[word] * counted * (_K1 + 1) / (counted + norms)
    return scores / (scores.max() or 1.0)


def _part(value: float, best: float) -> float:
    return max(0.0, value) / best if best > 0 else 0.0


def _stems(text: str) -> Counter[str]:
    return Counter(_stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS)


# The words of one library repeat; stemming is most of the work.
_stem = lru_cache(maxsize=65_536)(stem)
