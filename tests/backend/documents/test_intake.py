"""Nothing is opened, read or stored twice that was not touched."""

import asyncio
import os
import time

import pytest

from app.backend.documents import files
from app.database.agreement import disagreements
from app.events import DocumentRemoved

LONG_AGO = time.time() - 86_400


@pytest.fixture
def opened(monkeypatch):
    """The paths of the files that were opened."""
    paths = []
    look = files.look
    monkeypatch.setattr(files, "look", lambda path: paths.append(path.name) or look(path))
    return paths


def write(path, text, at=LONG_AGO):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))
    return path


async def add(library, *paths):
    additions = await library.service.add_paths(library.user, paths)
    await library.settled(*(addition.document.id for addition in additions if addition.document))
    return additions


def test_a_thousand_files_that_were_not_touched_are_added_again_in_no_time(open_library, tmp_path, opened):
    folder = tmp_path / "papers"
    for number in range(1_000):
        write(folder / f"{number % 10}" / f"{number}.txt", f"Paper {number} on the deposit.")

    async def main() -> None:
        async with open_library(working=False) as library:
            first = await library.service.add_paths(library.user, [folder])
            assert len(opened) == 1_000
            opened.clear()
            began = time.monotonic()

            again = await library.service.add_paths(library.user, [folder])

            assert time.monotonic() - began < 3
            assert opened == []
            assert [addition.document.id for addition in again] == [
                addition.document.id for addition in first
            ]
            assert all(addition.known for addition in again)
            assert library.jobs.waiting() == 1_000

    asyncio.run(main())


def test_of_a_folder_only_what_was_touched_is_opened(open_library, tmp_path, opened):
    folder = tmp_path / "papers"
    for number in range(5):
        write(folder / f"{number}.txt", f"Paper {number}.")

    async def main() -> None:
        async with open_library() as library:
            first = await add(library, folder)
            opened.clear()
            write(folder / "3.txt", "Paper three, second edition.", at=LONG_AGO + 1)
            again = await add(library, folder)

            assert opened == ["3.txt"]
            assert [addition.known for addition in again] == [True, True, True, False, True]
            assert again[3].document.id == first[3].document.id
            assert disagreements(library.database) == ()

    asyncio.run(main())


def test_a_file_written_in_the_very_moment_it_was_read_is_looked_at_once_more(open_library, tmp_path, opened):
    folder = tmp_path / "papers"
    write(folder / "a.txt", "One", at=time.time())

    async def main() -> None:
        async with open_library() as library:
            await add(library, folder)
            opened.clear()
            await add(library, folder)

            assert opened == ["a.txt"]

    asyncio.run(main())


def test_a_renamed_folder_is_known_without_opening_a_file(open_library, tmp_path, opened):
    folder = tmp_path / "papers"
    for number in range(5):
        write(folder / f"{number}.txt", f"Paper {number}.")

    async def main() -> None:
        async with open_library() as library:
            first = await add(library, folder)
            opened.clear()
            again = await add(library, folder.rename(tmp_path / "archive"))

            assert opened == []
            assert [addition.document.id for addition in again] == [
                addition.document.id for addition in first
            ]
            assert again[0].document.path == str(tmp_path / "archive" / "0.txt")
            assert len(library.embedder.batches) == 5

    asyncio.run(main())


def test_an_edited_file_can_be_asked_as_it_was_until_it_is_read_again(open_library, tmp_path, gate):
    path = write(tmp_path / "a.txt", "The deposit is two rents.")

    async def main() -> None:
        async with open_library() as library:
            (first,) = await add(library, path)
            library.embedder.before_batch = gate.wait
            write(path, "The deposit is three rents.", at=LONG_AGO + 1)
            (again,) = await library.service.add_paths(library.user, [path])
            await gate.until_reached()

            document = await library.service.get(library.user, first.document.id)
            assert (again.document.id, again.known) == (first.document.id, False)
            assert (document.status, document.changed, document.askable) == ("embedding", True, True)
            assert texts(library) == ["The deposit is two rents."]
            assert disagreements(library.database) == ()

            gate.open()
            (document,) = await library.settled(document.id)
            assert (document.status, document.changed) == ("ready", False)
            assert texts(library) == ["The deposit is three rents."]
            assert disagreements(library.database) == ()

    asyncio.run(main())


def test_a_file_that_is_edited_while_it_is_read_ends_as_its_last_state(open_library, tmp_path, gate):
    path = write(tmp_path / "a.txt", "The deposit is two rents.")

    async def main() -> None:
        async with open_library(lanes=2) as library:
            library.embedder.before_batch = gate.wait
            (first,) = await library.service.add_paths(library.user, [path])
            await gate.until_reached()
            library.embedder.before_batch = None
            write(path, "The deposit is three rents.", at=LONG_AGO + 1)
            await library.service.add_paths(library.user, [path])
            gate.open()

            (document,) = await library.settled(first.document.id)
            assert document.status == "ready"
            assert texts(library) == ["The deposit is three rents."]
            assert library.jobs.waiting() == 0
            assert disagreements(library.database) == ()

    asyncio.run(main())


def test_a_document_whose_content_is_nowhere_any_more_is_said_to_be_removed(open_library, tmp_path):
    first, second = write(tmp_path / "a.txt", "One"), write(tmp_path / "b.txt", "Two")

    async def main() -> None:
        async with open_library() as library:
            one, two = await add(library, first, second)
            write(second, "One", at=LONG_AGO + 1)
            async with library.feed.subscribe() as events:
                await add(library, second)
                library.feed.close()
                told = [event async for event in events]

            assert DocumentRemoved(two.document.id) in told
            assert [document.id for document in await library.service.list(library.user)] == [one.document.id]
            assert library.forgotten == [True]

    asyncio.run(main())


def texts(library):
    return [row[0] for row in library.database.read(lambda db: list(db.execute("SELECT text FROM passages")))]
