import numpy as np
import pytest

from app.backend.ask.candidates import Candidate
from app.backend.ask.extracts import cosines, fits, ranked, sentences
from app.records import Passage

PAGE = (
    "Lease agreement Page 2 of 4\n\n§ 3 Rent\n\nThe rent is 1,180 euros a month, without heating and service"
    " charges. It is due on the third\nworking day of each month and is paid to the landlord’s account."
)


def candidate(text: str, heading: str | None = None, similarity: float = 0.5) -> Candidate:
    return Candidate(Passage(1, "d", "d", True, 1, 0, len(text), heading, text), 1.0, similarity)


def test_headings_and_running_heads_are_no_answers():
    texts = [extract.text for extract in sentences([candidate(PAGE, "Lease › § 3 Rent")])]
    assert texts == [
        "The rent is 1,180 euros a month, without heating and service charges.",
        "It is due on the third working day of each month and is paid to the landlord’s account.",
    ]


def test_an_extract_is_an_exact_span_of_its_passage():
    extract = sentences([candidate(PAGE)])[-1]
    assert " ".join(PAGE[extract.start : extract.end].split()) == extract.text


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        ("How much is the rent?", "The rent is 1,180 euros."),
        ("How many rooms are there?", "It has three rooms."),
        ("When is it due?", "It is due on the first day of a month."),
        ("When does it begin?", "It begins on 1 April 2024."),
        ("Who signed it?", "It was signed by Margarete Lindqvist."),
        ("Where is the flat?", "The flat lies in Heidelberg."),
        ("How big is the flat?", "The living space is 78 square metres."),
        ("What does the garage cost?", "It is let for 85 euros."),
    ],
)
def test_a_sentence_with_the_kind_of_thing_asked_for_fits(question, sentence):
    assert fits(question, sentence)
    assert not fits(question, "The landlord may adapt this within the limits of the law.")


def test_a_question_of_no_kind_fits_nothing_in_particular():
    assert not fits("Is it allowed to paint the walls?", "The rent is 1,180 euros.")


def test_the_sentence_that_shares_the_rarer_words_comes_first():
    found = [candidate(PAGE, "Lease › § 3 Rent")]
    every = sentences(found)
    assert ranked("When is the rent due?", found, every, [0.0] * len(every))[0].text.startswith("It is due")


def test_the_words_of_the_question_before_count_less():
    found = [candidate("The rent is 1,180 euros. The deposit is 2,360 euros. The walls are white.")]
    every = sentences(found)
    order = ranked("And the deposit?", found, every, [0.0] * 3, earlier="How much is the rent?")
    assert [extract.text[:8] for extract in order[:2]] == ["The depo", "The rent"]


def test_cosines_are_products_with_the_question():
    vectors = [np.array([1, 0], np.float32), np.array([0.6, 0.8], np.float32)]
    assert cosines(np.array([0, 1], np.float32), vectors) == pytest.approx([0.0, 0.8])
    assert cosines(np.array([0, 1], np.float32), []) == []
