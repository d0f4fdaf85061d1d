import asyncio
import threading
import time

import numpy as np
import pytest
from PIL import Image, ImageDraw
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from app.backend.documents.indexing import BATCH_PASSAGES
from app.database.agreement import disagreements
from app.errors import BusyError, ModelError
from app.events import DocumentChanged


def failed(document) -> tuple[str, str]:
    return document.status, document.error.code


def test_a_document_becomes_ready_with_its_pages_passages_and_vectors(open_library, make_pdf):
    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [make_pdf(pages=5)])
            (document,) = await library.settled(added.document.id)

            assert (document.status, document.error) == ("ready", None)
            assert (document.pages, document.pages_read) == (5, 5)
            assert document.passages == document.passages_embedded > 4
            counts = library.documents.counts(library.user)
            assert (counts.documents, counts.vectors, counts.queued) == (1, document.passages, 0)
            assert library.jobs.waiting() == 0

    asyncio.run(main())


def test_the_ledger_says_which_pages_had_no_text_or_came_by_ocr_and_how_long_it_took(open_library, tmp_path):
    path = tmp_path / "mixed.pdf"
    canvas = Canvas(str(path))
    canvas.drawString(72, 700, "A page with words of its own.")
    canvas.showPage()
    canvas.showPage()  # nothing on it
    image = Image.new("RGB", (1200, 300), "white")
    ImageDraw.Draw(image).text((40, 100), "Scanned words here", font_size=80, fill="black")
    canvas.drawImage(ImageReader(image), 36, 400, 520, 130)
    canvas.save()

    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [path])
            (document,) = await library.settled(added.document.id)

            assert (document.status, document.pages) == ("ready", 3)
            assert (document.pages_empty, document.pages_by_ocr) == (1, 1)
            assert document.read_s > 0
            assert document.embed_s > 0
            assert (added.document.read_s, added.document.embed_s) == (None, None)

    asyncio.run(main())


def test_a_file_is_read_to_its_end_when_another_model_takes_over_meanwhile(
    open_library, make_pdf, word_embedder
):
    class Next(word_embedder):
        sha256, dimension = "f" * 64, 16

        def cut(self, text):
            return text[:20]

    async def main() -> None:
        async with open_library() as library:
            old, new = library.embedder, Next()

            async def taken_over() -> None:
                if old.batches:
                    at_work.append(new)
                    raise ModelError("The embedding model was closed.")

            async def embedding():
                return at_work[-1]

            at_work, old.before_batch = [old], taken_over
            library.indexer._embedder = embedding
            (added,) = await library.service.add_paths(library.user, [make_pdf(pages=BATCH_PASSAGES + 4)])
            (document,) = await library.settled(added.document.id)

            assert (document.status, document.passages_embedded) == ("ready", document.passages)
            assert len(old.batches) == 1
            assert sum(map(len, new.batches)) == document.passages
            assert max(len(text) for batch in new.batches for text in batch) == 20
            assert disagreements(library.database) == ()

    asyncio.run(main())


def test_every_vector_belongs_to_its_passage(open_library, make_pdf):
    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [make_pdf(pages=BATCH_PASSAGES + 4)])
            await library.settled(added.document.id)
            embedder = library.embedder

            query = "SELECT p.heading, p.text, v.vector FROM passages p JOIN vectors v ON v.passage = p.id"
            rows = library.database.read(lambda db: list(db.execute(query)))

            assert len(rows) > BATCH_PASSAGES
            for heading, text, vector in rows:
                stored = np.frombuffer(vector, "<f2").astype(np.float32)
                assert stored == pytest.approx(embedder.vector(f"{heading}\n{text}"), abs=2e-3)

    asyncio.run(main())


def test_each_file_fails_for_its_own_reason_and_the_rest_go_on(
    open_library, tmp_path, make_pdf, broken_pdf, locked_pdf, blank_pdf
):
    blank_text = tmp_path / "blank.txt"
    blank_text.write_text("  \n ")
    nothing = tmp_path / "nothing.pdf"
    nothing.touch()
    text = tmp_path / "good.md"
    text.write_text("# Deposit\n\nIt is paid in three parts.")

    async def main() -> None:
        async with open_library() as library:
            paths = [broken_pdf, locked_pdf, make_pdf(), blank_pdf, blank_text, nothing, text]
            additions = await library.service.add_paths(library.user, paths)
            found = await library.settled(*(addition.document.id for addition in additions))

            assert [document.error.code if document.error else document.status for document in found] == [
                "file_damaged",
                "file_encrypted",
                "ready",
                "no_text",
                "no_text",
                "file_empty",
                "ready",
            ]
            assert all(document.error.message.endswith(".") for document in found if document.error)

    asyncio.run(main())


def test_a_file_that_changed_or_went_before_it_was_read_fails_and_says_so(open_library, tmp_path):
    changed, gone = tmp_path / "changed.txt", tmp_path / "gone.txt"
    changed.write_text("as it was")
    gone.write_text("soon gone")

    async def main() -> None:
        async with open_library(working=False) as library:
            additions = await library.service.add_paths(library.user, [changed, gone])
            changed.write_text("something")
            gone.unlink()
            await library.worker.start()
            found = await library.settled(*(addition.document.id for addition in additions))

            assert [failed(document) for document in found] == [("failed", "file_missing")] * 2
            assert "changed" in found[0].error.message

    asyncio.run(main())


def test_a_failed_document_is_read_again_on_request(open_library, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("The deposit.")

    async def main() -> None:
        async with open_library() as library:
            library.embedder.failure = RuntimeError("out of order")
            (added,) = await library.service.add_paths(library.user, [path])
            (document,) = await library.settled(added.document.id)
            assert failed(document) == ("failed", "internal")
            library.embedder.failure = None

            again = await library.service.retry(library.user, document.id)
            (document,) = await library.settled(document.id)

            assert (again.status, document.status) == ("queued", "ready")
            assert (await library.service.retry(library.user, document.id)).status == "ready"

    asyncio.run(main())


def test_adding_a_failed_file_again_reads_it_again(open_library, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("The deposit.")

    async def main() -> None:
        async with open_library() as library:
            library.embedder.failure = RuntimeError("out of order")
            (added,) = await library.service.add_paths(library.user, [path])
            await library.settled(added.document.id)
            library.embedder.failure = None

            (again,) = await library.service.add_paths(library.user, [path])
            (document,) = await library.settled(added.document.id)

            assert (again.known, document.status) == (True, "ready")

    asyncio.run(main())


def test_vectors_of_texts_seen_lately_are_not_computed_again(open_library, make_pdf):
    path = make_pdf(pages=6)

    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [path])
            await library.settled(added.document.id)
            computed = sum(map(len, library.embedder.batches))
            await library.service.delete(library.user, added.document.id)

            (added,) = await library.service.add_paths(library.user, [path])
            (document,) = await library.settled(added.document.id)

            assert document.status == "ready"
            assert sum(map(len, library.embedder.batches)) == computed > 0

    asyncio.run(main())


def test_batches_are_small_so_that_a_kill_costs_one_at_most(open_library, make_pdf):
    async def main() -> None:
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [make_pdf(pages=4 * BATCH_PASSAGES)])
            await library.settled(added.document.id)

            assert len(library.embedder.batches) > 3
            assert max(map(len, library.embedder.batches)) <= BATCH_PASSAGES

    asyncio.run(main())


def test_a_busy_embedder_is_asked_again(open_library, tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("The deposit.")

    async def main() -> None:
        async with open_library() as library:
            library.embedder.failure = BusyError(retry_after=0)

            async def recover() -> None:
                if library.embedder.failure is not None and len(asked) == 3:
                    library.embedder.failure = None
                asked.append(None)

            asked: list[None] = []
            library.embedder.before_batch = recover
            (added,) = await library.service.add_paths(library.user, [path])
            (document,) = await library.settled(added.document.id)

            assert document.status == "ready"
            assert len(asked) == 4

    asyncio.run(main())


def test_progress_is_told_while_it_goes_on_and_only_ever_grows(open_library, make_pdf):
    async def main() -> None:
        async with open_library() as library, library.feed.subscribe() as events:
            (added,) = await library.service.add_paths(library.user, [make_pdf(pages=60)])
            seen = []
            async with asyncio.timeout(60):
                async for event in events:
                    if isinstance(event, DocumentChanged):
                        seen.append(event.document)
                        if event.document.status == "ready":
                            break

            order = ["queued", "reading", "embedding", "ready"]
            places = [order.index(document.status) for document in seen]
            assert places == sorted(places)
            assert [document.pages_read for document in seen] == sorted(
                document.pages_read for document in seen
            )
            assert {document.id for document in seen} == {added.document.id}

    asyncio.run(main())


@pytest.mark.slow
def test_the_loop_stays_responsive_while_three_hundred_pages_are_read(open_library, make_pdf, processor_wait):
    path = make_pdf(pages=300, lines=40)

    async def main() -> list[float]:
        gaps: list[float] = []
        async with open_library() as library:
            (added,) = await library.service.add_paths(library.user, [path])
            reading = asyncio.create_task(library.settled(added.document.id))
            last, waited = time.perf_counter(), processor_wait()
            while not reading.done():
                await asyncio.wait([reading], timeout=0.01)
                now, waited_now = time.perf_counter(), processor_wait()
                gaps.append(now - last - (waited_now - waited))
                last, waited = now, waited_now
            assert reading.result()[0].status == "ready"
        return gaps

    gaps = sorted(asyncio.run(main()))

    assert len(gaps) > 50
    assert gaps[int(len(gaps) * 0.99)] < 0.1


def test_nothing_of_a_library_runs_on_after_it_was_closed(open_library, make_pdf):
    async def main() -> None:
        async with open_library() as library:
            await library.service.add_paths(library.user, [make_pdf(pages=20)])
            await library.when(lambda event: library.status(event, "reading"))

    asyncio.run(main())

    assert [thread.name for thread in threading.enumerate() if "database" in thread.name] == []
