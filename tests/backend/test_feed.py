import asyncio
import threading

from app.backend.feed import Feed
from app.events import DocumentChanged, DocumentRemoved, Notice, WindowRequested
from app.records import Document, Problem


def document(number: int, read: int = 0) -> Document:
    return Document(
        f"d{number}", "a.pdf", None, "", "application/pdf", 1, "reading", True, 9, read, 0, 0, None, 0.0, None
    )


def notice(number: int) -> Notice:
    return Notice(Problem("n", str(number)))


async def taken(events, count: int) -> list:
    async with asyncio.timeout(10):
        return [await anext(events) for _ in range(count)]


def test_every_reader_gets_every_event_in_order():
    async def main() -> None:
        feed = Feed()
        async with feed.subscribe() as one, feed.subscribe() as other:
            for number in range(5):
                feed.publish(notice(number))

            expected = [notice(number) for number in range(5)]
            assert await taken(one, 5) == expected
            assert await taken(other, 5) == expected

    asyncio.run(main())


def test_a_reader_gets_nothing_from_before_it_came():
    async def main() -> None:
        feed = Feed()
        feed.publish(notice(1))
        async with feed.subscribe() as events:
            feed.publish(notice(2))

            assert await taken(events, 1) == [notice(2)]

    asyncio.run(main())


def test_a_notice_that_no_window_was_there_for_waits_for_the_first_one():
    async def main() -> None:
        feed = Feed()
        feed.publish(notice(1))
        async with feed.subscribe() as tool:
            feed.publish(notice(2))
            assert await taken(tool, 1) == [notice(2)]
        async with feed.subscribe(window=True) as first:
            feed.publish(notice(3))
            assert await taken(first, 3) == [notice(1), notice(2), notice(3)]
        async with feed.subscribe(window=True) as second:
            feed.publish(notice(4))
            assert await taken(second, 1) == [notice(4)]

    asyncio.run(main())


def test_only_the_newest_notices_wait_for_a_window():
    async def main() -> None:
        feed = Feed()
        for number in range(500):
            feed.publish(notice(number))
        async with feed.subscribe(window=True) as events:
            feed.publish(WindowRequested())
            seen = [event async for event in _until_window(events)]

        assert seen == [notice(number) for number in range(480, 500)]

    asyncio.run(main())


async def _until_window(events):
    async with asyncio.timeout(10):
        async for event in events:
            if event == WindowRequested():
                return
            yield event


def test_progress_that_was_not_read_yet_gives_way_to_newer_progress():
    async def main() -> None:
        feed = Feed()
        async with feed.subscribe() as events:
            for read in range(1000):
                feed.publish(DocumentChanged(document(1, read)))
            feed.publish(WindowRequested())

            assert await taken(events, 2) == [DocumentChanged(document(1, 999)), WindowRequested()]

    asyncio.run(main())


def test_a_removed_document_shows_no_more_progress():
    async def main() -> None:
        feed = Feed()
        async with feed.subscribe() as events:
            feed.publish(DocumentChanged(document(1)))
            feed.publish(notice(1))
            feed.publish(DocumentRemoved("d1"))

            assert await taken(events, 2) == [notice(1), DocumentRemoved("d1")]

    asyncio.run(main())


def test_events_from_other_threads_arrive_and_none_is_lost():
    async def main() -> None:
        feed = Feed()

        def publish(first: int) -> None:
            for number in range(first, first + 500):
                feed.publish(notice(number))

        async with feed.subscribe() as events:
            threads = [threading.Thread(target=publish, args=(500 * place,)) for place in range(4)]
            for thread in threads:
                thread.start()

            found = {int(event.problem.message) for event in await taken(events, 2000)}

            for thread in threads:
                thread.join()
        assert found == set(range(2000))

    asyncio.run(main())


def test_a_reader_far_behind_is_ended_and_the_publisher_never_waits():
    async def main() -> None:
        feed = Feed(longest_queue=10)
        async with feed.subscribe() as slow, feed.subscribe() as other:
            for number in range(10):
                feed.publish(notice(number))
            assert len(await taken(other, 10)) == 10
            feed.publish(notice(10))

            assert [event async for event in slow] == []
            assert await taken(other, 1) == [notice(10)]

    asyncio.run(main())


def test_closing_the_feed_ends_every_reader_after_what_was_published():
    async def main() -> None:
        feed = Feed()
        async with feed.subscribe() as events:
            feed.publish(notice(1))
            feed.close()

            assert [event async for event in events] == [notice(1)]
        async with feed.subscribe() as late:
            assert [event async for event in late] == []

    asyncio.run(main())


def test_a_reader_that_leaves_is_forgotten():
    async def main() -> None:
        feed = Feed()
        async with feed.subscribe():
            assert feed.readers == 1

        assert feed.readers == 0

    asyncio.run(main())


def test_publishing_to_a_loop_that_is_gone_does_no_harm():
    feed = Feed()

    async def leave_open() -> None:
        await feed.subscribe().__aenter__()

    asyncio.run(leave_open())

    feed.publish(notice(1))
