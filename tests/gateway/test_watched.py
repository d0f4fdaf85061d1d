"""/watched: folders are followed over the API, by path on this computer."""

import asyncio

import pytest

from app.errors import ReportedError
from app.events import FolderChanged


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "papers"
    path.mkdir()
    (path / "a.txt").write_text("One")
    (path / "b.txt").write_text("Two")
    (path / "c.md").write_text("Three")
    return path


def test_a_folder_is_followed_listed_and_left(site, folder):
    async def follow():
        standing = asyncio.Event()

        async def listen():
            async for event in site.client.feed(on_open=standing.set):
                if isinstance(event, FolderChanged) and event.folder.scanned_at is not None:
                    return event.folder
            raise AssertionError("the feed ended")

        listening = asyncio.create_task(listen())
        await standing.wait()
        begun = await site.client.watch(str(folder), include=["*.txt"], exclude=["b.*"])
        return begun, await asyncio.wait_for(listening, 60)

    begun, followed = site.do(follow())
    assert begun.scanned_at is None
    assert (followed.id, followed.path, followed.state) == (begun.id, str(folder), "watching")
    assert (followed.include, followed.exclude, followed.documents) == (("*.txt",), ("b.*",), 1)
    assert followed in site.do(site.client.watched())

    site.do(site.client.unwatch(followed.id, documents=True))
    assert followed.id not in {other.id for other in site.do(site.client.watched())}
    assert str(folder / "a.txt") not in {document.path for document in site.do(site.client.documents())}
    with pytest.raises(ReportedError) as raised:
        site.do(site.client.unwatch(followed.id))
    assert (raised.value.code, raised.value.status) == ("not_found", 404)


@pytest.mark.parametrize(
    ("given", "code", "status"),
    [
        ("papers", "invalid_request", 400),
        ("{folder}/a.txt", "invalid_request", 400),
        ("{folder}/nowhere", "folder_missing", 422),
        ("", "invalid_request", 400),
        ("x" * 4_097, "invalid_request", 400),
    ],
)
def test_what_cannot_be_followed_is_refused(site, folder, given, code, status):
    answer = site.tcp.post("/watched", json={"path": given.format(folder=folder)})

    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert site.do(site.client.watched()) == ()


@pytest.mark.parametrize(
    "wrong",
    [{"include": ["!a"]}, {"exclude": [""]}, {"exclude": ["x"] * 101}, {"include": "a"}, {"other": 1}],
)
def test_patterns_that_say_nothing_are_refused(site, folder, wrong):
    answer = site.tcp.post("/watched", json={"path": str(folder), **wrong})

    assert answer.status_code == 400
    assert site.do(site.client.watched()) == ()


def test_who_is_not_signed_in_sees_and_changes_nothing(site, folder):
    for method, path in (("GET", "/watched"), ("POST", "/watched"), ("DELETE", "/watched/1")):
        assert site.stranger.request(method, path, json={"path": str(folder)}).status_code == 401
