import pytest

from app.backend.ask.answerable import answers

RENT = "The rent is 1,180 euros a month, without heating."


def test_a_sentence_with_the_words_of_the_question_answers_it():
    assert answers("What is the monthly rent?", RENT, similarity=0.7)


def test_everyday_words_may_be_said_otherwise_where_the_meaning_is_near():
    assert answers("What does the garage cost?", "The garage is let for 85 euros.", similarity=0.61)
    assert not answers("What does the garage cost?", "The garage is let for 85 euros.", similarity=0.1)


def test_a_telling_word_that_is_missing_is_not_made_up_for_by_nearness():
    assert not answers("How much is the rent of the sauna?", RENT, similarity=0.6)


def test_what_a_sentence_stands_under_counts_as_said():
    assert answers(
        "How long is the notice period?", "It is three months.", "§ 11 Notice period", similarity=0.4
    )


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("What does the water cost?", "The water is turned off in winter."),
        ("How many flats are in the house?", "The flat on floor 2 of the house is let."),
        ("What is the e-mail address of the landlord?", "E-mail to the landlord has no address of its own."),
    ],
)
def test_a_sum_a_count_or_an_address_is_answered_by_nothing_else(question, sentence):
    assert not answers(question, sentence, similarity=0.9)


def test_a_count_may_stand_a_word_before_what_is_counted_or_right_behind_it():
    assert answers("In how many parts is it paid?", "It is paid in three equal parts.", similarity=0.6)
    assert answers("How many keys are there?", "Keys 2 front door, 3 flat", similarity=0.6)


def test_without_vectors_the_words_alone_decide():
    assert answers("What is the monthly rent?", RENT)
    assert not answers("What is the rent of the sauna?", RENT)


def test_a_question_without_words_of_its_own_is_answered_by_what_was_found():
    assert answers("When?", RENT)
