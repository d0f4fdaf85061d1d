import pytest

from app.backend.ask.clauses import carrying
from app.backend.ask.evidence import Evidence
from app.backend.ask.wording import content_words

DUE = "It is due on the third working day of each month and is paid to the landlord’s account at the bank."
CONSENT = "A cat or a dog needs the landlord’s consent, which is given when no resident has a good reason."


def shown(text: str, said: str) -> str:
    start, end = carrying(text, frozenset(content_words(said)))
    return text[start:end]


@pytest.mark.parametrize(
    ("text", "said", "part"),
    [
        (
            DUE,
            "It goes to the account of the landlord at the bank.",
            "and is paid to the landlord’s account at the bank.",
        ),
        (CONSENT, "The landlord has to consent to a cat.", "A cat or a dog needs the landlord’s consent"),
    ],
)
def test_of_a_long_sentence_the_clause_that_carries_is_marked(text, said, part):
    assert shown(text, said) == part


def test_a_sentence_that_says_all_of_it_is_carried_by_all_of_it():
    said = "It is due on the third working day of each month and paid to the landlord's account at the bank."
    assert shown(DUE, said) == DUE


def test_what_would_leave_out_little_or_rests_on_few_words_is_not_cut():
    text = "The deposit is 2,360 euros, which includes interest."
    assert shown(text, "The deposit is 2,360 euros with interest.") == text
    assert shown(CONSENT, "The landlord.") == CONSENT


def test_the_span_of_a_check_is_the_clause(source):
    found = Evidence([source(f"Walls may be painted. {CONSENT}")], "").support(
        "The landlord has to consent to a cat."
    )
    assert f"Walls may be painted. {CONSENT}"[found.start : found.end] == (
        "A cat or a dog needs the landlord’s consent"
    )
