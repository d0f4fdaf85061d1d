import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.database.codes import CodeTable, code_bytes, codes_of, shortlist


def _random(count, dimension, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def _table(vectors):
    table = CodeTable(vectors.shape[1])
    table.append(codes_of(vectors))
    return table


@pytest.mark.parametrize("dimension", [1, 8, 63, 64, 65, 384, 1_000])
def test_a_distance_counts_the_signs_that_differ(dimension):
    vectors, query = _random(300, dimension), _random(1, dimension, seed=1)[0]

    distances = _table(vectors).distances(query)

    assert codes_of(vectors).shape == (300, code_bytes(dimension))
    assert distances.tolist() == np.sum((vectors > 0) != (query > 0), axis=1).tolist()


def test_more_codes_than_are_compared_at_once_are_all_compared():
    vectors, query = _random(40_000, 64), _random(1, 64, seed=1)[0]

    assert _table(vectors).distances(query).tolist() == np.sum((vectors > 0) != (query > 0), axis=1).tolist()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.booleans(), max_size=40), max_size=8), st.integers(0, 2**32 - 1))
def test_a_table_holds_what_was_appended_and_kept_in_order(parts, seed):
    table, expected = CodeTable(70), np.empty((0, 70), np.float32)
    for number, kept in enumerate(parts):
        added = _random(len(kept), 70, seed=seed + number)
        table.append(codes_of(added))
        expected = np.concatenate([expected, added])
        keep = np.concatenate([np.ones(len(expected) - len(kept), np.bool_), np.asarray(kept, np.bool_)])
        table.keep(keep)
        expected = expected[keep]

    query = _random(1, 70, seed=seed)[0]
    assert len(table) == len(expected)
    assert table.distances(query).tolist() == np.sum((expected > 0) != (query > 0), axis=1).tolist()


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=60), st.integers(1, 70), st.integers(0, 12))
def test_a_shortlist_holds_the_smallest_distances_and_none_that_is_barred(distances, size, most):
    taken = shortlist(np.asarray(distances, np.uint16), size, most).tolist()
    allowed = sorted(distance for distance in distances if distance <= most)

    assert len(taken) >= min(size, len(allowed))
    assert all(distances[place] <= most for place in taken)
    left = [distance for place, distance in enumerate(distances) if place not in taken and distance <= most]
    if taken and left:
        assert max(distances[place] for place in taken) < min(left)
