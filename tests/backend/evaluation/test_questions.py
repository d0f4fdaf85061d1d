import pytest

from app.backend.evaluation.questions import Question, holds, questions
from app.records import Passage

SUM = "a sum that secures the claims of the landlord"


@pytest.mark.parametrize(
    ("sentence", "kind", "question", "fact"),
    [
        (
            "The rent of the flat is 1,180 euros a month, without heating.",
            "money",
            "How much is the rent of the flat?",
            "1,180 euros",
        ),
        (
            "The rent is 1,180 euros a month, without heating.",  # of which flat?
            "money",
            "How much: the rent is … a month, without heating?",
            "1,180 euros",
        ),
        (
            "The notice period is three months in every case.",
            "count",
            "How many months is the notice period?",
            "three months",
        ),
        (
            "The lease begins on 1 April 2024 for both parties.",
            "date",
            "When: the lease begins on … for both parties?",
            "1 April 2024",
        ),
        (
            "In 2024 the museum welcomed 12 percent more than before.",
            "percent",
            "What percentage: in 2024 the museum welcomed … more than before?",
            "12 percent",
        ),
        (
            "Flights are only approved by the managing director, Ingrid Falk.",
            "name",
            "Who or what: approved by the managing director, …?",
            "Ingrid Falk",
        ),
        (
            "The rental deposit is a sum that secures the claims of the landlord.",
            "definition",
            "What is the rental deposit?",
            "a sum that secures the claims of the landlord",
        ),
    ],
)
def test_a_fact_is_taken_out_of_its_sentence_and_asked_for(sentence, kind, question, fact):
    (made,) = questions(sentence)

    assert (made.kind, made.text, made.fact) == (kind, question, fact)
    assert made.fact not in made.text
    assert made.sentence == sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "It is due on 3 March 2024 at the latest, as agreed.",  # what "it" is stands elsewhere
        "Pump 16 stands idle behind the hall.",  # counts nothing
        "Admission for children under twelve remains free of charge.",  # nor does this
        "12 400 3 77 8812 1.5 2.5 3.5 4.5",  # a row of a table
        "Section 4. Rent",  # a heading
        "Pay 30 euros.",  # too short to be asked about
        "The deposit is a sum that secures the claims of the landlord.",  # of which contract?
        "See https://example.org/terms for the 30 days of notice.",
        "what stands here begins in the middle of 30 days of something.",
        "The words " * 30 + "cost 30 euros.",
    ],
)
def test_what_would_make_no_fair_question_makes_none(sentence):
    assert list(questions(sentence)) == []


def test_places_are_offsets_of_the_page_and_wrapped_lines_are_one_sentence():
    wrapped = "The rent of the flat is\n1,180 euros a month and\nnothing for the cellar."
    page = f"§ 3 Rent\n\n{wrapped}\nIt is due every month."

    (made,) = questions(page)

    assert page[made.start : made.end] == wrapped
    assert made.sentence == wrapped.replace("\n", " ")


def test_a_passage_answers_if_it_holds_the_sentence_however_the_page_was_cut():
    page = "Some words before. The rent is 1,180 euros a month, without heating. Some words after it."
    (made,) = questions(page)
    question = Question(made, "d", 2)

    def passage(start, end, document="d", number=2):
        return Passage(1, document, "Lease.pdf", True, number, start, end, None, page[start:end])

    assert question.answered_by(passage(0, len(page)))
    assert question.answered_by(passage(0, made.end - 5))  # most of it
    assert not question.answered_by(passage(0, made.start + 5))
    assert question.answered_by(passage(0, len(page), document="a copy of it"))
    assert not question.answered_by(
        Passage(1, "d", "Lease.pdf", True, 3, made.start, made.end, None, "Else.")
    )


@pytest.mark.parametrize(
    ("text", "fact", "held"),
    [
        ("The rent is 1,180 euros.", "1,180 euros", True),
        ("The rent is 1,180 Euros", "1,180 euros", True),
        ("The rent is 1,280 euros.", "1,180 euros", False),
        ("It has 78 square meters.", "78 square metres", True),
        ("It is 12 percent.", "12 per cent", True),
        ("It secures the landlord’s claims, a sum of money.", SUM, True),
        ("It is money.", SUM, False),
        ("", "three months", False),
    ],
)  # fmt: skip
def test_an_answer_holds_a_fact_by_its_words(text, fact, held):
    assert holds(text, fact) is held
