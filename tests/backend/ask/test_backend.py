"""The rest of the backend, over the same desk: models, health, start and end."""

import asyncio

import numpy as np
import pytest

from app.backend.status import _status
from app.errors import InvalidRequestError, ModelFileError, NotFoundError
from app.records import Model, Problem

pytestmark = pytest.mark.model


def model(*, loaded: bool, problem: Problem | None = None) -> Model:
    return Model("m", "chat", "/m.gguf", 1, "h", loaded, 1, "CPU", 1, 0, problem)


def test_health_counts_what_is_there_and_names_every_version(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            desk.queue("waiting.pdf")
            health = await desk.backend.status.health()
            assert (health.documents, health.passages, health.vectors, health.queued) == (2, 4, 4, 1)
            assert health.status == "ok"
            assert {"carrel", "python", "sqlite", "llama.cpp"} <= set(health.versions)
            assert health.memory > 1_000_000
            assert health.uptime >= 0
            assert [one.kind for one in health.models] == ["chat", "embedding"]

    asyncio.run(main())


def test_the_status_follows_the_models():
    assert _status((model(loaded=True), model(loaded=True))) == "ok"
    assert _status((model(loaded=True), model(loaded=False))) == "starting"
    assert _status((model(loaded=True), model(loaded=False, problem=Problem("c", "m")))) == "degraded"


def test_texts_become_unit_vectors(open_desk):
    async def main():
        async with open_desk() as desk:
            found = await desk.backend.models.embed(["a cat", "a kitten", "an invoice"], "all-MiniLM-L6-v2")
            assert found.vectors.shape == (3, 384)
            assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1.0, atol=1e-5)
            assert found.vectors[0] @ found.vectors[1] > found.vectors[0] @ found.vectors[2]
            assert found.tokens >= 5

    asyncio.run(main())


def test_vectors_of_an_unknown_model_or_of_too_long_a_text_are_refused(open_desk):
    async def main():
        async with open_desk() as desk:
            with pytest.raises(NotFoundError):
                await desk.backend.models.embed(["a cat"], "text-embedding-9")
            with pytest.raises(InvalidRequestError):
                await desk.backend.models.embed(["fine", "cat " * 5000], "carrel")

    asyncio.run(main())


def test_a_file_that_is_no_model_is_refused_and_the_old_model_stays(open_desk, tmp_path):
    async def main():
        async with open_desk() as desk:
            before = desk.backend.models.describe()
            broken = tmp_path / "broken.gguf"
            broken.write_bytes(b"GGUF" + bytes(100))
            with pytest.raises(ModelFileError):
                await desk.backend.models.choose_chat(str(broken))
            assert desk.backend.models.describe() == before

    asyncio.run(main())


def test_the_backend_reads_the_sample_and_answers_its_question(open_desk, sample):
    async def main():
        async with open_desk() as desk:
            backend = desk.backend
            await backend.start()
            async with asyncio.timeout(120), backend.feed.subscribe() as changes:
                (addition,) = await backend.documents.add_paths(desk.user, [str(sample.document)])
                document = addition.document
                while (await backend.documents.get(desk.user, document.id)).status != "ready":
                    await anext(changes)
            message = (await desk.ask(sample.question))[-1].message
            assert sample.answered_by(message.text)
            cited = {citation.source for citation in message.citations}
            pages = {source.passage.page for source in message.sources if source.number in cited}
            assert pages == {sample.page}

    asyncio.run(main())


def test_answers_that_a_crash_cut_off_are_marked_at_the_next_start(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            finished = (await desk.ask("How much is the rent?"))[-1].message

            def cut_off(db):
                db["messages"].upsert({"serial": 1, **desk.row(finished.id), "state": "running"}, pk="serial")

            await asyncio.to_thread(desk.database.write, cut_off)
            assert await desk.backend.ask.start() == 1
            assert desk.row(finished.id)["state"] == "interrupted"

    asyncio.run(main())


def test_closing_twice_is_fine(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.backend.close()
            await desk.backend.close()

    asyncio.run(main())
