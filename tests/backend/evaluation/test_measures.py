import math

import pytest

from app.backend.evaluation.measures import auroc, hit, ndcg, percentile, reciprocal_rank

RANKING = ["a", "b", "c", "d"]


def test_a_hit_is_one_of_the_first_k():
    assert (hit(RANKING, {"b": 1.0}, 1), hit(RANKING, {"b": 1.0}, 2)) == (0.0, 1.0)
    assert hit(RANKING, {"b": 0.0}, 4) == 0.0


def test_the_reciprocal_rank_is_that_of_the_first_relevant_one():
    assert reciprocal_rank(RANKING, {"c": 1.0, "d": 1.0}) == pytest.approx(1 / 3)
    assert reciprocal_rank(RANKING, {}) == 0.0


def test_ndcg_is_one_for_the_best_order_and_as_jaervelin_has_it_for_others():
    assert ndcg(["a", "b"], {"a": 3.0, "b": 1.0}, 10) == pytest.approx(1.0)
    worst = 1.0 + 3.0 / math.log2(3)
    assert ndcg(["b", "a"], {"a": 3.0, "b": 1.0}, 10) == pytest.approx(worst / (3.0 + 1.0 / math.log2(3)))
    assert ndcg(["x"] * 10 + ["a"], {"a": 1.0}, 10) == 0.0


def test_a_percentile_is_one_of_the_values():
    assert percentile([5.0, 1.0, 3.0, 2.0, 4.0], 0.5) == 3.0
    assert percentile([5.0, 1.0, 3.0, 2.0, 4.0], 0.95) == 5.0


def test_auroc_is_the_share_of_pairs_in_order():
    assert auroc([3.0, 4.0], [1.0, 2.0]) == 1.0
    assert auroc([1.0], [1.0]) == 0.5
    assert auroc([1.0, 3.0], [2.0]) == 0.5
