"""How passages found by words and by meaning become one order.

Two rounds. First, BM25 and cosine, each divided by its best value, are added (a convex combination
keeps how much better one passage is than the next; ranks alone do not: Bruch, Gai, Ingber 2023). Of
the best ones, the pool, the first few say what else belongs to the question: their telling words
(RM3: Lavrenko, Croft 2001) and the direction of their vectors (Rocchio 1971). The pool is then ordered
by all four. Only the pool is read, so the second round costs the same in any library; how telling a
word is, is judged within the pool, too. What each part brings: `tests/evaluation/run.py --parts`.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

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

    `first_meaning`: the part of the cosine in the first round, BM25 having the rest. In the second,
    `meaning` weighs the question's own cosine, `feedback_words` and `feedback_meaning` the question
    together with what was found first. `pool`: how many passages see the second round; `models`: how
    many of them are taken for answers; `terms`: how many of their words are added, with `share` of the
    weight of all words.
    """

    first_meaning: float = 0.5
    meaning: float = 0.4
    feedback_words: float = 0.3
    feedback_meaning: float = 0.5
    pool: int = 200
    models: int = 12
    terms: int = 20
    share: float = 0.5


PARTS: Mapping[str, Ranking] = MappingProxyType(
    {
        "any feedback": Ranking(models=0),
        "feedback by words": Ranking(feedback_words=0.0),
        "feedback by meaning": Ranking(feedback_meaning=0.0),
        "the question's own meaning": Ranking(meaning=0.0),
    }
)


def combined(
    worded: Mapping[int, float], near: Mapping[int, float], ranking: Ranking
) -> list[tuple[int, float]]:
    """The first round: (id, score), best first, of every passage in one of the two; equal ones by id."""
    best_worded = max(worded.values(), default=0.0)
    best_near = max(near.values(), default=0.0)
    scores = {
        number: (
            (1 - ranking.first_meaning) * _part(worded.get(number, 0.0), best_worded)
            + ranking.first_meaning * _part(near.get(number, 0.0), best_near)
        )
        for number in worded.keys() | near.keys()
    }
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))


def with_feedback(
    question: str,
    vector: Vector | None,
    *,
    texts: Sequence[str],
    first: Sequence[float],
    vectors: Sequence[Vector | None],
    ranking: Ranking,
) -> list[float]:
    """The second round: a score between 0 and 1 for each passage of the pool.

    Args:
        vector: of the question, unit length; None: without a model.
        first: the scores of the first round, best first; `texts` and `vectors` go with it.
    """
    models = min(ranking.models, len(texts))
    trust = np.asarray(first[:models], np.float64)
    if not models or trust.sum() <= 0:
        return list(first)
    trust /= trust.sum()
    # A passage without a vector keeps what the first round gave it.
    own = np.asarray(first, np.float64)
    meant = own.copy()
    known = [place for place, row in enumerate(vectors) if row is not None]
    if vector is not None and known:
        rows = np.stack([row for row in vectors if row is not None])
        own[known] = _cosines(rows, vector)
        first_ones = [count for count, place in enumerate(known) if place < models]
        middle = np.asarray([trust[known[count]] for count in first_ones]) @ rows[first_ones]
        meant[known] = _cosines(rows, vector + middle)
    worded = _feedback_words(question, [_stems(text) for text in texts], trust, ranking)
    scores = ranking.meaning * own + ranking.feedback_words * worded + ranking.feedback_meaning * meant
    total = ranking.meaning + ranking.feedback_words + ranking.feedback_meaning
    return [float(score) for score in scores / total]


def _cosines(rows: NDArray[np.float32], towards: Vector) -> NDArray[np.float64]:
    """How near each unit row is to a direction, the nearest being 1, and 0 what is turned away."""
    near: NDArray[np.float64] = np.clip(rows @ towards, 0, None).astype(np.float64)
    best = float(near.max()) or 1.0
    return np.divide(near, best)


def _feedback_words(
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
    scores = np.asarray(
        [
            sum(
                value * telling[word] * counts[word] * (_K1 + 1) / (counts[word] + norm)
                for word, value in query.items()
                if word in counts
            )
            for counts, norm in zip(pool, norms, strict=True)
        ],
        np.float64,
    )
    return scores / (scores.max() or 1.0)


def _part(value: float, best: float) -> float:
    return max(0.0, value) / best if best > 0 else 0.0


def _stems(text: str) -> Counter[str]:
    return Counter(_stem(word) for word in _WORD.findall(text.lower()) if word not in STOP_WORDS)


# The words of one library repeat; stemming is most of the work.
_stem = lru_cache(maxsize=65_536)(stem)
