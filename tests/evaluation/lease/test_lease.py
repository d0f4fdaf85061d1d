"""Answers in quotes about the sample document are good enough: floors under the figures of `run`."""

import asyncio

import pytest

from tests.evaluation.lease.run import HALVES, ask, questions, share

pytestmark = [pytest.mark.model, pytest.mark.slow]


@pytest.fixture(scope="module")
def reported(bundled_models):
    wanted = [one for one in questions() if one.half == "reporting"]
    return asyncio.run(ask("quote", wanted))


def test_both_halves_have_questions_of_both_kinds():
    for half in HALVES:
        kinds = [one.expected is not None for one in questions() if one.half == half]
        assert (kinds.count(True), kinds.count(False)) == (50, 20)


def test_an_answer_that_is_there_is_rarely_said_to_be_only_near(reported):
    can = [one for one in reported if one.question.expected is not None]
    assert share(one.marked for one in can) <= 0.05


def test_what_is_not_there_is_not_answered(reported):
    cannot = [one for one in reported if one.question.expected is None]
    assert share(one.marked for one in cannot) >= 0.95


def test_most_first_quotes_hold_the_asked_fact(reported):
    can = [one for one in reported if one.question.expected is not None]
    assert share(one.first_holds for one in can) >= 0.85
