import os
import threading
from pathlib import Path

import numpy as np
import pytest

from app.database.agreement import disagreements
from app.database.connection import Database
from app.database.documents import Documents, NewPassage, PageText
from app.database.jobs import Jobs
from app.errors import NotFoundError
from app.records import Problem


def _add(documents, user, content_hash="a" * 64, *, path="/somewhere/a.txt", stored=None, name="a.txt"):
    return documents.add(
        user,
        name=name,
        path=path,
        stored=stored,
        content_hash=content_hash,
        media_type="text/plain",
        size=3,
        paged=False,
    )


def test_a_new_document_is_queued_with_a_job(database, documents, user):
    document, known = _add(documents, user)

    assert not known
    assert (document.status, document.name, document.path) == ("queued", "a.txt", "/somewhere/a.txt")
    assert (document.pages, document.passages, document.error, document.ready_at) == (None, 0, None, None)
    assert documents.get(user, document.id) == document
    assert Jobs(database).claim().document_id == document.id


def test_the_same_content_is_known(database, documents, user):
    first, _ = _add(documents, user)
    again, known = _add(documents, user, path="/elsewhere/b.txt", name="b.txt")

    assert known
    assert again.id == first.id
    assert Jobs(database).waiting() == 1


def test_the_same_content_of_another_user_is_not_known(documents, user, another_user):
    first, _ = _add(documents, user)
    second, known = _add(documents, another_user)

    assert not known
    assert second.id != first.id


def test_adding_a_failed_document_again_queues_it(database, documents, user):
    document, _ = _add(documents, user)
    documents.fail(document.id, Problem("file_damaged", "Broken."))

    again, known = _add(documents, user)

    assert known
    assert (again.status, again.error) == ("queued", None)
    assert Jobs(database).claim().document_id == document.id


def test_a_known_document_whose_file_is_gone_takes_the_new_place(documents, user, tmp_path):
    document, _ = _add(documents, user, path=str(tmp_path / "gone.txt"))
    kept = tmp_path / "uploads" / "kept"
    kept.parent.mkdir()
    kept.write_text("abc")

    _add(documents, user, path=None, stored=str(kept))

    assert documents.location(document.id) == kept


def test_a_known_document_whose_file_is_there_keeps_its_place(documents, user, tmp_path):
    original = tmp_path / "original.txt"
    original.write_text("abc")
    document, _ = _add(documents, user, path=str(original))

    again, _ = _add(documents, user, path="/elsewhere/b.txt")

    assert documents.location(document.id) == original
    assert again.path == str(original)


def test_a_kept_upload_moves_with_its_profile(tmp_path):
    first = tmp_path / "first"
    database = Database(first / "carrel.db")
    database.open()
    database.write(lambda db: db["users"].insert({"id": "u", "name": "u", "created_at": 0.0}) and None)
    document, _ = _add(Documents(database), "u", path=None, stored=str(first / "uploads" / "x"))
    database.close()
    first.rename(tmp_path / "second")

    moved = Database(tmp_path / "second" / "carrel.db")
    moved.open()

    assert Documents(moved).location(document.id) == tmp_path / "second" / "uploads" / "x"
    moved.close()


def test_a_file_name_that_is_not_utf8_is_kept_byte_for_byte(documents, user):
    path = os.fsdecode(b"/somewhere/\xe4rger.txt")

    document, _ = _add(documents, user, path=path, name=Path(path).name)

    assert os.fsencode(documents.location(document.id)) == b"/somewhere/\xe4rger.txt"
    assert document.name == "\ufffdrger.txt"
    assert document.path == "/somewhere/\ufffdrger.txt"


def test_documents_are_listed_newest_first_and_only_to_their_user(shelf, documents, user, another_user):
    first, second = shelf.add(), shelf.add()
    theirs = shelf.add(user=another_user)

    assert [document.id for document in documents.list(user)] == [second.id, first.id]
    assert [document.id for document in documents.list(another_user)] == [theirs.id]
    with pytest.raises(NotFoundError):
        documents.get(user, theirs.id)
    with pytest.raises(NotFoundError):
        documents.delete(user, theirs.id)
    assert documents.owner(theirs.id) == another_user


def test_progress_changes_what_is_given_and_keeps_the_rest(documents, shelf):
    document = shelf.add()
    documents.progress(document.id, status="reading", pages=12, pages_read=3)

    changed = documents.progress(document.id, pages_read=4)

    assert (changed.status, changed.pages, changed.pages_read) == ("reading", 12, 4)


def test_a_completed_document_is_ready_with_all_that_was_made_from_it(database, documents, shelf, search):
    document = shelf.ready("The rent is 900 euros.\n\nIt is due monthly.", "Pets are allowed.")

    assert (document.status, document.pages, document.pages_read) == ("ready", 2, 2)
    assert (document.passages, document.passages_embedded) == (3, 3)
    assert document.ready_at >= document.added_at
    assert documents.page(document.id, 2) == PageText(2, "Pets are allowed.")
    assert [passage.text for passage in search.passages([1, 2, 3])] == [
        "The rent is 900 euros.",
        "It is due monthly.",
        "Pets are allowed.",
    ]
    assert Jobs(database).waiting() == 0
    assert disagreements(database) == ()


def test_pages_and_passages_come_back_as_they_were_whatever_they_hold(documents, shelf, search):
    text = (
        'Zero \x00 byte, "quotes", emoji 😀🏽, ligature ﬁ, e\u0301, \u202eright to left\u202c, tab\t.\r\nEnd'
    )

    document = shelf.ready(text)

    assert documents.page(document.id, 1).text == text
    assert search.passages([1])[0].text == text


def test_a_page_that_is_not_there_is_not_found(documents, shelf):
    document = shelf.ready("One page.")

    for number in (0, 2, -1):
        with pytest.raises(NotFoundError):
            documents.page(document.id, number)


def test_completing_again_replaces_what_was_there(database, documents, shelf, search, user):
    document = shelf.ready("The old rent.\n\nSome more.")
    documents.requeue(document.id)

    shelf.complete(document, ["The new deposit."])

    assert search.full_text(user, "rent", 5) == []
    assert len(search.full_text(user, "deposit", 5)) == 1
    assert documents.counts(user).passages == 1
    assert disagreements(database) == ()


def test_requeueing_a_ready_document_takes_its_passages_away(database, documents, shelf, search, user):
    document = shelf.ready("The rent is 900 euros.")

    queued = documents.requeue(document.id)

    assert (queued.status, queued.passages, queued.ready_at) == ("queued", 0, None)
    assert search.full_text(user, "rent", 5) == []
    assert Jobs(database).claim().document_id == document.id
    assert disagreements(database) == ()


def test_a_failed_document_says_why_and_has_no_job(database, documents, shelf):
    document = shelf.add()

    failed = documents.fail(document.id, Problem("no_text", "There is no text."))

    assert (failed.status, failed.error) == ("failed", Problem("no_text", "There is no text."))
    assert Jobs(database).claim() is None
    assert disagreements(database) == ()


def test_deleting_takes_everything_made_from_a_document(database, documents, shelf, search, user, meaning):
    gone = shelf.ready("The rent is 900 euros.")
    kept = shelf.ready("The rent is 700 euros.")

    documents.delete(user, gone.id)

    assert [document.id for document in documents.list(user)] == [kept.id]
    found = search.full_text(user, "rent", 5)
    assert [passage.document_id for passage in search.passages([hit.passage_id for hit in found])] == [
        kept.id
    ]
    assert [hit.passage_id for hit in search.nearest(user, meaning("The rent is 900 euros."), 5)] == [2]
    rows = database.read(
        lambda db: {
            name: db[name].count
            for name in ("documents", "pages", "passages", "vectors", "passages_fts_docsize", "jobs")
        }
    )
    assert rows == {
        "documents": 1,
        "pages": 1,
        "passages": 1,
        "vectors": 1,
        "passages_fts_docsize": 1,
        "jobs": 0,
    }
    assert disagreements(database) == ()


def test_a_deleted_text_is_not_left_in_the_file(database, documents, shelf, user):
    # Single words stay in the full-text index until FTS5 merges it; no sentence does.
    document = shelf.ready("The secret word is in this sentence.", heading="Secret heading")
    documents.delete(user, document.id)
    database.close()

    content = database.path.read_bytes()
    assert b"The secret word" not in content
    assert b"Secret heading" not in content


def test_deleting_names_the_kept_upload_and_never_the_users_own_file(documents, user, tmp_path):
    own, _ = _add(documents, user, "a" * 64)
    kept, _ = _add(documents, user, "b" * 64, path=None, stored=str(tmp_path / "uploads" / "x"))

    assert documents.delete(user, own.id) is None
    assert documents.delete(user, kept.id) == tmp_path / "uploads" / "x"


def test_the_worker_of_a_deleted_document_is_told_and_writes_nothing(database, documents, shelf, user):
    document = shelf.add()
    Jobs(database).claim()
    documents.delete(user, document.id)

    with pytest.raises(NotFoundError):
        documents.progress(document.id, pages_read=1)
    with pytest.raises(NotFoundError):
        shelf.complete(document, ["Too late."])
    with pytest.raises(NotFoundError):
        documents.fail(document.id, Problem("no_text", "There is no text."))

    rows = database.read(
        lambda db: [db[name].count for name in ("documents", "pages", "passages", "vectors")]
    )
    assert rows == [0, 0, 0, 0]
    assert disagreements(database) == ()


def test_deleting_while_the_worker_completes_ends_in_one_of_the_two(database, documents, shelf, user):
    for _ in range(20):
        document = shelf.add()
        start = threading.Barrier(2)
        outcome = []

        def complete(document=document, start=start, outcome=outcome):
            start.wait()
            try:
                shelf.complete(document, ["Some text.\n\nSome more."])
            except NotFoundError:
                outcome.append("told")
            else:
                outcome.append("completed")

        worker = threading.Thread(target=complete)
        worker.start()
        start.wait()
        documents.delete(user, document.id)
        worker.join()
        assert outcome in (["told"], ["completed"])

    assert documents.list(user) == ()
    assert disagreements(database) == ()


def test_vectors_that_do_not_fit_are_refused_and_nothing_is_written(database, documents, shelf):
    document = shelf.add()
    passage = NewPassage(1, 0, 1, None, "a", "0" * 64)

    for vectors in (
        np.zeros((2, 8), np.float32),
        np.zeros(8, np.float32),
        np.full((1, 8), np.nan, np.float32),
        np.full((1, 8), np.inf, np.float32),
    ):
        with pytest.raises(ValueError):
            documents.complete(document.id, [PageText(1, "a")], [passage], vectors, "e" * 64)

    assert database.read(lambda db: [db[name].count for name in ("pages", "passages", "vectors")]) == [
        0,
        0,
        0,
    ]


def test_one_embedder_makes_vectors_of_one_dimension(shelf):
    shelf.ready("One.", vectors=np.ones((1, 8), np.float32))

    with pytest.raises(ValueError):
        shelf.ready("Two.", vectors=np.ones((1, 9), np.float32))


def test_counts_are_those_of_one_user(documents, shelf, user, another_user):
    shelf.ready("One.\n\nTwo.")
    shelf.add()
    documents.fail(shelf.add().id, Problem("no_text", "There is no text."))
    shelf.ready("Three.", user=another_user)

    counts = documents.counts(user)

    assert (counts.documents, counts.passages, counts.vectors, counts.queued) == (3, 2, 2, 1)
