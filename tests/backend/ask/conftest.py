"""A desk: the real backend over a small library, the bundled models loaded once a run."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from app import paths
from app.backend import services
from app.backend.feed import Feed
from app.backend.services import Backend
from app.cache.embeddings import EmbeddingCache
from app.cache.sessions import Sessions
from app.database.connection import Database
from app.database.documents import Documents, NewPassage, PageText
from app.errors import ModelError
from app.records import Document, Passage, Source, Usage
from app.serving.admission.admission import Admission
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.admission.probe import Probe
from app.serving.catalogue import bundled
from app.serving.engine import Engine
from app.serving.generation import End, Generation, Piece
from app.serving.models import Models

# A small agreement, one section a page. No number of months but the right one stands near "notice".
PAGES = (
    "§ 1 The flat\n\nThe flat lies at Uferstraße 14 in Heidelberg. It has three rooms and a balcony."
    " The living space is 78 square metres.",
    "§ 3 Rent\n\nThe rent is 1,180 euros a month, without heating. It is due on the third working day"
    " of each month.",
    "§ 7 Pets\n\nA cat or a dog needs the landlord’s consent.",
    "§ 11 Notice period\n\nEither party may end the lease with three months’ notice, given in writing."
    " A message by e-mail is not enough.",
)


@pytest.fixture(scope="session")
def models(bundled_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    """The bundled models, loaded."""
    found, folder = bundled(bundled_models), tmp_path_factory.mktemp("models")
    models = Models(
        found.chat.path,
        found.embedding.path,
        context_length=1024,
        gpu_layers=0,
        threads=0,
        admission=Admission(
            hashes=folder / "hashes.json",
            verdicts=folder / "verdicts.json",
            trusted=frozenset((found.chat.sha256, found.embedding.sha256)),
            on_notice=lambda problem: None,
            probe=Probe(),
        ),
        breadcrumb=Breadcrumb(folder / "at_work.json"),
        fallback_chat=None,
        on_change=lambda model: None,
        on_notice=lambda problem: None,
    )
    models.start()

    async def loaded() -> None:
        await models.chat()
        await models.embedder()

    asyncio.run(loaded())
    yield models
    models.close()


class Lent:
    """The real models, with another engine or without an embedder."""

    def __init__(
        self,
        models: Models,
        engine: object | None = None,
        *,
        embedding: bool = True,
        reranker: object | None = None,
    ) -> None:
        self._models = models
        self._engine = engine
        self._embedding = embedding
        self._reranker = reranker

    async def chat(self):
        if isinstance(self._engine, Exception):
            raise self._engine
        return self._engine or await self._models.chat()

    async def embedder(self):
        if not self._embedding:
            raise ModelError("There is no embedding model.")
        return await self._models.embedder()

    def embedders(self):
        return self._models.embedders() if self._embedding else ()

    async def wanted_embedder(self):
        return await self.embedder()

    def embedder_file(self, embedder):
        return self._models.embedder_file(embedder)

    async def reranker(self):
        return self._reranker

    def describe(self):
        return self._models.describe()

    def forget(self):
        self._models.forget()


class Scripted:
    """The real engine, but for what it writes: a list of texts; an exception in it is raised.

    `size` are the parameters it claims; `gate` is awaited before piece `gate_at`.
    """

    def __init__(
        self,
        engine: Engine,
        script: Sequence[str | Exception] = (),
        *,
        size: int | None = None,
        gate: asyncio.Event | None = None,
        gate_at: int = 0,
    ) -> None:
        self._engine = engine
        self._script = script
        self._size = size
        self._gate = gate
        self._gate_at = gate_at
        self.generations: list[Generation] = []
        self.closed = 0

    def __getattr__(self, name: str):
        return getattr(self._engine, name)

    @property
    def parameters(self) -> int:
        return self._engine.parameters if self._size is None else self._size

    async def generate(self, generation: Generation) -> AsyncGenerator[Piece | End, None]:
        self.generations.append(generation)
        try:
            if not self._script:
                async for item in self._engine.generate(generation):
                    yield item
                return
            for number, text in enumerate(self._script):
                if self._gate is not None and number == self._gate_at:
                    await self._gate.wait()
                if isinstance(text, Exception):
                    raise text
                yield Piece(text, 1)
            usage = Usage(len(generation.prompt.tokens), len(self._script))
            yield End("stop", usage, prefill_ms=2.0, decode_ms=1.0)
        finally:
            self.closed += 1


@dataclass
class Desk:
    """A backend and a library to ask."""

    backend: Backend
    database: Database
    user: str
    models: Models

    async def shelve(self, name: str = "Lease.pdf", pages: Sequence[str] = PAGES) -> Document:
        """A document that was read; each page is one passage, headed by its first line."""
        documents = Documents(self.database)
        document = self.queue(name)
        embedder = await self.models.embedder()
        vectors = await embedder.embed(list(pages))
        passages = [
            NewPassage(
                number, 0, len(text), text.split("\n")[0], text, hashlib.sha256(text.encode()).hexdigest()
            )
            for number, text in enumerate(pages, 1)
        ]
        texts = [PageText(number, text) for number, text in enumerate(pages, 1)]
        return await asyncio.to_thread(
            documents.complete, document.id, texts, passages, np.asarray(vectors), embedder.sha256
        )

    def queue(self, name: str) -> Document:
        """A document that waits to be read."""
        document, _ = Documents(self.database).add(
            self.user,
            name=name,
            path=f"/somewhere/{name}",
            stored=None,
            content_hash=hashlib.sha256(name.encode()).hexdigest(),
            media_type="application/pdf",
            size=100,
            paged=True,
        )
        return document

    async def ask(self, question: str, **options):
        """All events of one question."""
        options.setdefault("trace_id", "0af7651916cd43dd8448eb211c80319c")
        return [event async for event in self.backend.ask.ask(self.user, question, **options)]

    def row(self, message_id: str) -> dict[str, object]:
        """A stored message, every column."""
        query = "SELECT * FROM messages WHERE id = ?"
        return self.database.read(lambda db: dict(next(iter(db.query(query, [message_id])))))


@pytest.fixture
def open_desk(profile: paths.Profile, request: pytest.FixtureRequest):
    """A context manager: a desk in the test's profile; `lent` takes the place of the models.

    The worker does not run: what is on the shelf was put there. Answers are written unless asked otherwise.
    """
    models: Models = request.getfixturevalue("models")

    @asynccontextmanager
    async def opened(lent: object | None = None, **options) -> AsyncIterator[Desk]:
        database = Database(profile.database)
        await asyncio.to_thread(database.open)
        embeddings = EmbeddingCache(profile.embeddings)
        sessions = Sessions(profile.sessions)
        options.setdefault("answer_style", "write")
        backend = services.build(
            database=database,
            embeddings=embeddings,
            sessions=sessions,
            models=lent or models,
            feed=Feed(),
            uploads=profile.uploads,
            profile=profile.root,
            version="0.0",
            **options,
        )
        await backend.ask.start()
        try:
            yield Desk(backend, database, await backend.accounts.local_user(), models)
        finally:
            await backend.close()
            sessions.close()
            embeddings.close()
            await asyncio.to_thread(database.close)

    return opened


@pytest.fixture
def lend(models: Models) -> Callable[..., Lent]:
    """The real models with an engine of the test's own."""

    def lend(engine: object | None = None, **options) -> Lent:
        return Lent(models, engine, **options)

    return lend


@pytest.fixture
def script(models: Models) -> Callable[..., Scripted]:
    """An engine that writes what the test says."""
    engine = asyncio.run(models.chat())

    def script(*texts: str | Exception, **options) -> Scripted:
        return Scripted(engine, texts, **options)

    return script


@pytest.fixture
def source() -> Callable[..., Source]:
    """A source that was read."""

    def source(text: str, number: int = 1, *, page: int = 1, read: bool = True, **fields) -> Source:
        passage = Passage(
            id=number,
            document_id="d",
            document_name="Lease.pdf",
            paged=True,
            page=page,
            start=0,
            end=len(text),
            heading=None,
            text=text,
        )
        return Source(number, replace(passage, **fields), 1.0 / number, read)

    return source
