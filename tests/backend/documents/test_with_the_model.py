"""The way of a document with the bundled embedder in place of the instant one."""

import asyncio
import json
import re
import time

import numpy as np
import pytest

from app.backend.documents.chunking import chunks, embedding_text
from app.backend.documents.indexing import Indexer
from app.backend.documents.parsing import isolation
from app.backend.documents.parsing.messages import ReadPage
from app.backend.queue.worker import Worker
from app.serving.embedder import Embedder

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def embedder(bundled_models):
    entry = json.loads((bundled_models / "manifest.json").read_text("utf-8"))["embedding"]
    made = Embedder(bundled_models / entry["file"], sha256=entry["sha256"])
    made.load()
    yield made
    made.close()


async def read(path) -> list[ReadPage]:
    messages = isolation.read_file(path, "application/pdf")
    return [message async for message in messages if isinstance(message, ReadPage)]


def test_no_passage_of_the_sample_is_cut_off_by_the_model(embedder, sample):
    found = chunks(asyncio.run(read(sample.document)), embedder.count, embedder.max_tokens)

    assert len(found) > 8
    assert all(embedder.count(embedding_text(passage)) <= embedder.max_tokens for passage in found)
    assert any("Deposit" in (passage.heading or "") for passage in found)


def test_the_passage_that_answers_the_sample_question_is_the_nearest(embedder, sample):
    async def main() -> None:
        found = chunks(await read(sample.document), embedder.count, embedder.max_tokens)
        vectors = await embedder.embed([embedding_text(passage) for passage in found])
        question = (await embedder.embed([sample.question], urgent=True))[0]

        best = found[int(np.argmax(vectors @ question))]

        assert best.page == sample.page
        assert sample.answered_by(best.text)

    asyncio.run(main())


def test_the_sample_becomes_ready(open_library, embedder, sample):
    async def main() -> None:
        async with open_library(working=False) as library:

            async def ready() -> Embedder:
                return embedder

            cache = library.indexer._cache
            worker = Worker(
                library.queue,
                Indexer(library.documents, library.indexer._journal, cache, ready, library.feed),
                library.documents,
                library.feed,
            )
            (added,) = await library.service.add_paths(library.user, [sample.document])
            await worker.start()
            (document,) = await library.settled(added.document.id)
            await worker.close()

            assert document.status == "ready"
            assert document.pages == 4

    asyncio.run(main())


@pytest.mark.slow
def test_counting_tokens_for_three_hundred_pages_takes_moments(embedder):
    words = re.findall(
        r"\S+", "the tenant pays a deposit of 2,360 euros in three equal parts, in cash or not. So"
    )
    pages = [
        ReadPage(number, " ".join(words[(place * 7 + number) % len(words)] for place in range(450)))
        for number in range(300)
    ]
    begun = time.perf_counter()

    found = chunks(pages, embedder.count, embedder.max_tokens)

    assert time.perf_counter() - begun < 10
    assert sum(len(re.findall(r"\S", passage.text)) for passage in found) == sum(
        len(re.findall(r"\S", page.text)) for page in pages
    )
