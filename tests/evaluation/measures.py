"""The measures that ship with the program, under the name that the runners here know."""

from app.backend.evaluation.measures import auroc, hit, ndcg, percentile, reciprocal_rank

__all__ = ["auroc", "hit", "ndcg", "percentile", "reciprocal_rank"]
