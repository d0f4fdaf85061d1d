import asyncio
import hashlib
import os
import stat
from pathlib import Path

import pytest

from app.errors import FileMissingError, InvalidRequestError, NotFoundError, StorageError, TooLargeError
from app.events import DocumentChanged, DocumentRemoved

as_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")


async def sent(data: bytes, piece: int = 1000):
    for start in range(0, len(data), piece):
        yield data[start : start + piece]


def kept(library) -> list[str]:
    return sorted(path.name for path in library.uploads.iterdir())


def test_a_file_added_by_path_is_queued_and_stays_where_it_is(open_library, make_pdf):
    path = make_pdf()

    async def main() -> None:
        async with open_library(working=False) as library, library.feed.subscribe() as events:
            (addition,) = await library.service.add_paths(library.user, [path])

            document = addition.document
            assert (addition.problem, addition.known) == (None, False)
            assert document.status == "queued"
            assert document.path == str(path)
            assert document.content_hash == hashlib.sha256(path.read_bytes()).hexdigest()
            assert (document.media_type, document.paged) == ("application/pdf", True)
            assert document.size == path.stat().st_size
            assert await anext(events) == DocumentChanged(document)
            assert kept(library) == []

    asyncio.run(main())


def test_each_bad_path_is_its_own_problem_and_stops_nothing(open_library, tmp_path, make_pdf):
    good = make_pdf()
    empty = tmp_path / "empty.pdf"
    empty.touch()
    archive = tmp_path / "a.rar"
    archive.write_bytes(b"Rar!\x1a\x07")
    pipe = tmp_path / "pipe.txt"
    os.mkfifo(pipe)
    bare = tmp_path / "bare"
    bare.mkdir()
    paths = [empty, tmp_path / "gone.pdf", archive, pipe, "relative.pdf", f"{tmp_path}/nul\0.pdf", bare, good]
    paths.append(tmp_path / ("x" * 300))

    async def main() -> None:
        async with open_library(working=False) as library:
            additions = await library.service.add_paths(library.user, paths)

            codes = [addition.problem.code if addition.problem else None for addition in additions]
            assert codes == [
                None,
                "file_missing",
                "unsupported_type",
                "unsupported_type",
                "invalid_request",
                "file_missing",
                "unsupported_type",
                None,
                "file_missing",
            ]
            assert additions[1].name == "gone.pdf"
            assert {document.id for document in await library.service.list(library.user)} == {
                additions[0].document.id,
                additions[7].document.id,
            }

    asyncio.run(main())


@as_root
def test_a_file_nobody_may_read_says_so(open_library, tmp_path):
    path = tmp_path / "secret.txt"
    path.write_text("x")
    path.chmod(0)

    async def main() -> None:
        async with open_library(working=False) as library:
            (addition,) = await library.service.add_paths(library.user, [path])
            assert addition.problem.code == "file_unreadable"

    asyncio.run(main())


def test_a_folder_is_walked_without_hidden_files_links_and_other_types(open_library, tmp_path):
    folder = tmp_path / "folder"
    for name in ("b.txt", "a.md", "deep/er/c.txt", ".hidden.txt", ".git/config.txt", "song.mp3", "zero.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    (folder / "zero.txt").write_text("")
    outside = tmp_path / "outside.txt"
    outside.write_text("outside")
    (folder / "link.txt").symlink_to(outside)
    (folder / "round").symlink_to(folder)

    async def main() -> None:
        async with open_library(working=False) as library:
            additions = await library.service.add_paths(library.user, [folder])

            assert [addition.name for addition in additions] == ["a.md", "b.txt", "zero.txt", "c.txt"]
            assert [addition.problem for addition in additions] == [None] * 4

    asyncio.run(main())


def test_the_same_content_is_known_wherever_it_lies(open_library, tmp_path, make_pdf):
    path = make_pdf()
    copy = tmp_path / "copy.pdf"
    copy.write_bytes(path.read_bytes())

    async def main() -> None:
        async with open_library(working=False) as library:
            first, second = await library.service.add_paths(library.user, [path, copy])
            third = await library.service.add_upload(library.user, "c.pdf", sent(path.read_bytes()), 10**6)

            assert (second.known, third.known) == (True, True)
            assert third.name != third.document.name  # what was given, and what it is in the library
            assert first.document.id == second.document.id == third.document.id
            assert kept(library) == []

    asyncio.run(main())


def test_an_upload_is_kept_under_its_content_for_the_owner_alone(open_library, make_pdf):
    data = make_pdf().read_bytes()

    async def main() -> None:
        async with open_library(working=False) as library:
            addition = await library.service.add_upload(library.user, "../../lease\n.pdf", sent(data), 10**6)

            assert addition.name == addition.document.name == "lease�.pdf"
            assert addition.document.path is None
            assert kept(library) == [hashlib.sha256(data).hexdigest()]
            place = library.uploads / kept(library)[0]
            assert place.read_bytes() == data
            assert stat.S_IMODE(place.stat().st_mode) == 0o600

    asyncio.run(main())


def test_an_upload_over_the_limit_is_refused_and_leaves_nothing(open_library):
    async def main() -> None:
        async with open_library(working=False) as library:
            with pytest.raises(TooLargeError, match="1,000 bytes"):
                await library.service.add_upload(library.user, "a.txt", sent(b"x" * 1001), 1000)
            assert kept(library) == []
            exactly = await library.service.add_upload(library.user, "a.txt", sent(b"x" * 1000), 1000)
            assert exactly.document is not None

    asyncio.run(main())


def test_an_upload_that_is_refused_or_breaks_off_leaves_nothing(open_library):
    async def broken():
        yield b"half a"
        raise ConnectionResetError

    async def main() -> None:
        async with open_library(working=False) as library:
            archive = await library.service.add_upload(library.user, "a.txt", sent(b"Rar!\x1a"), 1000)
            with pytest.raises(ConnectionResetError):
                await library.service.add_upload(library.user, "a.txt", broken(), 1000)

            assert archive.problem.code == "unsupported_type"
            assert kept(library) == []
            assert await library.service.list(library.user) == ()

    asyncio.run(main())


def test_an_upload_that_is_cancelled_leaves_nothing(open_library):
    async def endless(begun: asyncio.Event):
        yield b"x" * 1000
        begun.set()
        await asyncio.Event().wait()

    async def main() -> None:
        async with open_library(working=False) as library:
            begun = asyncio.Event()
            task = asyncio.create_task(
                library.service.add_upload(library.user, "a.txt", endless(begun), 10**6)
            )
            await begun.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert kept(library) == []

    asyncio.run(main())


def test_a_full_disk_is_said_and_nothing_is_kept(open_library, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        async with open_library(working=False) as library:
            monkeypatch.setattr(os, "fsync", full)
            with pytest.raises(StorageError, match="disk is full"):
                await library.service.add_upload(library.user, "a.txt", sent(b"text"), 1000)
            monkeypatch.undo()
            assert kept(library) == []

    asyncio.run(main())


def test_sweeping_removes_what_no_document_needs(open_library, make_pdf):
    async def main() -> None:
        async with open_library(working=False) as library:
            await library.service.add_upload(library.user, "a.txt", sent(b"needed"), 1000)
            needed = kept(library)
            (library.uploads / ".incoming-0123").write_text("cut short")
            (library.uploads / ("f" * 64)).write_text("its document is gone")

            await library.service.sweep(library.user)

            assert kept(library) == needed

    asyncio.run(main())


def test_deleting_removes_the_upload_but_never_the_users_own_file(open_library, make_pdf):
    path = make_pdf()

    async def main() -> None:
        async with open_library(working=False) as library:
            (added,) = await library.service.add_paths(library.user, [path])
            uploaded = await library.service.add_upload(library.user, "a.txt", sent(b"text"), 1000)
            async with library.feed.subscribe() as events:
                for addition in (added, uploaded):
                    await library.service.delete(library.user, addition.document.id)
                    assert await anext(events) == DocumentRemoved(addition.document.id)

            assert path.is_file()
            assert len(library.forgotten) == 2
            assert kept(library) == []
            assert await library.service.list(library.user) == ()
            with pytest.raises(NotFoundError):
                await library.service.delete(library.user, added.document.id)

    asyncio.run(main())


def test_a_page_comes_with_its_text_and_the_boxes_of_the_span(open_library, make_pdf):
    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [make_pdf(pages=3)])
            (document,) = await library.settled(added.document.id)
            text = (await library.service.page(library.user, document.id, 2)).text
            start = text.index("Clause 2.1")

            page = await library.service.page(library.user, document.id, 2, start, start + 10)

            assert (page.number, page.count, page.paged) == (2, 3, True)
            assert len(page.boxes) == 1
            with pytest.raises(NotFoundError):
                await library.service.page(library.user, document.id, 4)
            with pytest.raises(NotFoundError):
                await library.service.page("somebody else", document.id, 1)

    asyncio.run(main())


def test_a_page_image_is_drawn_and_kept(open_library, make_pdf):
    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [make_pdf()])
            (document,) = await library.settled(added.document.id)

            first = await library.service.page_image(library.user, document.id, 1, 300)
            again = await library.service.page_image(library.user, document.id, 1, 300)

            assert first.startswith(b"\x89PNG")
            assert again is first
            with pytest.raises(NotFoundError):
                await library.service.page_image(library.user, document.id, 9, 300)

    asyncio.run(main())


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"%PDF-1.4 another")])
def test_a_page_image_of_a_file_that_is_gone_or_changed_says_so_and_its_text_stays(
    open_library, make_pdf, change
):
    path = make_pdf()

    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [path])
            (document,) = await library.settled(added.document.id)
            change(path)

            with pytest.raises(FileMissingError):
                await library.service.page_image(library.user, document.id, 1, 300)
            page = await library.service.page(library.user, document.id, 1, 0, 5)
            assert page.text.startswith("Section 1")
            assert page.boxes == ()

    asyncio.run(main())


def test_a_text_has_pages_but_no_images(open_library, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("The deposit is paid in three parts.")

    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [path])
            (document,) = await library.settled(added.document.id)
            page = await library.service.page(library.user, document.id, 1, 4, 11)

            assert (page.text, page.count, page.paged, page.boxes) == (path.read_text(), 1, False, ())
            with pytest.raises(InvalidRequestError):
                await library.service.page_image(library.user, document.id, 1, 300)

    asyncio.run(main())
