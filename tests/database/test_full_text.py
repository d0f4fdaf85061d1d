import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import full_text
from app.filters import Filter


@pytest.fixture
def lease(shelf):
    return shelf.ready(
        "The rent is 900 euros a month.\n\n"
        "The deposit is three monthly rents.\n\n"
        "Dogs are not allowed; other pets are, if small.\n\n"
        "To be or not to be."
    )


def _texts(search, hits):
    return [passage.text for passage in search.passages([hit.passage_id for hit in hits])]


def test_a_question_finds_the_passages_that_hold_its_words_best_first(search, user, lease):
    hits = search.full_text(user, "How high is the deposit in monthly rents?", 10)

    assert _texts(search, hits) == [
        "The deposit is three monthly rents.",
        "The rent is 900 euros a month.",
    ]
    assert hits[0].score > hits[1].score


def test_words_are_found_in_other_forms(search, user, lease):
    assert _texts(search, search.full_text(user, "allowing a DOG", 10)) == [
        "Dogs are not allowed; other pets are, if small."
    ]


def test_accents_do_not_matter(search, shelf, user):
    shelf.ready("Größe und Café\n\nnaïve approach")

    assert len(search.full_text(user, "cafe", 5)) == 1
    assert len(search.full_text(user, "naive", 5)) == 1
    assert len(search.full_text(user, "nai\u0308ve", 5)) == 1


@pytest.mark.parametrize(
    "text",
    [
        'the "rent"',
        'rent"',
        '"rent',
        "rent*",
        "rent AND",
        "NOT rent",
        "rent OR",
        "NEAR(rent, 3)",
        "text: rent",
        "-rent",
        "^rent",
        "{text heading}: rent",
        "rent\x00",
        "rent 😀",
        "(rent",
        "rent;DROP TABLE passages",
        "rent's",
        "«rent»",
        "a+rent",
    ],
)
def test_signs_and_operators_are_no_syntax(search, user, lease, text):
    assert "The rent is 900 euros a month." in _texts(search, search.full_text(user, text, 10))


@pytest.mark.parametrize(
    "text", ["", "   ", "?!", '"', '""', "\x00", "😀", "*", "()", "_", "\ud800", "xyzzy"]
)
def test_a_text_without_a_known_word_finds_nothing(search, user, lease, text):
    assert search.full_text(user, text, 10) == []


def test_stop_words_count_only_when_there_is_nothing_else(search, user, lease):
    assert full_text.words("What is the rent?") == ["rent"]
    assert "To be or not to be." in _texts(search, search.full_text(user, "to be or not to be", 10))
    assert _texts(search, search.full_text(user, "what is the deposit", 10)) == [
        "The deposit is three monthly rents."
    ]


def test_numbers_and_short_words_of_other_scripts_are_words():
    assert full_text.words("Is it 900 or 7 元?") == ["900", "7", "元"]


def test_an_empty_library_finds_nothing(search, user):
    assert search.full_text(user, "rent", 5) == []


def test_as_many_hits_as_asked_for(search, user, lease):
    assert len(search.full_text(user, "rent deposit dogs", 2)) == 2
    assert search.full_text(user, "rent", 0) == []


def test_a_heading_is_found_but_counts_less_than_the_text(search, shelf, user):
    shelf.ready("It may be ended at three months notice.", heading="Termination")
    shelf.ready("Termination needs a letter.")
    shelf.ready("Nothing of the kind.")

    assert _texts(search, search.full_text(user, "termination", 5)) == [
        "Termination needs a letter.",
        "It may be ended at three months notice.",
    ]


def test_the_search_is_limited_to_documents(search, shelf, user):
    first, second = shelf.ready("The rent is 900."), shelf.ready("The rent is 700.")

    assert _texts(search, search.full_text(user, "rent", 5, Filter(documents=(second.id,)))) == [
        "The rent is 700."
    ]
    assert len(search.full_text(user, "rent", 5, Filter(documents=(first.id, second.id, "nobody's")))) == 2
    assert search.full_text(user, "rent", 5, Filter(documents=("nobody's",))) == []


def test_a_user_finds_only_their_own_passages(search, shelf, user, another_user):
    shelf.ready("The rent is 900.")
    shelf.ready("The rent is 700.", user=another_user)

    assert _texts(search, search.full_text(user, "rent", 5)) == ["The rent is 900."]
    assert _texts(search, search.full_text(another_user, "rent", 5)) == ["The rent is 700."]
    assert search.full_text("nobody", "rent", 5) == []


def test_rare_words_go_first_and_common_ones_are_left_out_of_a_large_library(database, shelf):
    shelf.ready(
        "\n\n".join(f"the contract number{number} about clause{number % 7}" for number in range(1_200))
    )

    expression = database.read(lambda db: full_text.expression(db, "contract clause3 number77 number78"))

    assert expression == '"number77" OR "number78" OR "clause3"'


def test_a_word_of_every_passage_is_searched_when_it_is_the_only_one(database, shelf):
    shelf.ready("\n\n".join(f"the contract {number}" for number in range(1_200)))

    assert database.read(lambda db: full_text.expression(db, "contract")) == '"contract"'


def test_a_very_long_text_is_searched_by_its_rarest_words(database, search, shelf, user):
    shelf.ready("\n\n".join(f"item{number} of the list" for number in range(300)))

    expression = database.read(
        lambda db: full_text.expression(db, " ".join(f"item{number}" for number in range(300)) * 50)
    )

    assert expression.count(" OR ") == 23
    assert len(search.full_text(user, "item5 " * 100_000, 5)) == 1


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text())
def test_no_text_breaks_the_search(search, user, lease, text):
    search.full_text(user, text, 5)
    assert _texts(search, search.full_text(user, f"{text} deposit", 50)).count(
        "The deposit is three monthly rents."
    ) in (0, 1)
    if not text.strip():
        assert len(search.full_text(user, f"{text}deposit", 50)) == 1
