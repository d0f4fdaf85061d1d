import numpy as np
import pytest

from app.database.agreement import disagreements
from app.database.journal import Journal, text_key
from app.database.renewals import Maker, Renewals

from .conftest import EMBEDDER, vector_of

OTHER = "f" * 64
DIMENSION = 16


@pytest.fixture
def renewals(database):
    return Renewals(database)


@pytest.fixture
def journal(database):
    return Journal(database)


def read_anew(renewals, journal, document, *, but=()):
    """Note the vectors of another model for the passages of a document."""
    renewals.remember(OTHER, DIMENSION, None)
    renewals.begin(OTHER)
    passages = renewals.passages(document.id)
    renewals.name_sources((passage.id, text_key(passage.text)) for passage in passages)
    texts = [passage.text for passage in passages if passage.text not in but]
    if texts:
        vectors = np.stack([vector_of(text, DIMENSION) for text in texts])
        journal.note(document.id, OTHER, [text_key(text) for text in texts], vectors)


def found(search, user, text, dimension, embedder):
    hits = search.nearest(user, vector_of(text, dimension), 1, embedder=embedder)
    return [passage.text for passage in search.passages([hit.passage_id for hit in hits])]


def count(database, table):
    return database.read(lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


def test_the_vectors_of_all_documents_are_replaced_at_once(database, shelf, search, user, renewals, journal):
    for text in ("rent", "deposit\n\nkeys"):
        read_anew(renewals, journal, shelf.ready(text))
    assert found(search, user, "keys", 8, EMBEDDER) == ["keys"]
    assert disagreements(database) == ()

    assert renewals.replace(OTHER) == ()

    assert renewals.behind(OTHER) == ()
    assert search.makers() == {OTHER}
    assert disagreements(database) == ()
    renewals.end()
    assert count(database, "journal") == 0
    assert disagreements(database) == ()
    for text in ("rent", "deposit", "keys"):
        assert found(search, user, text, DIMENSION, OTHER) == [text]
    assert found(search, user, "keys", 8, EMBEDDER) == []


def test_a_document_without_all_its_vectors_keeps_everything_as_it_is(
    database, shelf, search, user, renewals, journal
):
    read_anew(renewals, journal, shelf.ready("rent"))
    short = shelf.ready("deposit\n\nkeys")
    read_anew(renewals, journal, short, but=("keys",))
    later = shelf.ready("garden")

    assert renewals.replace(OTHER) == (short.id, later.id)

    assert search.makers() == {EMBEDDER}
    assert count(database, "journal") == 2
    assert found(search, user, "keys", 8, EMBEDDER) == ["keys"]
    assert disagreements(database) == ()


def test_documents_whose_vectors_were_replaced_one_by_one_are_found_as_they_come(
    database, shelf, search, user, renewals, journal
):
    first, second, third = (shelf.ready(text) for text in ("rent\n\ndeposit", "keys", "garden"))
    read_anew(renewals, journal, second)
    renewals.replace(OTHER, [second.id])
    assert found(search, user, "keys", DIMENSION, OTHER) == ["keys"]

    # Now its codes are held in memory; older passages than those come after it.
    for document, texts in ((first, ("rent", "deposit")), (third, ("garden",))):
        assert found(search, user, texts[0], DIMENSION, OTHER) != [texts[0]]
        read_anew(renewals, journal, document)
        renewals.replace(OTHER, [document.id])
        for text in texts:
            assert found(search, user, text, DIMENSION, OTHER) == [text]

    assert renewals.makers() == (Maker(OTHER, None, 3),)
    assert disagreements(database) == ()


def test_a_text_that_any_document_has_a_vector_of_is_enough(database, shelf, renewals, journal):
    one, other = shelf.ready("rent"), shelf.ready("rent\n\nkeys")
    read_anew(renewals, journal, one)
    renewals.replace(OTHER, [one.id])
    read_anew(renewals, journal, other, but=("rent",))

    assert renewals.replace(OTHER, [other.id]) == ()
    assert disagreements(database) == ()


def test_what_a_model_has_read_stays_until_another_is_to_take_over(database, shelf, renewals, journal):
    document = shelf.ready("rent")
    read_anew(renewals, journal, document)
    renewals.begin(OTHER)
    assert count(database, "journal") == 1

    renewals.end()

    assert count(database, "journal") == 0
    assert disagreements(database) == ()


def test_of_two_models_that_were_to_take_over_only_the_last_one_s_vectors_wait(
    database, shelf, renewals, journal
):
    document = shelf.ready("rent")
    read_anew(renewals, journal, document)
    renewals.remember("d" * 64, DIMENSION, None)

    renewals.begin("d" * 64)

    assert not journal.known(OTHER, [text_key("rent")])
    assert disagreements(database) == ()


def test_a_vector_that_waits_for_no_model_is_a_disagreement(database, shelf, renewals, journal):
    read_anew(renewals, journal, shelf.ready("rent"))
    database.write(lambda db: db.execute("UPDATE embedders SET is_next = 0") and None)

    assert disagreements(database) == ("1 vectors in the journal of documents that do not wait",)


def test_reading_a_document_again_keeps_what_the_next_model_made_of_it(database, shelf, renewals, journal):
    document = shelf.ready("rent")
    read_anew(renewals, journal, document)

    shelf.documents.requeue(document.id)
    shelf.complete(document, ["rent"])

    assert journal.known(OTHER, [text_key("rent")])
    assert disagreements(database) == ()


def test_a_deleted_document_is_passed_over(database, shelf, user, renewals, journal):
    gone, kept = shelf.ready("rent"), shelf.ready("keys")
    for document in (gone, kept):
        read_anew(renewals, journal, document)
    shelf.documents.delete(user, gone.id)

    assert renewals.passages(gone.id) == ()
    assert renewals.replace(OTHER, [gone.id]) == ()
    assert renewals.replace(OTHER) == ()
    assert disagreements(database) == ()


def test_which_model_made_most_and_where_its_file_lay(shelf, renewals, tmp_path):
    place = tmp_path / "modèle\udcff.gguf"  # no UTF-8, as the system has it
    shelf.ready("rent", embedder=OTHER)
    for text in ("keys", "garden"):
        shelf.ready(text)
    renewals.remember(EMBEDDER, 8, place)

    assert renewals.makers() == (Maker(EMBEDDER, place, 2), Maker(OTHER, None, 1))
    renewals.remember(EMBEDDER, 8, None)
    assert renewals.makers()[0].file is None
