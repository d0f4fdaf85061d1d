import asyncio
import multiprocessing
from pathlib import Path

import pytest

from app.backend.documents.files import look
from app.backend.documents.viewing import PageViewer
from app.errors import FileMissingError
from app.records import Document


def document_of(path: Path) -> Document:
    looked = look(path)
    return Document(
        "d", path.name, str(path), looked.content_hash, looked.media_type, looked.size,
        "ready", True, 3, 3, 1, 1, None, 0.0, None,
    )  # fmt: skip


def running() -> int:
    return len(multiprocessing.active_children())


def test_leafing_through_a_document_takes_one_child(make_pdf):
    path = make_pdf(pages=5)

    async def main() -> None:
        viewer = PageViewer()
        document = document_of(path)
        for number in range(1, 6):
            await viewer.picture(document, path, number, 200)
            await viewer.boxes(document, path, number, 0, 5)
        assert running() == 1
        await viewer.close()
        assert running() == 0

    asyncio.run(main())


def test_only_two_documents_are_held_open(make_pdf):
    paths = [make_pdf(f"{number}.pdf", pages=number) for number in (1, 2, 3)]

    async def main() -> None:
        viewer = PageViewer()
        for path in (*paths, *paths):
            await viewer.picture(document_of(path), path, 1, 200)
            await viewer.boxes(document_of(path), path, 1, 0, 5)
        assert running() == 2
        await viewer.close()

    asyncio.run(main())


def test_documents_looked_at_together_are_all_drawn(make_pdf):
    paths = [make_pdf(f"{number}.pdf", pages=number) for number in (1, 2, 3, 4)]

    async def main() -> None:
        viewer = PageViewer()
        images = await asyncio.gather(
            *(viewer.picture(document_of(path), path, 1, 900) for path in paths for _ in range(2))
        )
        assert all(image.startswith(b"\x89PNG") for image in images)
        await viewer.close()
        assert running() == 0

    asyncio.run(main())


def test_a_child_nobody_uses_ends_by_itself_and_the_next_request_works(make_pdf):
    path = make_pdf()

    async def main() -> None:
        viewer = PageViewer(idle_seconds=0.01)
        document = document_of(path)
        await viewer.picture(document, path, 1, 200)
        async with asyncio.timeout(30):
            while running():
                await asyncio.to_thread(
                    lambda: [child.join(0.1) for child in multiprocessing.active_children()]
                )
        assert (await viewer.picture(document, path, 2, 200)).startswith(b"\x89PNG")
        await viewer.close()

    asyncio.run(main())


def test_images_are_kept_up_to_a_bound_and_the_oldest_goes_first(make_pdf):
    path = make_pdf(pages=3)

    async def main() -> None:
        document = document_of(path)
        measured = PageViewer()
        size = max([len(await measured.picture(document, path, number, 200)) for number in (1, 2, 3)])
        await measured.close()

        viewer = PageViewer(image_bytes=int(2.5 * size))
        first = await viewer.picture(document, path, 1, 200)
        second = await viewer.picture(document, path, 2, 200)
        assert await viewer.picture(document, path, 1, 200) is first
        await viewer.picture(document, path, 3, 200)

        assert await viewer.picture(document, path, 1, 200) is first
        again = await viewer.picture(document, path, 2, 200)
        assert again == second
        assert again is not second
        await viewer.close()

    asyncio.run(main())


def test_a_forgotten_document_is_let_go(make_pdf):
    path = make_pdf()

    async def main() -> None:
        viewer = PageViewer()
        document = document_of(path)
        await viewer.picture(document, path, 1, 200)
        await viewer.forget(document.content_hash)
        assert running() == 0
        path.unlink()
        with pytest.raises(FileMissingError):
            await viewer.picture(document, path, 1, 200)

    asyncio.run(main())
