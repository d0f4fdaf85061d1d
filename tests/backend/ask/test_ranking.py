import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.ranking import Ranking, combined, with_feedback

EVEN = Ranking(meaning=0.5)


def unit(*values: float) -> np.ndarray:
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_a_passage_good_in_both_comes_before_the_best_of_one():
    found = combined({1: 10.0, 2: 8.0}, {3: 0.6, 2: 0.5}, EVEN)

    assert [number for number, _ in found] == [2, 1, 3]
    assert dict(found) == pytest.approx({2: (0.8 + 0.5 / 0.6) / 2, 1: 0.5, 3: 0.5})


def test_how_much_better_one_is_counts_and_not_only_its_rank():
    clear = dict(combined({1: 10.0, 2: 1.0}, {}, EVEN))
    close = dict(combined({1: 10.0, 2: 9.0}, {}, EVEN))

    assert clear[2] < close[2]


def test_nothing_combined_is_nothing():
    assert combined({}, {}, EVEN) == []


scores = st.dictionaries(st.integers(0, 30), st.floats(0, 50), max_size=20)


@given(scores, scores)
def test_every_passage_is_there_once_and_scores_never_rise(worded, near):
    found = combined(worded, near, Ranking())

    assert sorted(number for number, _ in found) == sorted(worded.keys() | near.keys())
    values = [score for _, score in found]
    assert values == sorted(values, reverse=True)
    assert all(0 <= score <= 1 + 1e-9 for score in values)


def test_the_words_of_what_was_found_first_raise_what_shares_them():
    texts = ["The tenant pays a deposit held in escrow.", "The roof is red.", "Escrow is kept by the bank."]

    order = with_feedback(
        "deposit",
        None,
        texts=texts,
        scores=[1.0, 0.3, 0.3],
        vectors=[None] * 3,
        ranking=Ranking(models=1, kept=1),
    )

    assert order == [0, 2, 1]


def test_the_direction_of_what_was_found_first_raises_what_lies_there():
    order = with_feedback(
        "?",
        unit(1, 0, 0),
        texts=["one", "two", "three"],
        scores=[1.0, 0.5, 0.5],
        vectors=[unit(1, 1, 0), unit(1, 0, 1), unit(1, 0.9, 0)],
        ranking=Ranking(models=1, kept=1),
    )

    assert order == [0, 2, 1]


@given(st.lists(st.text(max_size=40), max_size=8), st.text(max_size=40))
def test_whatever_the_texts_hold_each_has_a_place_and_the_first_keep_theirs(texts, question):
    scores = [1 / (place + 1) for place in range(len(texts))]

    order = with_feedback(
        question, None, texts=texts, scores=scores, vectors=[None] * len(texts), ranking=Ranking()
    )

    assert sorted(order) == list(range(len(texts)))
    assert order[: Ranking().kept] == list(range(len(texts)))[: Ranking().kept]
