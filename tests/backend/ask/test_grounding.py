import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.evidence import Evidence
from app.backend.ask.grounding import Grounding
from app.backend.ask.marks import Mark
from app.records import Passage, Source

NOTICE = (
    "§ 11 Notice period\n\nEither party may end the lease with three months’ notice, given in writing by\n"
    "the third working day of a month. A message by e-mail or telephone is not enough."
)
RENT = (
    "The rent is 1,180 euros a month, without heating and service charges. It is due on the third\n"
    "working day of each month."
)
GARAGE = "The garage is let together with the flat for 85 euros a month."
PETS = "A cat or a dog needs the landlord’s consent. No dogs are kept in the garden."


def support(
    sentence: str, *passages: str, question: str = "", strict: bool = False, marked: tuple[int, ...] = ()
):
    sources = [
        Source(number, Passage(number, "d", "d", True, 1, 0, len(text), None, text), 1.0, True)
        for number, text in enumerate(passages, 1)
    ]
    return Evidence(sources, question).support(sentence, marked, strict=strict)


@pytest.mark.parametrize(
    ("sentence", "passage"),
    [
        ("The notice period is three months.", NOTICE),
        ("The notice period is 3 months.", NOTICE),
        ("Notice has to be given in writing.", NOTICE),
        ("Three months.", NOTICE),
        ("An e-mail is not enough.", NOTICE),
        ("The monthly rent is €1,180.", RENT),
        ("The rent is EUR 1.180 per month.", RENT),
        ("Rent is due by the 3rd working day.", RENT),
        ("You pay 85 euros monthly for the garage.", GARAGE),
        ("A dog requires the consent of the landlord.", PETS),
    ],
)
def test_a_sentence_that_the_passage_carries_is_supported(sentence, passage):
    assert support(sentence, passage, question="What does it say about notice, rent, pets?").supported


@pytest.mark.parametrize(
    ("sentence", "passage"),
    [
        ("The notice period is six months.", NOTICE),
        ("The notice period is 12 months.", NOTICE),
        ("An e-mail is enough.", NOTICE),
        ("The rent is 1,280 euros a month.", RENT),
        ("The rent includes the garage and electricity.", RENT),
        ("The garage costs 1,180 euros.", GARAGE),
        ("The landlord lives in Berlin.", GARAGE),
        ("Dogs are kept in the garden.", "No dogs are kept in the garden."),
        ("The notice period is three weeks and two days.", NOTICE),
    ],
)
def test_a_sentence_that_the_passage_does_not_carry_is_unsupported(sentence, passage):
    assert not support(sentence, passage, question="How long is the notice period?").supported


@pytest.mark.parametrize(
    "sentence",
    [
        "",
        "I don't know.",
        "The passages do not mention a phone number.",
        "The lease doesn’t say.",
        "Here is what they say:",
        "What else would you like to know?",
        "There is no information about that.",
    ],
)
def test_what_makes_no_claim_is_not_checked(sentence):
    assert support(sentence, NOTICE) is None


def test_a_bare_yes_rests_on_nothing():
    assert not support("Yes.", PETS, question="May I keep a dog?").supported


def test_a_number_counts_what_it_counts_in_the_passage():
    passage = "The tenant receives three keys and pays for two months in advance."
    assert support("The tenant pays two months in advance.", passage).supported
    assert not support("The tenant pays three months in advance.", passage).supported


def test_the_best_passage_carries_the_sentence():
    found = support("The garage costs 85 euros a month.", RENT, GARAGE)
    assert (found.source, found.supported) == (2, True)


def test_the_span_is_the_sentence_that_carries_it_and_no_more():
    found = support("A message by e-mail is not enough.", NOTICE)
    assert NOTICE[found.start : found.end] == "A message by e-mail or telephone is not enough."


def test_the_span_covers_two_sentences_where_it_takes_both():
    found = support("The rent is 1,180 euros and is due on the third working day.", RENT)
    assert found.supported
    assert RENT[found.start : found.end] == RENT


def test_of_two_passages_that_say_the_same_the_marked_one_is_cited():
    assert support("The garage costs 85 euros.", GARAGE, GARAGE).source == 1
    assert support("The garage costs 85 euros.", GARAGE, GARAGE, marked=(2,)).source == 2


def test_a_wrong_mark_does_not_make_a_passage_carry_a_sentence():
    found = support("The garage costs 85 euros.", RENT, GARAGE, marked=(1,))
    assert found.source == 2


def test_words_of_the_question_alone_do_not_support_a_claim():
    question = "Is the landlord a pleasant person to rent from?"
    assert not support("The landlord is a pleasant person.", RENT, question=question).supported


@pytest.mark.parametrize("sentence", ["Pets are not allowed.", "Pets are allowed."])
@pytest.mark.parametrize("strict", [True, False])
def test_a_heading_and_a_no_about_something_else_say_nothing(sentence, strict):
    page = f"§ 7 Pets\n\n{PETS}\n\n§ 10 Visits\n\nIn an emergency no message is needed."
    assert not support(sentence, page, question="Are pets allowed?", strict=strict).supported


def test_a_no_about_the_same_is_an_answer():
    question = "Are dogs kept in the garden?"
    assert support("Dogs are not kept in the garden.", PETS, question=question, strict=True).supported


@pytest.mark.parametrize(
    ("sentence", "holds"),
    [
        ("The garage is let for 85 euros a month.", True),
        ("The garage is a luxury car dealership with a flat fee of 85 euros a month.", False),
        ("The garage costs 85 euros and 85 euros a month.", False),
        ("The notice period is 3 months.", False),
    ],
)
def test_a_strict_reader_accepts_no_foreign_word_and_no_number_twice(sentence, holds):
    assert support(sentence, GARAGE, question="What does the garage cost?", strict=True).supported is holds


def test_a_strict_reader_accepts_no_going_round_in_a_circle():
    page = "The flat is returned swept clean, in the state of the record less normal wear."
    question = "In what condition must the flat be returned?"
    once = "The flat must be returned in the state of the record less normal wear"
    assert support(f"{once}.", page, question=question, strict=True).supported
    again = f"{once}, which is the state of the record less normal wear."
    assert not support(again, page, question=question, strict=True).supported


def test_a_strict_reader_accepts_no_answer_to_another_question():
    assert support("85 euros a month.", GARAGE, question="What does the garage cost?", strict=True).supported
    assert not support("85 euros a month.", GARAGE, question="How much is the pool?", strict=True).supported


def evidence() -> Evidence:
    sources = [
        Source(number, Passage(number, "d", "d", True, 1, 0, len(text), None, text), 1.0, True)
        for number, text in enumerate((NOTICE, GARAGE), 1)
    ]
    return Evidence(sources, "How long is the notice period?")


ANSWER = "The notice period is three months. The garage costs 85 euros a month. It is painted blue."


def test_each_sentence_of_an_answer_is_checked_in_its_place():
    grounding = Grounding(evidence())
    citations = grounding.feed(ANSWER) + grounding.finish()
    checked = [(ANSWER[one.start : one.end], one.verdict, one.source) for one in citations]
    assert checked == [
        ("The notice period is three months.", "supported", 1),
        ("The garage costs 85 euros a month.", "supported", 2),
        ("It is painted blue.", "unsupported", None),
    ]


def test_a_quote_is_an_exact_span_of_its_passage():
    grounding = Grounding(evidence())
    first, second, _ = grounding.feed(ANSWER) + grounding.finish()
    assert NOTICE[first.quote_start : first.quote_end].startswith("Either party may end the lease")
    assert GARAGE[second.quote_start : second.quote_end] == GARAGE


@given(st.lists(st.integers(1, 20), min_size=1, max_size=90))
def test_however_an_answer_streams_the_checks_are_the_same(sizes):
    grounding = Grounding(evidence())
    citations = []
    at = 0
    for size in sizes:
        citations += grounding.feed(ANSWER[at : at + size])
        at += size
    citations += grounding.feed(ANSWER[at:])
    citations += grounding.finish()
    whole = Grounding(evidence())
    assert tuple(citations) == whole.feed(ANSWER) + whole.finish()


def test_marks_after_a_sentence_belong_to_it():
    sources = [
        Source(number, Passage(number, "d", "d", True, 1, 0, len(GARAGE), None, GARAGE), 1.0, True)
        for number in (1, 2, 3)
    ]
    text = "The garage costs 85 euros. It is let together with the flat."
    grounding = Grounding(Evidence(sources, ""))
    marks = [Mark(text.index(" It"), 3), Mark(len(text), 2)]
    citations = grounding.feed(text, marks) + grounding.finish(marks)
    assert [citation.source for citation in citations] == [3, 2]
