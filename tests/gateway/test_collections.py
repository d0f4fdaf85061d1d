"""/collections over the wire, and what is asked in them."""

import asyncio

import pytest

from app.errors import ReportedError
from app.events import CollectionChanged, CollectionRemoved
from app.filters import Filter


@pytest.fixture
def notes(site, tmp_path):
    """Three documents of the library; they are never read, as the site has no models."""
    for name in ("lease", "bill", "note"):
        (tmp_path / f"{name}.txt").write_text(f"The {name}.")
    additions = site.do(site.client.add_paths([str(tmp_path)]))
    yield [addition.document for addition in additions]
    for document in site.do(site.client.documents()):
        site.do(site.client.delete_document(document.id))
    for collection in site.do(site.client.collections()):
        site.do(site.client.delete_collection(collection.id))


async def next_of(changes):
    """The next event that is about a collection; documents are being read meanwhile."""
    async for event in changes:
        if isinstance(event, CollectionChanged | CollectionRemoved):
            return event
    return None


def refused(code, status):
    return pytest.raises(ReportedError, check=lambda error: (error.code, error.status) == (code, status))


def test_a_collection_is_made_changed_and_deleted_and_every_window_is_told(site, notes):
    client = site.client

    async def work():
        async with site.backend.feed.subscribe() as changes:
            made = await client.create_collection("Home", [notes[0].id])
            changed = await client.change_collection(made.id, add=[notes[1].id, notes[2].id])
            told = [await next_of(changes)]
            renamed = await client.change_collection(made.id, name="House", remove=[notes[0].id])
            told.append(await next_of(changes))
            inside = await client.documents(Filter(collections=("house",)))
            await client.delete_collection(made.id)
            told.append(await next_of(changes))
            return made, changed, renamed, inside, told

    made, changed, renamed, inside, told = site.do(work())

    assert (made.documents, changed.documents) == (1, 3)
    assert (renamed.name, renamed.documents) == ("House", 2)
    assert {document.id for document in inside} == {notes[1].id, notes[2].id}
    assert told == [CollectionChanged(changed), CollectionChanged(renamed), CollectionRemoved(made.id)]
    assert len(site.do(client.documents())) == 3
    assert site.do(client.collections()) == ()


def test_what_cannot_be_done_with_a_collection_has_a_code(site, notes):
    client = site.client
    home = site.do(client.create_collection("Home"))

    with refused("collection_exists", 409):
        site.do(client.create_collection("HOME"))
    for name in (" ", "x" * 101):
        with refused("collection_name_invalid", 400):
            site.do(client.create_collection(name))
    with refused("collection_unknown", 404):
        site.do(client.change_collection("nothing", name="Else"))
    with refused("collection_unknown", 404):
        site.do(client.delete_collection("nothing"))
    with refused("not_found", 404):
        site.do(client.change_collection(home.id, add=["nothing"]))
    for limits in ({"collections": ["nothing"]}, {"collections": ["Home", "nothing"]}):
        with refused("collection_unknown", 404):
            site.do(client.search("rent", limited=Filter(**{k: tuple(v) for k, v in limits.items()})))
        answer = site.tcp.get("/search", params={"query": "rent"} | limits)
        assert answer.json()["error"]["code"] == "collection_unknown"


def test_a_search_in_an_empty_collection_says_so(site, notes):
    site.do(site.client.create_collection("Empty"))

    found = site.do(site.client.search("rent", limited=Filter(collections=("Empty",))))
    typed = site.do(site.client.search("rent", limited=Filter(collections=("Empty",), types=("pdf",))))

    assert (found.sources, found.remark) == ((), "No document is in “Empty”.")
    assert typed.remark == "No document in “Empty” is a PDF."


def test_a_followed_folder_can_be_searched_by_its_name(site, notes, tmp_path):
    folder = tmp_path / "Letters"
    folder.mkdir()
    (folder / "letter.txt").write_text("A letter.")

    async def work():
        await site.client.watch(str(folder))
        while not (inside := await site.client.documents(Filter(collections=("letters",)))):
            await asyncio.sleep(0.05)
        (collection,) = await site.client.collections()
        try:
            with refused("collection_fixed", 400):
                await site.client.delete_collection(collection.id)
        finally:
            await site.client.unwatch(collection.id, documents=True)
        return inside, collection

    inside, collection = site.do(work())

    assert [document.name for document in inside] == ["letter.txt"]
    assert (collection.name, collection.folder) == ("Letters", str(folder))
