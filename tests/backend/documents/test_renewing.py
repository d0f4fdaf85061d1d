"""Another embedding model takes over, with real models: the bundled one, a twin of it, a tiny one."""

import asyncio
import hashlib
import importlib.util
import os
import subprocess
import sys
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from app.backend import services
from app.backend.documents.renewing import BATCH_PASSAGES
from app.backend.feed import Feed
from app.backend.services import Backend
from app.cache.embeddings import EmbeddingCache
from app.cache.sessions import Sessions
from app.database.agreement import disagreements
from app.database.connection import Database
from app.database.documents import Documents, NewPassage, PageText
from app.database.renewals import Renewals
from app.events import DocumentChanged, Notice, RenewalChanged
from app.serving import catalogue
from app.serving.admission.admission import Admission
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.admission.probe import Probe
from app.serving.embedder import Embedder
from app.serving.embedders import MadeWith
from app.serving.models import Models

pytestmark = [pytest.mark.model, pytest.mark.timeout(600)]

PATIENCE = 240.0
_ROOT = Path(__file__).parents[3]
QUESTION, ANSWER = "Is a kitten allowed?", "A cat or a dog needs the landlord’s consent."


@dataclass
class Desk:
    """A backend over a profile, and what it said and computed."""

    backend: Backend
    database: Database
    models: Models
    feed: Feed
    user: str
    notices: list[str] = field(default_factory=list)
    renewals: list[RenewalChanged] = field(default_factory=list)
    found_during: list[str] = field(default_factory=list)

    async def found(self, question=QUESTION):
        """The text of the best passage."""
        sources = (await self.backend.ask.search(self.user, question, k=4)).sources
        return sources[0].passage.text if sources else ""

    async def add(self, path):
        async with asyncio.timeout(PATIENCE), self.feed.subscribe() as events:
            (added,) = await self.backend.documents.add_paths(self.user, [path])
            while (document := await self.backend.documents.get(self.user, added.document.id)).status not in (
                "ready",
                "failed",
            ):
                await anext(events)
        assert document.status == "ready", document.error
        return document

    async def renewed(self):
        """Wait for the end of the renewing, however far it is."""
        async with asyncio.timeout(PATIENCE):
            while self.backend.renewer.state() is not None or not self.renewals:
                await asyncio.sleep(0.02)

    async def cleared(self):
        """Wait until nothing is left in the journal."""
        async with asyncio.timeout(PATIENCE):
            while self.count("journal"):
                await asyncio.sleep(0.02)

    def makers(self):
        return [maker.sha256 for maker in Renewals(self.database).makers()]

    def count(self, table):
        return self.database.read(lambda db: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


@pytest.fixture(scope="session")
def bundled(bundled_models):
    return catalogue.bundled(bundled_models).embedding


@pytest.fixture
def twin(bundled, tmp_path):
    """The bundled model under another name: the same vectors, another SHA-256."""
    data = bundled.path.read_bytes()
    at = data.index(b"general.name") + len(b"general.name") + 12
    path = tmp_path / "twin.gguf"
    path.write_bytes(data[:at] + b"Z" + data[at + 1 :])
    return path


@pytest.fixture
def tiny_embedder(tmp_path):
    place = _ROOT / "tests" / "serving" / "tiny_models.py"
    spec = importlib.util.spec_from_file_location("tiny_models", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write(tmp_path / "tiny.gguf", "bert", ranks=False)


class Embedded:
    """What each model embedded that nobody waited for; where one is to stand still."""

    def __init__(self):
        self.texts: dict[str, list[str]] = {}
        self.before = None

    def of(self, path):
        return self.texts.get(catalogue.sha256(path), [])


@pytest.fixture
def embedded(monkeypatch):
    seen = Embedded()
    real = Embedder.embed

    async def embed(self, texts, *, urgent=False):
        if not urgent:
            if seen.before is not None:
                await seen.before(self, texts)
            seen.texts.setdefault(self.sha256, []).extend(texts)
        return await real(self, texts, urgent=urgent)

    monkeypatch.setattr(Embedder, "embed", embed)
    return seen


@pytest.fixture
def open_desk(profile, bundled):
    """Opens the profile as `main` does, with the embedding model that is wanted."""

    @asynccontextmanager
    async def opened(wanted: Path | None = None):
        feed, wanted = Feed(), wanted or bundled.path
        database = Database(profile.database)
        database.open()
        makers = Renewals(database).makers()
        library = MadeWith(makers[0].file or bundled.path, makers[0].sha256) if makers else None
        trusted = {bundled.sha256} | {catalogue.sha256(path) for path in (wanted,) if path.is_file()}
        models = Models(
            profile.models / "none.gguf",
            wanted,
            context_length=512,
            gpu_layers=0,
            threads=1,
            admission=Admission(
                hashes=profile.hashes,
                verdicts=profile.verdicts,
                trusted=frozenset(trusted | {library.sha256} if library else trusted),
                on_notice=lambda problem: None,
                probe=Probe(),
            ),
            breadcrumb=Breadcrumb(profile.breadcrumb),
            fallback_chat=None,
            fallback_embedding=bundled.path,
            library=library,
            on_change=lambda model: None,
            on_notice=lambda problem: feed.publish(Notice(problem)),
        )
        models.start()
        caches = EmbeddingCache(profile.embeddings), Sessions(profile.sessions)
        backend = services.build(
            database=database,
            embeddings=caches[0],
            sessions=caches[1],
            models=models,
            feed=feed,
            uploads=profile.uploads,
            profile=profile.root,
            version="0",
        )
        desk = Desk(backend, database, models, feed, await backend.accounts.local_user())

        async def listen():
            async with feed.subscribe(window=True) as events:
                async for event in events:
                    if isinstance(event, Notice):
                        desk.notices.append(event.problem.code)
                    elif isinstance(event, RenewalChanged):
                        desk.renewals.append(event)

        listening = asyncio.create_task(listen())
        await asyncio.sleep(0)
        try:
            await backend.start()
            yield desk
        finally:
            await backend.close()
            await listening
            await asyncio.to_thread(models.close)
            for cache in caches:
                cache.close()
            database.close()

    return opened


def book(path, number, *, pets=False):
    """Some ten passages about nothing in particular; one of them may be about pets."""
    sentence = "Clause {}.{} is on bricks and mortar of wall {}. "
    sections = [sentence.format(number, clause, clause) * 12 for clause in range(10)]
    if pets:
        sections.insert(5, ANSWER)
    path.write_text("\n\n".join(sections))
    return path


@pytest.fixture
def library(open_desk, tmp_path):
    """Fills the profile with three files, read with the bundled model (or another)."""

    async def fill(wanted=None):
        async with open_desk(wanted) as desk:
            for number in range(3):
                await desk.add(book(tmp_path / f"book-{number}.txt", number, pets=number == 1))
            assert ANSWER in await desk.found()

    return fill


def test_search_answers_from_the_old_vectors_until_the_new_ones_are_there_all_at_once(
    open_desk, library, twin, bundled, embedded
):
    async def main():
        await library()
        async with open_desk(twin) as desk:
            makers, found = set(), 0
            while not desk.renewals or desk.renewals[-1].renewal is not None:
                makers.add(tuple(desk.makers()))
                assert ANSWER in await desk.found(), "the answer was not found meanwhile"
                found += 1
            new = catalogue.sha256(twin)
            assert found > 3
            assert makers <= {(bundled.sha256,), (new,)}  # at every instant of one model
            assert desk.makers() == [new]
            assert ANSWER in await desk.found()
            assert (await desk.models.embedder()).sha256 == new
            assert [model.sha256 for model in desk.models.describe() if model.kind == "embedding"] == [new]
            assert desk.notices == ["library_renewed"]
            told = [event.renewal for event in desk.renewals[:-1]]
            assert (told[0].documents_read, told[0].documents) == (0, 3)
            assert {renewal.answers_from for renewal in told} == {"all-MiniLM-L6-v2"}
            assert len(embedded.of(twin)) == len(set(embedded.of(twin))) == desk.count("vectors")
            await desk.cleared()
            assert disagreements(desk.database) == ()
        async with open_desk(twin) as desk:
            assert ANSWER in await desk.found()
            assert desk.notices == []
            assert (await desk.backend.status.health()).renewal is None
        assert len(embedded.of(twin)) == len(set(embedded.of(twin)))

    asyncio.run(main())


def test_a_file_that_comes_meanwhile_is_found_before_and_after(open_desk, library, twin, embedded, tmp_path):
    async def main():
        await library()
        new, halfway, go_on = catalogue.sha256(twin), asyncio.Event(), asyncio.Event()

        async def stand_still(embedder, texts):
            if embedder.sha256 == new and embedded.of(twin):
                halfway.set()
                await go_on.wait()

        embedded.before = stand_still
        async with open_desk(twin) as desk:
            await halfway.wait()
            late = tmp_path / "late.txt"
            late.write_text("The bicycle cellar is open from six in the morning.")
            await desk.add(late)
            assert "bicycle" in await desk.found("Where can I put my bike?")
            assert (await desk.backend.status.health()).renewal.documents == 3
            go_on.set()
            await desk.renewed()

            assert desk.makers() == [new]
            assert "bicycle" in await desk.found("Where can I put my bike?")
            assert ANSWER in await desk.found()
            assert disagreements(desk.database) == ()

    asyncio.run(main())


def test_a_file_that_comes_with_old_vectors_after_the_change_gets_new_ones(
    open_desk, library, twin, bundled, monkeypatch
):
    promote = Models.promote_embedder

    async def main():
        await library()
        stored, go_on = asyncio.Event(), asyncio.Event()

        async def stand_still(models):
            stored.set()
            await go_on.wait()
            await promote(models)

        monkeypatch.setattr(Models, "promote_embedder", stand_still)
        async with open_desk(twin) as desk:
            await stored.wait()
            documents = Documents(desk.database)
            late, _ = documents.add(
                desk.user,
                name="late.txt",
                path="/late.txt",
                stored=None,
                content_hash="0" * 64,
                media_type="text/plain",
                size=9,
                paged=False,
            )
            go_on.set()
            await desk.renewed()
            text = "Bicycles."
            passage = NewPassage(1, 0, len(text), None, text, hashlib.sha256(text.encode()).hexdigest())
            ready = documents.complete(
                late.id, [PageText(1, text)], [passage], np.ones((1, 384), np.float32), bundled.sha256
            )
            desk.feed.publish(DocumentChanged(ready))
            async with asyncio.timeout(PATIENCE):
                while len(desk.makers()) > 1:
                    await asyncio.sleep(0.02)
            assert desk.makers() == [catalogue.sha256(twin)]
            assert "Bicycles" in await desk.found("bike")
            assert disagreements(desk.database) == ()

    asyncio.run(main())


def test_it_waits_while_a_file_is_being_read(open_desk, library, twin, bundled, embedded, tmp_path):
    async def main():
        await library()
        new, halfway, reading, go_on = catalogue.sha256(twin), *(asyncio.Event() for _ in range(3))

        async def stand_still(embedder, texts):
            if embedder.sha256 != new:
                reading.set()
                await go_on.wait()
            elif embedded.of(twin):
                halfway.set()
                await reading.wait()

        embedded.before = stand_still
        async with open_desk(twin) as desk:
            looks, jobs = asyncio.Queue(), desk.backend.renewer._jobs
            waiting, loop = jobs.waiting, asyncio.get_running_loop()

            def look():
                loop.call_soon_threadsafe(looks.put_nowait, len(embedded.of(twin)))
                return waiting()

            await halfway.wait()
            jobs.waiting = look
            adding = asyncio.create_task(desk.add(book(tmp_path / "late.txt", 9)))
            made = {await looks.get() for _ in range(4)}
            assert len(made) == 1, "it went on"
            go_on.set()
            await adding
            await desk.renewed()
            assert desk.makers() == [new]

    asyncio.run(main())


def test_a_question_between_the_new_vectors_and_the_new_model_is_found_by_meaning(
    open_desk, library, twin, monkeypatch
):
    promote = Models.promote_embedder

    async def main():
        await library()
        stored, go_on = asyncio.Event(), asyncio.Event()

        async def stand_still(models):
            stored.set()
            await go_on.wait()
            await promote(models)

        monkeypatch.setattr(Models, "promote_embedder", stand_still)
        async with open_desk(twin) as desk:
            await stored.wait()
            old = await desk.models.embedder()
            assert desk.makers() == [catalogue.sha256(twin)] != [old.sha256]
            assert ANSWER in await desk.found()

            go_on.set()
            await desk.renewed()

            async def from_before():
                return old

            monkeypatch.setattr(desk.models, "embedder", from_before)
            assert ANSWER in await desk.found("Is a kitten allowed here?")  # by the model that was freed

    asyncio.run(main())


def test_choosing_the_old_model_again_ends_it(open_desk, library, twin, bundled, embedded):
    async def main():
        await library()
        halfway = asyncio.Event()

        async def stand_still(embedder, texts):
            if len(embedded.of(twin)) > BATCH_PASSAGES:
                halfway.set()
                await asyncio.Event().wait()

        embedded.before = stand_still
        async with open_desk(twin) as desk:
            await halfway.wait()
        embedded.before = None
        embedded.texts.clear()
        async with open_desk() as desk:
            assert ANSWER in await desk.found()
            await desk.cleared()
            assert desk.makers() == [bundled.sha256]
            assert embedded.texts == {}
            assert disagreements(desk.database) == ()

    asyncio.run(main())


def test_where_the_old_model_is_gone_words_find_and_vectors_come_document_by_document(
    open_desk, library, twin, bundled, embedded
):
    async def main():
        await library(twin)
        old = catalogue.sha256(twin)
        twin.unlink()
        seen, first, go_on = set(), asyncio.Event(), asyncio.Event()

        async def stand_still(embedder, texts):
            first.set()
            await go_on.wait()

        embedded.before = stand_still
        async with open_desk() as desk:
            await first.wait()
            assert ANSWER in await desk.found("the landlord’s consent")
            assert ANSWER not in await desk.found()
            go_on.set()
            while desk.backend.renewer.state() is not None:
                seen.add(frozenset(desk.makers()))
                await asyncio.sleep(0)

            assert frozenset((old, bundled.sha256)) in seen
            assert ANSWER in await desk.found()
            assert desk.makers() == [bundled.sha256]
            assert {event.renewal.answers_from for event in desk.renewals if event.renewal} == {None}
            assert disagreements(desk.database) == ()
        assert desk.notices == ["embedder_gone", "library_renewed"]

    asyncio.run(main())


def test_a_model_that_reads_less_and_has_other_dimensions_takes_over(
    open_desk, library, tiny_embedder, embedded
):
    async def main():
        await library()
        async with open_desk(tiny_embedder) as desk:
            await desk.renewed()
            embedder = await desk.models.embedder()

            assert embedder.dimension == 64
            assert desk.makers() == [embedder.sha256]
            assert all(embedder.count(text) <= embedder.max_tokens for text in embedded.of(tiny_embedder))
            assert ANSWER in await desk.found("the landlord’s consent")
            assert disagreements(desk.database) == ()

    asyncio.run(main())


def test_a_wanted_model_that_is_none_leaves_everything_as_it_is(open_desk, library, bundled, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")

    async def main():
        await library()
        for wanted in (broken, tmp_path / "missing.gguf"):
            async with open_desk(wanted) as desk:
                assert ANSWER in await desk.found()
                assert await desk.models.wanted_embedder() is None
                assert desk.makers() == [bundled.sha256]
                assert desk.backend.renewer.state() is None
            assert desk.notices == ["model_file_invalid"]

    asyncio.run(main())


def test_killed_in_the_middle_it_goes_on_and_makes_no_vector_twice(library, twin, profile, bundled):
    def renew(stop_after: int | None) -> list[str]:
        child = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("renew_to_kill.py")), str(profile.root), str(twin)],
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(_ROOT)},
        )
        made = []
        with child:
            for line in child.stdout:
                made.append(line.strip())
                if len(made) == stop_after:
                    child.kill()
        return made

    def look() -> tuple[list[str], int]:
        database = Database(profile.database)
        database.open()
        assert disagreements(database) == ()
        makers = [maker.sha256 for maker in Renewals(database).makers()]
        vectors = database.read(lambda db: db.execute("SELECT count(*) FROM vectors").fetchone()[0])
        database.close()
        return makers, vectors

    asyncio.run(library())
    first = renew(2 * BATCH_PASSAGES + 1)
    makers, vectors = look()
    assert makers == [bundled.sha256]
    second = renew(None)

    assert second.pop() == "done"
    made = [*first, *second]
    assert len(set(made)) == vectors > len(first) >= 2 * BATCH_PASSAGES
    assert len(made) - len(set(made)) <= BATCH_PASSAGES
    assert look() == ([catalogue.sha256(twin)], vectors)
