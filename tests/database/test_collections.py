from pathlib import Path

import pytest

from app.database.agreement import disagreements
from app.database.collections import LONGEST_NAME, Collections
from app.database.places import NewFile, Places, Stamp
from app.database.watched import WatchedFolders
from app.errors import CollectionError, NotFoundError
from app.filters import Filter


@pytest.fixture
def collections(database):
    yield Collections(database)
    assert disagreements(database) == ()


def refused(code):
    return pytest.raises(CollectionError, check=lambda error: error.code == code)


def inside(documents, user, collection):
    return {document.name for document in documents.list(user, Filter(collections=(collection.id,)))}


def test_a_document_can_be_in_several_collections(collections, documents, shelf, user):
    lease, bill, note = shelf.add("lease.pdf"), shelf.add("bill.pdf"), shelf.add("note.txt")

    home = collections.create(user, "Home", [lease.id, bill.id])
    taxes = collections.create(user, "Taxes", [bill.id, bill.id])

    assert (home.documents, taxes.documents) == (2, 1)
    assert [found.name for found in collections.list(user)] == ["Home", "Taxes"]
    assert inside(documents, user, home) == {"lease.pdf", "bill.pdf"}
    assert inside(documents, user, taxes) == {"bill.pdf"}
    either = Filter(collections=(home.id, taxes.id))
    assert len(documents.list(user, either)) == 2
    assert collections.change(user, taxes.id, add=[note.id], remove=[bill.id]).documents == 1
    assert inside(documents, user, taxes) == {"note.txt"}


def test_a_deleted_collection_deletes_no_document_and_a_deleted_document_no_collection(
    collections, documents, shelf, user
):
    lease, bill = shelf.ready("Rent."), shelf.ready("Bill.")
    home = collections.create(user, "Home", [lease.id, bill.id])

    documents.delete(user, lease.id)
    assert collections.get(user, home.id).documents == 1

    collections.delete(user, home.id)
    assert [document.id for document in documents.list(user)] == [bill.id]
    assert collections.list(user) == ()
    with refused("collection_unknown"):
        collections.get(user, home.id)
    assert documents.list(user, Filter(collections=(home.id,))) == ()


def test_a_collection_is_renamed_and_keeps_its_documents(collections, documents, shelf, user):
    home = collections.create(user, "Home", [shelf.add("lease.pdf").id])

    renamed = collections.change(user, home.id, name="  My \n house ")

    assert (renamed.id, renamed.name) == (home.id, "My house")
    assert inside(documents, user, renamed) == {"lease.pdf"}
    assert collections.change(user, home.id, name="MY HOUSE").name == "MY HOUSE"


@pytest.mark.parametrize("name", ["", "  \n ", "x" * (LONGEST_NAME + 1)])
def test_a_name_that_is_blank_or_too_long_is_refused(collections, user, name):
    home = collections.create(user, "Home")

    with refused("collection_name_invalid"):
        collections.create(user, name)
    with refused("collection_name_invalid"):
        collections.change(user, home.id, name=name)
    assert [found.name for found in collections.list(user)] == ["Home"]


def test_a_name_is_there_once_whatever_its_capitals_and_its_form(collections, user, another_user):
    collections.create(user, "Häuser")
    other = collections.create(user, "Other")

    for name in ("häuser", "HÄUSER", " Ha\u0308user "):
        with refused("collection_exists"):
            collections.create(user, name)
        with refused("collection_exists"):
            collections.change(user, other.id, name=name)
    assert collections.create(another_user, "Häuser").name == "Häuser"


def test_nothing_is_changed_where_one_document_is_unknown(collections, shelf, user, another_user):
    lease = shelf.add()
    theirs = shelf.add(user=another_user)
    home = collections.create(user, "Home")

    for unknown in ("nothing", theirs.id):
        with pytest.raises(NotFoundError):
            collections.change(user, home.id, name="Else", add=[lease.id, unknown])
        with pytest.raises(NotFoundError):
            collections.create(user, "Another", [lease.id, unknown])
    assert collections.list(user) == (home,)


def test_collections_of_another_user_are_neither_seen_nor_changed(collections, shelf, user, another_user):
    home = collections.create(user, "Home", [shelf.add().id])

    assert collections.list(another_user) == ()
    for change in (
        lambda: collections.get(another_user, home.id),
        lambda: collections.change(another_user, home.id, name="Mine"),
        lambda: collections.delete(another_user, home.id),
        lambda: collections.named(another_user, ["Home"]),
    ):
        with refused("collection_unknown"):
            change()
    assert collections.get(user, home.id) == home


# --- folders


@pytest.fixture
def follow(database, user, tmp_path):
    """Follows a folder and takes files into it, by their names."""

    def follow(name, *files):
        for number, file in enumerate(files):
            path = str(tmp_path / name / file)
            content = f"{hash((name, file)) & (2**64 - 1):064x}"
            new = NewFile(path, Path(path).name, content, "text/plain", 1, False, Stamp(1, 1, number))
            Places(database).take(user, [new], by_hand=False)
        return WatchedFolders(database).add(user, tmp_path / name, [], [])

    return follow


def test_a_followed_folder_is_a_collection_of_what_lies_in_it(collections, documents, shelf, user, follow):
    shelf.add("elsewhere.txt")
    follow("papers too", "b.txt")
    follow("papers", "a.txt", "deep/er/c.txt", "deep/d.txt")
    deep = follow("papers/deep")

    found = {collection.name: collection for collection in collections.list(user)}

    assert list(found) == ["papers too", "papers", "deep"]
    assert inside(documents, user, found["papers"]) == {"a.txt", "c.txt", "d.txt"}
    assert inside(documents, user, found["deep"]) == {"c.txt", "d.txt"}
    assert inside(documents, user, found["papers too"]) == {"b.txt"}
    assert [collection.documents for collection in found.values()] == [1, 3, 2]
    assert (found["deep"].id, found["deep"].folder) == (deep.id, deep.path)


def test_the_collection_of_a_folder_cannot_be_changed_by_hand(collections, shelf, user, follow):
    papers = follow("papers", "a.txt")
    document = shelf.add()

    for change in (
        lambda: collections.change(user, papers.id, name="Else"),
        lambda: collections.change(user, papers.id, add=[document.id]),
        lambda: collections.delete(user, papers.id),
    ):
        with refused("collection_fixed"):
            change()
    assert collections.get(user, papers.id).documents == 1


def test_collections_are_named_by_id_by_name_and_folders_by_path(collections, user, follow, tmp_path):
    home = collections.create(user, "Papers")
    first, second = follow("papers"), follow("old/papers")
    notes = follow("notes")

    def ids(*names):
        return [found.id for found in collections.named(user, names)]

    assert ids(home.id, "PAPERS", "  papers ") == [home.id]
    assert ids("Notes") == [notes.id]
    assert ids(second.path, first.id) == [second.id, first.id]
    with refused("collection_unknown"):
        ids("nothing")
    collections.delete(user, home.id)
    with refused("collection_unknown"):
        ids("papers")


def test_a_search_in_a_collection_finds_nothing_else(collections, search, shelf, user, meaning, follow):
    first, second = shelf.ready("The rent is 900."), shelf.ready("The rent is 700.")
    home = collections.create(user, "Home", [second.id])
    empty = follow("papers")

    def found(*ids, **more):
        limited = Filter(collections=ids, **more)
        words = search.full_text(user, "rent", 5, limited)
        near = search.nearest(user, meaning("The rent is 900."), 5, limited)
        assert {hit.passage_id for hit in words} == {hit.passage_id for hit in near}
        return [hit.passage_id for hit in words]

    assert found(home.id) == found(home.id, empty.id) == [2]
    assert found(empty.id) == found("nothing") == found(home.id, documents=(first.id,)) == []


def test_what_is_in_a_collection_or_a_folder_is_looked_up_in_an_index(database, user):
    from app.database.filtering import condition

    where = condition(user, Filter(collections=("c",)))
    query = f"EXPLAIN QUERY PLAN SELECT d.serial FROM documents d WHERE {where.sql}"
    plan = database.read(lambda db: [row[3] for row in db.execute(query, where.values)])

    assert not [step for step in plan if step.startswith("SCAN") and "json_each" not in step]
    assert any("path>?" in step and "path<?" in step for step in plan)
