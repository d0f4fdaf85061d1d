import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from app.database.agreement import disagreements
from app.database.jobs import Jobs
from app.database.places import NewFile, Places, Refusal, Stamp
from app.database.placing import prefix
from app.errors import NotFoundError
from app.records import Problem

BROKEN = Problem("file_damaged", "Broken.")


@pytest.fixture
def places(database):
    yield Places(database)
    assert disagreements(database) == ()


class Folder:
    """Real files, taken in by what they hold."""

    def __init__(self, places, user, root):
        self.places = places
        self.user = user
        self.root = root

    def file(self, name, content):
        path = Path(os.path.normpath(self.root / name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return NewFile(
            str(path), path.name, hashlib.sha256(content.encode()).hexdigest(), "text/plain", len(content),
            False, Stamp.of(path.stat()),
        )  # fmt: skip

    def take(self, name, content, *, by_hand=False):
        taken = self.places.take(self.user, [self.file(name, content)], by_hand=by_hand)
        return taken.documents[0], taken.how[0] in ("known", "same"), taken.removed

    def place(self, name):
        (found,) = [place for place in self.all() if place.path == str(self.root / name)]
        return found

    def all(self):
        return self.places.under(self.user, self.root)


@pytest.fixture
def folder(places, user, tmp_path):
    return Folder(places, user, tmp_path / "papers")


@pytest.fixture
def follow(database, user, tmp_path):
    """The folder is followed: as the table says it."""
    root = tmp_path / "papers"
    row = {"id": "w", "user_id": user, "path": str(root), "place": prefix(root)[0], "state": "watching"}
    database.write(lambda db: db["watched_folders"].insert(row | {"added_at": 0.0}) and None)


def test_a_file_remembers_what_tells_that_it_was_not_touched(folder):
    document, known, _ = folder.take("a.txt", "one")

    place = folder.place("a.txt")
    assert not known
    assert place.document_id == document.id
    assert place.stamp == Stamp.of((folder.root / "a.txt").stat())
    assert (place.by_hand, place.missing_since, place.problem) == (False, None, None)


def test_a_folder_holds_what_lies_in_it_and_not_what_is_called_alike(folder, places, user):
    folder.take("a.txt", "one")
    folder.take("deep/er/b.txt", "two")
    folder.take("../papers and more/c.txt", "three")

    names = [place.path.rpartition("/")[2] for place in places.under(user, folder.root)]

    assert names == ["a.txt", "b.txt"]


def test_a_copy_is_the_same_document_at_two_places(folder, database):
    first, _, _ = folder.take("a.txt", "one")
    second, known, _ = folder.take("copy.txt", "one")

    assert known
    assert second.id == first.id
    assert Jobs(database).waiting() == 1


def test_an_edited_file_stays_its_document_and_can_be_asked_as_it_was(folder, documents, shelf, user, search):
    document, _, _ = folder.take("a.txt", "one")
    shelf.complete(document, ["the old words"])

    edited, known, removed = folder.take("a.txt", "another")

    assert (edited.id, known, removed) == (document.id, False, ())
    assert (edited.status, edited.changed, edited.askable) == ("queued", True, True)
    assert len(search.full_text(user, "old words", 5)) == 1
    assert documents.counts(user).passages == 1

    again = shelf.complete(edited, ["the new words", "of two pages"])
    assert (again.changed, again.passages) == (False, 2)
    assert search.full_text(user, "old", 5) == []
    assert len(search.full_text(user, "new words", 5)) == 1


def test_what_was_read_of_the_earlier_state_is_not_stored_any_more(folder, documents, shelf):
    document, _, _ = folder.take("a.txt", "one")
    folder.take("a.txt", "another")

    with pytest.raises(NotFoundError):
        documents.progress(document.id, pages_read=1, content_hash=document.content_hash)
    with pytest.raises(NotFoundError):
        documents.complete(document.id, [], [], _none(), "e" * 64, content_hash=document.content_hash)

    assert documents.get(folder.user, document.id).status == "queued"


def test_a_failure_of_a_job_that_was_replaced_fails_nothing(folder, documents, database):
    document, _, _ = folder.take("a.txt", "one")
    job = Jobs(database).claim()
    folder.take("a.txt", "another")

    with pytest.raises(NotFoundError):
        documents.fail(document.id, BROKEN, job=job.id)

    assert documents.get(folder.user, document.id).status == "queued"


def test_an_edit_that_cannot_be_read_leaves_what_was_read_before(folder, documents, shelf, user, search):
    document, _, _ = folder.take("a.txt", "one")
    shelf.complete(document, ["the old words"])
    folder.take("a.txt", "another")

    failed = documents.fail(document.id, BROKEN)

    assert (failed.status, failed.changed, failed.askable) == ("failed", True, True)
    assert len(search.full_text(user, "old words", 5)) == 1


def test_a_document_that_is_read_again_by_the_user_keeps_the_earlier_state_until_then(
    folder, documents, shelf, user, search
):
    document, _, _ = folder.take("a.txt", "one")
    shelf.complete(document, ["the old words"])
    folder.take("a.txt", "another")
    documents.fail(document.id, BROKEN)

    documents.requeue(document.id)

    assert len(search.full_text(user, "old words", 5)) == 1


def test_an_edited_copy_is_a_new_document_and_the_original_stays(folder):
    first, _, _ = folder.take("a.txt", "one")
    folder.take("copy.txt", "one")

    edited, known, removed = folder.take("copy.txt", "another")

    assert edited.id != first.id
    assert (known, removed) == (False, ())
    assert folder.place("a.txt").document_id == first.id


def test_a_file_that_became_a_copy_of_another_is_that_document(folder, documents):
    first, _, _ = folder.take("a.txt", "one")
    second, _, _ = folder.take("b.txt", "two")

    taken, known, removed = folder.take("b.txt", "one")

    assert (taken.id, known) == (first.id, True)
    assert [gone.document_id for gone in removed] == [second.id]
    with pytest.raises(NotFoundError):
        documents.get(folder.user, second.id)


def test_two_files_that_trade_names_stay_their_documents(folder, places, user):
    first, _, _ = folder.take("a.txt", "one")
    second, _, _ = folder.take("b.txt", "two")

    files = [folder.file("a.txt", "two"), folder.file("b.txt", "one")]
    taken = places.take(user, files, by_hand=False)

    assert [document.id for document in taken.documents] == [second.id, first.id]
    assert taken.removed == ()


def test_a_moved_file_takes_its_document_along(folder, places, user):
    document, _, _ = folder.take("a.txt", "one")
    stamp = folder.place("a.txt").stamp
    (folder.root / "a.txt").rename(folder.root / "b.txt")

    (place,) = places.with_stamp(user, stamp)
    (moved,) = places.move(user, place, str(folder.root / "b.txt"), "b.txt").documents

    assert (moved.id, moved.name, moved.path) == (document.id, "b.txt", str(folder.root / "b.txt"))
    assert [place.path for place in folder.all()] == [str(folder.root / "b.txt")]


def test_a_file_that_is_gone_leaves_its_document_missing_and_askable(folder, places, shelf, user, search):
    document, _, _ = folder.take("a.txt", "one")
    shelf.complete(document, ["the old words"])

    (missing,) = places.lose([folder.place("a.txt")]).documents
    assert (missing.missing, missing.status) == (True, "ready")
    assert len(search.full_text(user, "old words", 5)) == 1

    (back,) = places.find([folder.place("a.txt")]).documents
    assert (back.missing, back.status) == (False, "ready")


def test_a_document_that_lies_elsewhere_too_is_not_missing_and_is_shown_there(folder, places):
    folder.take("a.txt", "one")
    folder.take("copy.txt", "one")

    (document,) = places.lose([folder.place("a.txt")]).documents

    assert (document.missing, document.name) == (False, "copy.txt")


def test_a_file_that_was_not_there_to_be_read_is_read_when_it_is_back(folder, places, documents):
    document, _, _ = folder.take("a.txt", "one")
    documents.fail(document.id, Problem("file_missing", "There is no such file (any more)."))
    places.lose([folder.place("a.txt")])

    (back,) = places.find([folder.place("a.txt")]).documents

    assert (back.status, back.error) == ("queued", None)


def test_a_deleted_file_takes_its_document_along_only_if_the_user_did_not_name_it(folder, places, documents):
    found, _, _ = folder.take("found.txt", "one")
    named, _, _ = folder.take("named.txt", "two", by_hand=True)
    places.lose(folder.all())

    dropped = places.drop(folder.all())

    assert [gone.document_id for gone in dropped.removed] == [found.id]
    assert documents.get(folder.user, named.id).missing


def test_a_file_that_is_there_is_never_dropped(folder, places, documents):
    document, _, _ = folder.take("a.txt", "one")

    assert places.drop(folder.all()).removed == ()
    assert documents.get(folder.user, document.id) == document


@pytest.mark.usefixtures("follow")
def test_a_document_removed_by_the_user_is_remembered_where_its_folder_is_followed(
    folder, places, documents, user
):
    document, _, _ = folder.take("a.txt", "one")
    apart, _, _ = folder.take("../elsewhere/b.txt", "two")
    documents.delete(user, document.id)
    documents.delete(user, apart.id)

    (set_aside,) = folder.all()
    assert (set_aside.document_id, set_aside.problem) == (None, None)
    assert places.under(user, folder.root.parent / "elsewhere") == []

    again, known, _ = folder.take("a.txt", "one", by_hand=True)
    assert not known
    assert folder.place("a.txt").document_id == again.id


@pytest.mark.usefixtures("follow")
def test_what_is_apart_lies_in_no_followed_folder(folder, places, user):
    folder.take("a.txt", "one")
    folder.take("../elsewhere/b.txt", "two")

    assert [Path(place.path).name for place in places.apart(user)] == ["b.txt"]


def test_a_refused_file_is_named_and_costs_no_document(folder, places, user, documents):
    file = folder.file("odd.txt", "\0")
    places.refuse(user, [Refusal(file.path, file.name, file.stamp, 1.0, BROKEN)])

    place = folder.place("odd.txt")
    assert (place.document_id, place.problem, place.stamp) == (None, BROKEN, file.stamp)
    assert documents.list(user) == ()


def test_a_document_whose_file_became_unreadable_is_failed_and_askable(folder, places, shelf, user):
    document, _, _ = folder.take("a.txt", "one")
    shelf.complete(document, ["the old words"])
    file = folder.file("a.txt", "\0\0")

    (failed,) = places.refuse(user, [Refusal(file.path, file.name, file.stamp, 1.0, BROKEN)]).documents

    assert (failed.id, failed.status, failed.askable) == (document.id, "failed", True)
    mended, known, _ = folder.take("a.txt", "one")
    assert (mended.id, mended.status, known) == (document.id, "queued", True)


def test_a_copy_that_became_unreadable_leaves_the_document_with_the_original(folder, places, user, documents):
    document, _, _ = folder.take("a.txt", "one")
    folder.take("copy.txt", "one")
    file = folder.file("copy.txt", "\0\0")

    assert places.refuse(user, [Refusal(file.path, file.name, file.stamp, 1.0, BROKEN)]).documents == ()

    assert documents.get(user, document.id).status == "queued"
    assert folder.place("copy.txt").document_id is None


def test_an_upload_stays_what_it_is_when_a_file_with_its_content_changes(folder, documents, user, tmp_path):
    file = folder.file("a.txt", "one")
    kept = tmp_path / "kept"
    kept.write_text("one")
    upload, _ = documents.add(
        user, name="u.txt", path=None, stored=str(kept), content_hash=file.content_hash,
        media_type="text/plain", size=3, paged=False,
    )  # fmt: skip
    found, known, _ = folder.take("a.txt", "one")
    edited, _, removed = folder.take("a.txt", "another")

    assert (found.id, known, found.path) == (upload.id, True, None)
    assert edited.id != upload.id
    assert removed == ()


def _none():
    return np.empty((0, 8), np.float32)
