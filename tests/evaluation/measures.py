"""How good a ranking is: hit@k, MRR and nDCG@k, as the literature defines them."""

import math
from collections.abc import Mapping, Sequence


def hit(ranking: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """1.0 if one of the first `k` is relevant."""
    return float(any(relevant.get(name, 0) > 0 for name in ranking[:k]))


def reciprocal_rank(ranking: Sequence[str], relevant: Mapping[str, float]) -> float:
    """1 / the rank of the first relevant one; 0.0 without any."""
    return next((1 / rank for rank, name in enumerate(ranking, start=1) if relevant.get(name, 0) > 0), 0.0)


def ndcg(ranking: Sequence[str], relevant: Mapping[str, float], k: int) -> float:
    """Discounted cumulative gain of the first `k` (Järvelin, Kekäläinen 2002), 1.0 for the best order.

    Args:
        relevant: the gain of each; whatever is not named gains nothing.
    """
    best = _gained(sorted(relevant.values(), reverse=True)[:k])
    return _gained([relevant.get(name, 0.0) for name in ranking[:k]]) / best if best else 0.0


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of the values do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _gained(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
