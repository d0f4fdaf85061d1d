"""A ranking measured over a set of queries, as one row of a table."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import mean

from cranfield import Query
from library import Library
from measures import hit, ndcg, percentile, reciprocal_rank

from app.backend.ask.ranking import Ranking
from app.records import Passage

# So many passages are asked for; several of one document count once, at the first one's place.
_PASSAGES = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; the two times in milliseconds, without embedding the query."""

    name: str
    queries: int
    ndcg_10: float
    hit_1: float
    hit_5: float
    mrr: float
    p50_ms: float
    p95_ms: float


async def measured(
    shelf: Library,
    name: str,
    ranking: Ranking,
    queries: Sequence[Query],
    named: Callable[[Passage], str],
) -> Row:
    """Ask every query; `named` says what of a passage is judged: its document, or its page."""
    retriever = shelf.retriever(ranking)
    rankings, times = [], []
    for query in queries:
        found = await retriever.find(shelf.user, query.text, k=_PASSAGES)
        rankings.append(list(dict.fromkeys(named(candidate.passage) for candidate in found.candidates)))
        times.append(found.search_ms)
    pairs = [(order, query.relevant) for order, query in zip(rankings, queries, strict=True)]
    return Row(
        name=name,
        queries=len(queries),
        ndcg_10=mean(ndcg(*pair, 10) for pair in pairs),
        hit_1=mean(hit(*pair, 1) for pair in pairs),
        hit_5=mean(hit(*pair, 5) for pair in pairs),
        mrr=mean(reciprocal_rank(*pair) for pair in pairs),
        p50_ms=percentile(times, 0.5),
        p95_ms=percentile(times, 0.95),
    )


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    names = [field.name for field in dataclasses.fields(Row)]
    lines = [" | ".join(names), " | ".join("---" for _ in names)]
    lines += [" | ".join(_shown(getattr(row, name)) for name in names) for row in rows]
    return "\n".join(f"| {line} |" for line in lines)


def _shown(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
