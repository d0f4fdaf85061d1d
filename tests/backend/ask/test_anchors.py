import pytest

from app.backend.ask.anchors import anchors, missing, naming
from app.records import Passage


def passage(text: str, heading: str | None = None, name: str = "Handbook.pdf") -> Passage:
    return Passage(1, "d", name, True, 1, 0, len(text), heading, text)


PUMP = passage("Its bearings are greased every 500 operating hours by Henrik Solberg.", "2.1 Pump 16")
ERROR = passage("Error E15 means that water has leaked; the plug-in XR-8 was tested on 3 March 2023.")


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("How often is pump 17 greased?", ["pump 17"]),
        ("What was decided at meeting 500?", ["meeting 500"]),
        ("What does error E77 mean?", ["E77"]),
        ("Who is Olga Petrenko?", ["Olga Petrenko"]),
        ("How many came in 1998?", ["1998"]),
        ("What is served on 24 December?", ["24 December"]),
        ('Where does it say "no dogs"?', ["no dogs"]),
        ("May I leave after 3 years?", []),
        ("What happens after about 30 litres?", []),
        ("What Is The Notice Period?", []),
        ("Wie hoch ist die Miete der Wohnung?", []),
    ],
)
def test_a_question_names_what_singles_one_thing_out(question, named):
    assert [anchor.text for anchor in anchors(question)] == named


@pytest.mark.parametrize(
    "question",
    [
        "How often is pump 16 greased?",
        "Who is Henrik Solberg?",
        "Who is Henrik Solburg?",
        "What does error E15 mean?",
        "What happened on March 3rd?",
    ],
)
def test_what_a_passage_its_heading_or_its_document_names_is_not_missing(question):
    assert missing(question, [PUMP, ERROR]) == ()


@pytest.mark.parametrize(
    "question",
    [
        "How often is pump 17 greased?",
        "What was decided at meeting 500?",
        "What is XR-9?",
        "Is it on 4 March?",
    ],
)
def test_what_no_passage_names_is_missing(question):
    assert len(missing(question, [PUMP, ERROR])) == 1


def test_a_number_of_something_else_does_not_count():
    assert missing("What does pump 500 do?", [PUMP])


def test_only_passages_that_name_it_may_answer():
    other = passage("Its bearings are greased every 300 operating hours.", "2.2 Pump 18")
    assert naming("How often is pump 16 greased?", [other, PUMP]) == (False, True)
    assert naming("How often is it greased?", [other, PUMP]) == (True, True)
