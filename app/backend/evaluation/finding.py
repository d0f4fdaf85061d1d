"""How well passages are found, over a library's own questions or the queries of a public set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean

from app.backend.evaluation.measures import hit, ndcg, percentile, reciprocal_rank
from app.evaluation import Measure


@dataclass(slots=True)
class Finding:
    """Rankings so far: what was found for each question by name, best first, and the gains.

    Attributes:
        times: milliseconds of each search, embedding the question included.
    """

    pairs: list[tuple[Sequence[str], Mapping[str, float]]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def add(self, ranking: Sequence[str], relevant: Mapping[str, float], milliseconds: float) -> None:
        """One more question."""
        self.pairs.append((ranking, relevant))
        self.times.append(milliseconds)

    @property
    def ranks(self) -> list[int | None]:
        """The place of the first relevant one, from 1, for each question; None where there is none."""
        return [
            next((rank for rank, name in enumerate(ranking, 1) if relevant.get(name, 0) > 0), None)
            for ranking, relevant in self.pairs
        ]

    def measures(self) -> tuple[Measure, ...]:
        """hit@1, hit@5, MRR, nDCG@10 and the time of a search."""
        count = len(self.pairs)
        if not count:
            return tuple(Measure("finding", name, None, 0) for name in ("hit@1", "hit@5", "MRR", "nDCG@10"))
        return (
            Measure("finding", "hit@1", mean(hit(*pair, 1) for pair in self.pairs), count),
            Measure("finding", "hit@5", mean(hit(*pair, 5) for pair in self.pairs), count),
            Measure("finding", "MRR", mean(reciprocal_rank(*pair) for pair in self.pairs), count),
            Measure("finding", "nDCG@10", mean(ndcg(*pair, 10) for pair in self.pairs), count),
            Measure("speed", "search, median", percentile(self.times, 0.5), count, "ms"),
            Measure("speed", "search, 95 %", percentile(self.times, 0.95), count, "ms"),
        )
