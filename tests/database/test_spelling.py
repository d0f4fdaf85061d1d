import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import spelling

WORDS = ("temperature", "lindqvist", "agreement", "deposit", "pressure", "maintenance", "WX8841B")


@pytest.fixture
def meant(database, shelf):
    shelf.ready("\n\n".join(WORDS))
    return lambda word: database.read(lambda db: spelling.meant(db, word))


@pytest.mark.parametrize(
    ("typed", "term"),
    [
        ("temprature", "temperatur"),
        ("tempertures", "temperatur"),
        ("lindquist", "lindqvist"),
        ("agreemnet", "agreement"),
        ("depositt", "deposit"),
        ("presure", "pressur"),
        ("maintainance", "mainten"),
    ],
)
def test_a_slip_finds_the_word_that_was_meant(meant, typed, term):
    assert meant(typed) == term


@pytest.mark.parametrize("typed", ["umbrella", "tent", "depth", "12345", ""])
def test_another_word_finds_none(meant, typed):
    assert meant(typed) is None


def test_a_word_of_more_passages_is_meant_rather(shelf, meant):
    shelf.ready("marine\n\nmarune\n\nmarune")

    assert meant("maryne") == "marun"


def test_a_slip_in_a_question_still_finds_the_passage(search, shelf, user, meant):
    hits = search.full_text(user, "What is the temprature?", 5)

    assert [passage.text for passage in search.passages([hit.passage_id for hit in hits])] == ["temperature"]


def test_a_part_of_a_code_finds_it(search, user, meant):
    hits = search.full_text(user, "Where is 8841?", 5)

    assert [passage.text for passage in search.passages([hit.passage_id for hit in hits])] == ["WX8841B"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["temperature", "lindqvist", "agreement"]), st.integers(1, 8), st.data())
def test_any_one_letter_may_be_left_out_doubled_or_wrong(meant, word, place, data):
    other = data.draw(st.sampled_from(string.ascii_lowercase))
    for typed in (word[:place] + word[place + 1 :], word[:place] + other + word[place + 1 :]):
        found = meant(typed)
        assert found is not None
        assert found[0] == word[0]
