import hashlib

import numpy as np
import pytest

from app.backend.ask.scope import scope
from app.database.connection import Database
from app.database.documents import Documents, NewPassage, PageText
from app.database.search import Search
from app.database.users import Users
from app.filters import EVERYTHING, Filter

LEASE = (
    "§ 1 The flat lies in Heidelberg.",
    "§ 3 The rent is 1,180 euros. It is due on 3 May 2023.",
    "3.1 Sources of heat are named here.",
)
NOTES = (
    "Without notice, nothing is due. See section 3.",
    "INV-2023-0042 is paid. The old folder “logs” is lost.",
)


@pytest.fixture
def library(tmp_path):
    """A search over two documents, one passage a page, and its user; ids by the passages' first words."""
    database = Database(tmp_path / "carrel.db")
    database.open()
    user, documents = Users(database).local(), Documents(database)
    for name, pages, paged in (("Lease.pdf", LEASE, True), ("Move out 2023.txt", NOTES, False)):
        document, _ = documents.add(
            user,
            name=name,
            path=name,
            stored=None,
            content_hash=hashlib.sha256(name.encode()).hexdigest(),
            media_type="text/plain",
            size=1,
            paged=paged,
        )
        passages = [
            NewPassage(number, 0, len(text), None, text, "") for number, text in enumerate(pages, start=1)
        ]
        texts = [PageText(number, text) for number, text in enumerate(pages, start=1)]
        documents.complete(document.id, texts, passages, np.ones((len(pages), 4), np.float32), "e")
    yield Search(database), user
    database.close()


@pytest.fixture
def found(library):
    """The texts that a question is limited to; None: none."""
    search, user = library

    def find(question, limited=EVERYTHING):
        where = scope(search, user, question, limited)
        if where.passages is None:
            return None
        return [passage.text for passage in search.passages(where.passages)]

    return find


def test_a_page_that_is_named_is_all_that_is_searched(found):
    assert found("What is on page 2?") == [LEASE[1]]
    assert found("pages 1-2") == list(LEASE[:2])


def test_pages_that_no_document_has_are_said_and_limit_nothing(library):
    search, user = library
    where = scope(search, user, "What is on page 99?", EVERYTHING)

    assert where.passages is None
    assert where.unmet == ("page 99",)


def test_where_no_document_has_pages_of_its_own_their_numbers_mean_nothing(library):
    search, user = library
    notes = [number for number, name in search.names(user).items() if name.startswith("Move")]
    where = scope(search, user, "What is on page 2?", Filter(documents=tuple(notes)))

    assert (where.passages, where.unmet) == (None, ())


def test_a_section_is_the_one_that_begins_there_not_one_that_is_mentioned(found):
    assert found("What does § 3 say?") == list(LEASE[1:])
    assert found("What does section 3.1 say?") == [LEASE[2]]
    assert found("What does section 9 say?") is None


def test_a_quoted_phrase_has_to_be_there(found):
    assert found('Where does it say "without notice"?') == [NOTES[0]]
    assert found('Where does it say "with good notice"?') is None


def test_a_file_that_is_named_is_the_only_one_searched(library):
    search, user = library
    where = scope(search, user, "What does Lease.pdf say of rent?", EVERYTHING)

    assert [search.names(user)[number] for number in where.limited.documents] == ["Lease.pdf"]


def test_a_document_named_in_passing_comes_first_and_is_not_the_only_one(library):
    search, user = library
    where = scope(search, user, "What was paid on the move out 2023?", EVERYTHING)

    assert where.limited == EVERYTHING
    assert [search.names(user)[number] for number in where.likely] == ["Move out 2023.txt"]
    assert where.limits() == (EVERYTHING, Filter(documents=tuple(where.likely)))


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Is inv20230042 paid?", NOTES[1]),
        ("What is due on 2023-05-03?", LEASE[1]),
        ("What costs 1180?", LEASE[1]),
    ],
)
def test_codes_dates_and_numbers_are_found_however_they_are_written(library, question, text):
    search, user = library
    where = scope(search, user, question, EVERYTHING)
    hits = search.full_text(user, where.text, 5, spellings=where.spellings)

    assert search.passages([hits[0].passage_id])[0].text == text


def test_a_type_that_is_there_limits_and_one_that_is_not_is_said(library):
    search, user = library
    there = scope(search, user, "What is due in the text files?", EVERYTHING)
    absent = scope(search, user, "What is due in the spreadsheets?", EVERYTHING)
    empty = scope(search, user, "What is in the text files?", EVERYTHING)
    old = scope(search, user, "What is due in the text files from 1999?", EVERYTHING)

    assert (there.limited.types, there.unmet, there.text) == (("text",), (), "What is due?")
    assert (absent.limited, absent.unmet) == (EVERYTHING, ("spreadsheets",))
    assert (empty.limited.types, empty.text) == (("text",), "What is in the text files?")
    assert (old.limited.types, old.unmet) == (("text",), ("text files from 1999",))


def test_documents_of_another_user_are_neither_named_nor_searched(library):
    search, _ = library
    where = scope(search, "another", "What is on page 2 of Lease.pdf?", EVERYTHING)

    assert (where.limited, where.passages, where.likely) == (EVERYTHING, None, frozenset())


def test_a_folder_that_documents_tell_of_is_no_collection_that_is_missing(library):
    search, user = library

    for question in ("What is in the folder “logs”?", "Is it lost, what was in the logs folder?"):
        assert scope(search, user, question, EVERYTHING).unmet == ()
    asked = "What is in the folder “logs”?"
    assert scope(search, user, asked, EVERYTHING).asked == asked
    assert scope(search, user, "What is in the folder “Travel”?", EVERYTHING).unmet == ("folder Travel",)


def test_quotes_limit_where_to_look_only_where_that_is_asked_for(library):
    search, user = library

    assert scope(search, user, "Summarise “rent”", EVERYTHING).passages is not None
    assert scope(search, user, "Summarise “rent”", EVERYTHING, phrases=False).passages is None
