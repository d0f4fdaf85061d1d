import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.followup import elliptic, leans_on


@pytest.mark.parametrize(
    "question",
    [
        "When is it due?",
        "And the deposit?",
        "Why?",
        "What about pets?",
        "Who pays that?",
        "Does it include heating?",
        "Und wann ist sie fällig?",
    ],
)
def test_a_question_that_leans_on_the_one_before_is_searched_together_with_it(question):
    assert leans_on(question, ["Who is it?", "How much is the rent?"]) == "How much is the rent?"


@pytest.mark.parametrize(
    "question",
    [
        "How much is the monthly rent?",
        "Who repairs the windows of that house?",
        "How long is the notice period?",
    ],
)
def test_a_question_that_stands_alone_is_searched_alone(question):
    assert leans_on(question, ["How much is the deposit?"]) is None


def test_the_first_question_leans_on_nothing():
    assert leans_on("When is it due?", []) is None


def test_the_subject_may_stand_several_questions_back():
    said = leans_on("And to whom?", ["How much is the deposit?", "When is it due?"])

    assert said == "How much is the deposit? When is it due?"


@pytest.mark.parametrize(
    ("before", "question", "said"),
    [
        ("What was the rent in 2021?", "And in 2022?", "What was the rent in ?"),
        ("What happened on 3 May 2020?", "What about 4 June 2021?", "What happened on ?"),
        ("What is the salary of Anna Berg?", "And Ben's?", "What is the salary of ?"),
        ("What does Anna do?", "Where does she live?", "What does Anna do?"),
    ],
)
def test_a_year_a_date_or_a_name_is_replaced_by_the_later_one(before, question, said):
    assert leans_on(question, [before]) == said


def test_a_question_without_words_of_its_own_is_elliptic():
    assert elliptic("And in 2022?")
    assert elliptic("Why?")
    assert not elliptic("And a dog?")


@given(st.text(max_size=60), st.lists(st.text(max_size=60), max_size=6))
def test_any_conversation_may_be_had(question, earlier):
    said = leans_on(question, earlier)

    assert said is None or earlier
