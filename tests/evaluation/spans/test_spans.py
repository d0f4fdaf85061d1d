"""The reader marks the words that support a sentence: floors under the figures of `run`."""

import statistics

import pytest

from tests.evaluation.spans.run import cases, marked, overlap


@pytest.fixture(scope="module")
def scores():
    return [overlap(marked(case), case.span) for case in cases()]


def test_there_are_a_hundred_of_them_over_four_texts():
    every = cases()
    assert len(every) == 100
    assert len({case.sections[case.place] for case in every}) >= 30


def test_the_marked_words_are_those_that_support(scores):
    assert statistics.median(scores) >= 0.7
    assert statistics.fmean(scores) >= 0.7


def test_two_of_three_are_marked_well(scores):
    assert sum(score >= 0.7 for score in scores) >= 65
