"""How good a ranking and a check are: hit@k, MRR, nDCG@k and AUROC, as the literature defines them."""

import math
import statistics
from collections import defaultdict
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


def auroc(positive: Sequence[float], negative: Sequence[float]) -> float:
    """The share of pairs in which the positive one has the higher score; ties count half."""
    ranked = sorted([(score, True) for score in positive] + [(score, False) for score in negative])
    ranks: dict[float, list[int]] = defaultdict(list)
    for rank, (score, _) in enumerate(ranked, 1):
        ranks[score].append(rank)
    total = sum(statistics.fmean(ranks[score]) for score in positive)
    return (total - len(positive) * (len(positive) + 1) / 2) / (len(positive) * len(negative))


def _gained(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains, start=1))
