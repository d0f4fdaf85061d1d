import asyncio

import pytest

from app.errors import StorageError
from app.events import DocumentChanged, DocumentRemoved, Notice


@pytest.fixture
def texts(tmp_path):
    def make(count: int):
        paths = []
        for number in range(count):
            path = tmp_path / f"{number}.txt"
            path.write_text(f"Text number {number} about the deposit.")
            paths.append(path)
        return paths

    return make


def test_files_are_read_in_the_order_they_came(open_library, texts):
    async def main() -> None:
        async with open_library() as library:
            additions = await library.service.add_paths(library.user, texts(5))
            found = await library.settled(*(addition.document.id for addition in additions))

            assert [document.ready_at for document in found] == sorted(
                document.ready_at for document in found
            )

    asyncio.run(main())


def test_a_short_file_does_not_wait_for_a_long_one_that_came_before(open_library, texts, tmp_path):
    long = tmp_path / "long.txt"
    long.write_text("The deposit is three months' rent. " * 20_000)

    async def main() -> None:
        async with open_library(working=False) as library:
            first, second = await library.service.add_paths(library.user, [long, *texts(1)])
            await library.worker.start()
            book, note = await library.settled(first.document.id, second.document.id)

            assert note.ready_at < book.ready_at

    asyncio.run(main())


def test_a_short_file_is_read_beside_a_long_one_that_was_begun(open_library, texts, gate):
    async def main() -> None:
        async with open_library(lanes=2) as library:
            held = texts(1)[0].with_name("held.txt")
            held.write_text("This one is held back.")
            library.embedder.before_batch = gate.wait
            (first,) = await library.service.add_paths(library.user, [held])
            await gate.until_reached()
            library.embedder.before_batch = None
            (second,) = await library.service.add_paths(library.user, texts(1))
            (note,) = await library.settled(second.document.id)

            assert note.status == "ready"
            assert (await library.service.get(library.user, first.document.id)).status == "embedding"
            gate.open()
            assert (await library.settled(first.document.id))[0].status == "ready"

    asyncio.run(main())


def test_work_that_was_left_is_taken_up_at_the_next_start(open_library, texts):
    async def main() -> None:
        async with open_library(working=False) as library:
            additions = await library.service.add_paths(library.user, texts(3))
            # As a process that was killed leaves it: claimed, half read.
            job = library.jobs.claim()
            library.documents.progress(job.document_id, status="embedding", pages_read=1)

        async with open_library() as library:
            found = await library.settled(*(addition.document.id for addition in additions))

            assert {document.status for document in found} == {"ready"}

    asyncio.run(main())


def test_a_file_that_ends_the_program_each_time_is_failed_and_the_rest_are_read(open_library, texts):
    async def main() -> None:
        one, other = texts(2)
        async with open_library(working=False) as library:
            (bad,) = await library.service.add_paths(library.user, [one])
        for _ in range(4):
            async with open_library(working=False) as library:
                library.jobs.recover()
                assert library.jobs.claim().document_id == bad.document.id

        async with open_library() as library:
            (good,) = await library.service.add_paths(library.user, [other])
            found = await library.settled(bad.document.id, good.document.id)

            assert [document.status for document in found] == ["failed", "ready"]
            assert found[0].error.code == "parser_limit"

    asyncio.run(main())


def test_files_at_work_when_the_program_ended_are_all_read_each_alone(open_library, texts):
    async def main() -> None:
        async with open_library(working=False) as library:
            added = await library.service.add_paths(library.user, texts(4))
            library.jobs.claim()
            library.jobs.claim()

        async with open_library() as library:
            found = await library.settled(*(addition.document.id for addition in added))

            assert {document.status for document in found} == {"ready"}

    asyncio.run(main())


def test_closing_in_the_middle_gives_the_job_back_unharmed(open_library, texts, gate):
    async def main() -> None:
        async with open_library() as library:
            library.embedder.before_batch = gate.wait
            (added,) = await library.service.add_paths(library.user, texts(1))
            await gate.until_reached()

        async with open_library(working=False) as library:
            assert (await library.service.get(library.user, added.document.id)).status == "queued"
            assert library.jobs.claim().attempts == 1

        async with open_library() as library:
            assert (await library.settled(added.document.id))[0].status == "ready"

    asyncio.run(main())


def test_deleting_a_document_that_is_being_read_stops_its_reading(open_library, texts, gate):
    async def main() -> None:
        async with open_library() as library:
            library.embedder.before_batch = gate.wait
            first, second = await library.service.add_paths(library.user, texts(2))
            await gate.until_reached()
            library.embedder.before_batch = None

            async with library.feed.subscribe() as events:
                await library.service.delete(library.user, first.document.id)
                (document,) = await library.settled(second.document.id)
                library.feed.close()
                told = [event async for event in events]

            assert document.status == "ready"
            about_first = [
                event
                for event in told
                if event == DocumentRemoved(first.document.id)
                or (isinstance(event, DocumentChanged) and event.document.id == first.document.id)
            ]
            assert about_first == [DocumentRemoved(first.document.id)]
            assert library.jobs.waiting() == 0

    asyncio.run(main())


def test_deleting_a_document_that_waits_takes_it_out_of_the_queue(open_library, texts, gate):
    async def main() -> None:
        async with open_library() as library:
            library.embedder.before_batch = gate.wait
            first, second, third = await library.service.add_paths(library.user, texts(3))
            await gate.until_reached()
            await library.service.delete(library.user, second.document.id)
            gate.open()

            found = await library.settled(first.document.id, third.document.id)

            assert {document.status for document in found} == {"ready"}
            assert [len(batch) for batch in library.embedder.batches] == [1, 1]

    asyncio.run(main())


def test_an_unexpected_error_fails_one_document_and_is_logged_without_its_text(open_library, texts, caplog):
    async def main() -> None:
        async with open_library() as library:
            library.embedder.failure = ZeroDivisionError("a bug")
            first, second = await library.service.add_paths(library.user, texts(2))
            found = await library.settled(first.document.id, second.document.id)

            assert [document.error.code for document in found] == ["internal", "internal"]
            assert "log" in found[0].error.message

    with caplog.at_level("INFO", logger="app"):
        asyncio.run(main())

    assert "ZeroDivisionError" in caplog.text
    assert "deposit" not in caplog.text


def test_a_full_disk_pauses_the_work_and_it_goes_on_by_itself(open_library, texts, monkeypatch):
    async def main() -> None:
        async with open_library() as library:
            complete = library.documents.complete
            left = [None, None]

            def full(*what, **more):
                if left:
                    left.pop()
                    raise StorageError("The disk is full: nothing was changed.")
                return complete(*what, **more)

            monkeypatch.setattr(library.documents, "complete", full)
            async with library.feed.subscribe() as events:
                (added,) = await library.service.add_paths(library.user, texts(1))
                (document,) = await library.settled(added.document.id)
                library.feed.close()
                notices = [event.problem.code async for event in events if isinstance(event, Notice)]

            assert notices == ["storage_failed"]
            assert document.status == "ready"

    asyncio.run(main())


def test_closing_twice_and_waking_a_closed_queue_do_no_harm(open_library, texts):
    async def main() -> None:
        async with open_library() as library:
            await library.worker.close()
            await library.worker.close()
            library.queue.wake()

    asyncio.run(main())
