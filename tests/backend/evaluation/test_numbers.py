"""From answers and checks to the numbers on the page."""

import pytest

from app.backend.ask.quoting import CLOSEST
from app.backend.evaluation.answers import Answered, Answers
from app.backend.evaluation.cases import of_library, of_set
from app.backend.evaluation.checks import Checks
from app.backend.evaluation.finding import Finding
from app.backend.evaluation.public_sets import Query
from app.backend.evaluation.questions import Question, questions
from app.evaluation import Case
from app.records import Citation, Passage, Source, Usage

PAGE = "The rent of the flat is 1,180 euros a month, without heating. Henrik Solberg keeps it."
OTHER = "Dogs and cats are welcome here."


@pytest.fixture
def question():
    return Question(next(questions(PAGE)), "d", 1)


@pytest.fixture
def sources():
    right = Passage(1, "d", "Lease.pdf", True, 1, 0, len(PAGE), None, PAGE)
    wrong = Passage(2, "d", "Lease.pdf", True, 2, 0, len(OTHER), None, OTHER)
    return (Source(1, right, 1.0, True), Source(2, wrong, 0.5, True))


def answered(sources, text, *cites, verdict="supported", first_ms=100.0, tokens=10):
    checks = tuple(Citation(0, len(text), verdict, number, 0, 5) for number in cites)
    return Answered(text, checks, sources, first_ms, Usage(50, tokens), 1000.0, "quote" if text else "fixed")


def values(measures):
    return {measure.name: (measure.value, measure.count) for measure in measures}


def test_answers_are_judged_by_what_they_hold_cite_and_refuse(question, sources):
    answers = Answers()
    answers.answerable += [
        (question, answered(sources, "It is 1,180 euros.", 1)),
        (question, answered(sources, "It is 1,180 euros.", 1, 2, first_ms=300.0)),
        (question, answered(sources, "It is 99 euros.", 2)),
        (question, answered(sources, f"{CLOSEST}“Dogs.”", 2)),  # says that it may not answer
    ]
    answers.unanswerable += [
        (question, answered((), "", first_ms=0.0, tokens=0)),
        (question, answered(sources, "The moon.", None, verdict="unsupported")),
        (question, answered(sources, "It is 99 euros.", 2)),
    ]

    found = values(answers.measures())

    assert answers.styles == ("quote",)
    assert found["asked fact in the answer"] == (0.5, 4)
    assert found["citation precision"] == (0.5, 4)
    assert found["citation recall"] == (0.5, 4)
    assert found["wrongly refused"] == (0.25, 4)
    assert found["unanswerable: refused or marked"] == (pytest.approx(2 / 3), 3)
    assert found["first word, median"] == (100.0, 6)
    assert found["first word, 95 %"] == (300.0, 6)
    assert found["writing"] == (10.0, 60)


def test_where_there_was_nothing_to_measure_there_is_no_number():
    found = values(Answers().measures()) | values(Checks().measures()) | values(Finding().measures())

    assert set(found.values()) == {(None, 0)}


def test_changed_sentences_are_told_from_true_ones_and_always_changed_alike(question, sources):
    checks, again = Checks(), Checks()
    for one in (checks, again):
        one.add(question, [source.passage for source in sources])

    assert values(checks.measures()) == {
        "changed sentences caught": (1.0, 1),
        "true sentences doubted": (0.0, 1),
        "AUROC of the two": (1.0, 2),
    }
    assert (checks.true, checks.changed) == (again.true, again.changed)


def test_rankings_become_the_known_measures():
    finding = Finding()
    finding.add(["wanted", "x"], {"wanted": 1.0}, 10.0)
    finding.add(["x", "wanted"], {"wanted": 1.0}, 30.0)

    found = values(finding.measures())

    assert found["hit@1"] == (0.5, 2)
    assert found["hit@5"] == (1.0, 2)
    assert found["MRR"] == (0.75, 2)
    assert found["search, 95 %"] == (30.0, 2)


def test_behind_the_numbers_stands_each_question_with_what_came_of_it(question, sources):
    made, finding, answers = question.made, Finding(), Answers()
    finding.add(["x", "wanted"], {"wanted": 1.0}, 10.0)
    answers.answerable.append((question, answered(sources, "It is 1,180 euros.", 1)))
    answers.unanswerable.append((question, answered((), "")))

    here, left_out = of_library([question], finding, answers, {"d": "Lease.pdf"})

    told = (made.text, made.fact, "Lease.pdf, page 1")
    assert here == Case(*told, 2, "It is 1,180 euros.", False, True)
    assert left_out == Case(*told, None, "", True, answerable=False)
    assert of_set([Query(1, "wings", {"1": 1.0})], finding) == (Case("wings", rank=2),)
