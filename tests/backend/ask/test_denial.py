import pytest

from app.backend.ask.contrast import opposed
from app.backend.ask.denial import clauses, disagree, shared
from app.backend.ask.names import codes, names
from app.backend.ask.wording import content_words


def differ(said: str, there: str) -> bool:
    return disagree(clauses(said, content_words), clauses(there, content_words))


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("Subletting is forbidden.", "The tenant must not sublet."),
        ("You must not swim in any lake.", "Swimming is forbidden in all lakes."),
        ("Receipts come no later than thirty days after.", "Receipts have to be handed in within 30 days."),
        ("The programme takes 35 minutes.", "The programme takes 35 minutes and does not dry the dishes."),
        ("There are no nuts, but celery is in it.", "The soup contains celery, but no nuts."),
        ("Without the supplement floods are not covered.", "Floods are not covered unless F2 was agreed."),
    ],
)
def test_the_same_in_other_words_is_no_contradiction(said, there):
    assert not differ(said, there)


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("Food is allowed in the room.", "Food is not allowed in the room."),
        ("The lift must be used.", "The lift must not be used."),
        ("The impeller was not replaced after a crack.", "The impeller was replaced after a crack."),
        ("Support for it has not ended.", "Support for it has ended."),
        ("Swimming is permitted there.", "Swimming is forbidden there."),
    ],
)
def test_a_denial_on_one_side_only_is_a_contradiction(said, there):
    assert differ(said, there)


@pytest.mark.parametrize(
    ("said", "there"),
    [
        ("the northern pier", "the southern pier"),
        ("every week", "every month"),
        ("at most two", "at least two"),
        ("rises above it", "falls below it"),
        ("it costs pounds", "it costs euros"),
    ],
)
def test_a_word_in_the_place_of_its_opposite_is_a_contradiction(said, there):
    assert opposed(frozenset(said.split()), frozenset(there.split()))


@pytest.mark.parametrize(
    ("said", "there", "holds"),
    [
        ("It isn't due.", "Nothing is due before April.", True),
        ("He may not enter.", "She may enter without notice.", True),
        ("He may not enter.", "No message is needed.", False),
        ("No pets.", "Pets are kept.", False),
    ],
)
def test_a_no_is_shared_where_both_deny_something_of_the_same(said, there, holds):
    assert shared(clauses(said, content_words), clauses(there, content_words)) is holds


def test_a_pair_that_the_page_names_together_is_none():
    assert not opposed(frozenset({"northern"}), frozenset({"northern", "southern"}))


def test_names_are_capitals_that_do_not_begin_a_sentence():
    text = "Requests go to Priya Raman. It was sold in Leeds; Mr Peake’s fee is EUR 3."
    assert names(text) == {"priya", "raman", "leeds", "peake"}


def test_codes_are_letters_and_digits_in_one():
    assert codes("Error E15 of the WX-8841 in class 5b after 30 min, 3rd try") == {"e15", "wx8841", "5b"}
