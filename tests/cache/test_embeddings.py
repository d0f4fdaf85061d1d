import sqlite3

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.cache.embeddings import EmbeddingCache

MODEL = "m" * 64


@pytest.fixture
def cache(tmp_path, clock):
    opened = EmbeddingCache(tmp_path / "embeddings", clock=clock)
    yield opened
    opened.close()


def _vectors(count, dimension=384):
    return np.random.default_rng(0).standard_normal((count, dimension)).astype(np.float32)


def test_a_vector_comes_back_as_it_was(cache):
    vectors = _vectors(3)
    cache.put(MODEL, ["a", "b", "c"], vectors)

    found = cache.get(MODEL, ["c", "unknown", "a"])

    np.testing.assert_array_equal(found[0], vectors[2])
    assert found[1] is None
    np.testing.assert_array_equal(found[2], vectors[0])
    assert found[0].dtype == np.float32
    assert found[0].flags.writeable


def test_another_models_vector_is_not_known(cache):
    cache.put(MODEL, ["a"], _vectors(1))

    assert cache.get("n" * 64, ["a"]) == [None]


def test_a_vector_is_kept_for_a_quarter_of_an_hour(cache, clock):
    cache.put(MODEL, ["a"], _vectors(1))
    clock.ahead = 14 * 60
    assert cache.get(MODEL, ["a"])[0] is not None

    clock.ahead = 15 * 60 + 1

    assert cache.get(MODEL, ["a"]) == [None]


def test_nothing_asked_nothing_found(cache):
    cache.put(MODEL, [], _vectors(0))

    assert cache.get(MODEL, []) == []


def test_texts_and_vectors_must_be_as_many(cache):
    with pytest.raises(ValueError):
        cache.put(MODEL, ["a", "b"], _vectors(1))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE Cache SET value = 'text'",
        "UPDATE Cache SET value = x''",
        "UPDATE Cache SET value = x'0102030405060708090a0b0c'",
        "UPDATE Cache SET value = substr(value, 1, length(value) - 4)",
        "UPDATE Cache SET value = value || x'00'",
        "UPDATE Cache SET mode = 4",
    ],
)
def test_a_changed_row_is_a_miss(cache, tmp_path, tamper, statement):
    cache.put(MODEL, ["a", "b"], _vectors(2))

    assert tamper(tmp_path / "embeddings", statement) == 2

    assert cache.get(MODEL, ["a", "b"]) == [None, None]


def test_another_rows_vector_is_a_miss(cache, tmp_path, tamper):
    cache.put(MODEL, ["a", "b"], _vectors(2))

    tamper(
        tmp_path / "embeddings",
        "UPDATE Cache SET value = (SELECT value FROM Cache ORDER BY rowid DESC) WHERE rowid = 1",
    )

    assert [vector is None for vector in cache.get(MODEL, ["a", "b"])] == [True, False]


def test_the_text_itself_is_not_in_the_file(cache, tmp_path):
    cache.put(MODEL, ["a secret sentence"], _vectors(1))
    cache.close()

    assert b"secret" not in (tmp_path / "embeddings" / "cache.db").read_bytes()


def test_a_cache_that_cannot_be_used_is_a_miss_and_no_error(cache, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("app.cache.store._BUSY_SECONDS", 0.05)
    cache = EmbeddingCache(tmp_path / "held")
    holder = sqlite3.connect(tmp_path / "held" / "cache.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    cache.put(MODEL, ["a"], _vectors(1))
    assert cache.get(MODEL, ["a"]) == [None]

    holder.close()
    cache.close()


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts=st.lists(st.text(), unique=True, max_size=8), dimension=st.integers(1, 16))
def test_any_texts_are_kept_apart(cache, texts, dimension):
    vectors = _vectors(len(texts), dimension)
    cache.put(MODEL, texts, vectors)

    for found, expected in zip(cache.get(MODEL, texts), vectors, strict=True):
        np.testing.assert_array_equal(found, expected)
