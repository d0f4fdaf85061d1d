"""No text is embedded twice, whatever file it stands in and whatever ended the program meanwhile."""

import asyncio

import pytest

from app.backend.documents.indexing import BATCH_PASSAGES
from app.database.agreement import disagreements

SENTENCE = "The tenant of flat {} pays the rent on the first of the month. "


def book(path, flats):
    path.write_text("\n\n".join(SENTENCE.format(flat) * 6 for flat in flats))
    return path


def embedded(library):
    return [text for batch in library.embedder.batches for text in batch]


def without_cache(library):
    """As after a quarter of an hour."""
    library.indexer._cache.get = lambda sha256, texts: [None] * len(texts)


async def add(library, path):
    (added,) = await library.service.add_paths(library.user, [path])
    (document,) = await library.settled(added.document.id)
    assert document.status == "ready"
    return document


def test_of_an_edited_file_only_what_changed_is_embedded(open_library, tmp_path):
    async def main() -> None:
        async with open_library() as library:
            before = await add(library, book(tmp_path / "book.txt", range(2 * BATCH_PASSAGES)))
            first = embedded(library)
            library.embedder.batches.clear()
            without_cache(library)

            after = await add(
                library, book(tmp_path / "book.txt", [*range(15), 9_999, *range(16, 2 * BATCH_PASSAGES)])
            )

            assert len(first) == before.passages > 3 * BATCH_PASSAGES / 2
            assert 0 < len(embedded(library)) <= 3
            assert all("9999" in text for text in embedded(library))
            assert after.passages_embedded == after.passages
            assert disagreements(library.database) == ()

    asyncio.run(main())


def test_a_text_that_stands_in_a_file_many_times_is_embedded_once(open_library, tmp_path):
    async def main() -> None:
        async with open_library() as library:
            document = await add(library, book(tmp_path / "book.txt", [7] * 30))

            assert document.passages > len(embedded(library))
            assert len(embedded(library)) == len(set(embedded(library)))
            assert disagreements(library.database) == ()

    asyncio.run(main())


@pytest.mark.parametrize("ending", ["closed", "killed"])
def test_what_was_embedded_before_the_program_ended_is_not_embedded_again(
    open_library, tmp_path, gate, ending
):
    path = book(tmp_path / "book.txt", range(3 * BATCH_PASSAGES))

    async def main() -> None:
        async with open_library() as library:

            async def stop_at_the_third() -> None:
                if len(library.embedder.batches) == 2:
                    await gate.wait()

            library.embedder.before_batch = stop_at_the_third
            (added,) = await library.service.add_paths(library.user, [path])
            await gate.until_reached()
            first = embedded(library)
            if ending == "killed":  # nothing is given back: as a process that is gone leaves it
                for task in library.worker._tasks:
                    task.cancel()
                library.queue.release = _nothing
        async with open_library() as library:
            without_cache(library)
            (document,) = await library.settled(added.document.id)

            assert document.status == "ready"
            assert len(first) == 2 * BATCH_PASSAGES
            assert not set(first) & set(embedded(library))
            assert len(first) + len(embedded(library)) == document.passages
            assert (
                library.database.read(lambda db: db.execute("SELECT count(*) FROM journal").fetchone()[0])
                == 0
            )
            assert disagreements(library.database) == ()

    asyncio.run(main())


async def _nothing(_job):
    return None


def test_a_document_deleted_while_it_is_read_leaves_no_vector(open_library, tmp_path, gate):
    async def main() -> None:
        async with open_library() as library:

            async def stop_at_the_second() -> None:
                if library.embedder.batches:
                    await gate.wait()

            library.embedder.before_batch = stop_at_the_second
            (added,) = await library.service.add_paths(
                library.user, [book(tmp_path / "book.txt", range(3 * BATCH_PASSAGES))]
            )
            await gate.until_reached()
            await library.service.delete(library.user, added.document.id)

            for table in ("journal", "vectors"):
                count = f"SELECT count(*) FROM {table}"
                assert library.database.read(lambda db, count=count: db.execute(count).fetchone()[0]) == 0

    asyncio.run(main())


def test_vectors_of_another_model_are_not_taken(open_library, tmp_path):
    async def main() -> None:
        async with open_library() as library:
            await add(library, book(tmp_path / "book.txt", range(10)))
            library.embedder.sha256 = "f" * 64
            library.embedder.batches.clear()

            document = await add(library, book(tmp_path / "other.txt", [*range(10), 11]))

            assert len(embedded(library)) == document.passages

    asyncio.run(main())
