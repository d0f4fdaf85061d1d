"""A library with real storage and a real queue, and files to put in it."""

import asyncio
import hashlib
import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from reportlab.lib.pagesizes import A4
from reportlab.lib.pdfencrypt import StandardEncryption
from reportlab.pdfgen.canvas import Canvas

from app import paths
from app.backend.documents.indexing import Indexer
from app.backend.documents.intake import Intake
from app.backend.documents.service import DocumentService
from app.backend.documents.viewing import PageViewer
from app.backend.feed import Feed
from app.backend.queue.service import QueueService
from app.backend.queue.worker import Worker
from app.backend.watching.follower import Pace
from app.backend.watching.service import WatchService
from app.cache.embeddings import EmbeddingCache
from app.database.connection import Database
from app.database.documents import Documents
from app.database.jobs import Jobs
from app.database.journal import Journal
from app.database.places import Places
from app.database.users import Users
from app.database.watched import WatchedFolders
from app.events import DocumentChanged, FeedEvent
from app.records import Document

PATIENCE = 60.0  # seconds; the machine may be busy


class WordEmbedder:
    """Stands in for the model where only the way of the vectors matters: instant and repeatable."""

    sha256 = "e" * 64
    dimension = 8
    max_tokens = 120

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.before_batch: Callable[[], Awaitable[None]] | None = None
        self.failure: Exception | None = None

    def count(self, text: str) -> int:
        return len(re.findall(r"\w+|[^\w\s]", text))

    def cut(self, text: str) -> str:
        return text

    async def embed(self, texts: Sequence[str], *, urgent: bool = False) -> NDArray[np.float32]:
        if self.before_batch is not None:
            await self.before_batch()
        if self.failure is not None:
            raise self.failure
        self.batches.append(list(texts))
        return np.stack([self.vector(text) for text in texts])

    def vector(self, text: str) -> NDArray[np.float32]:
        seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        vector = np.random.default_rng(seed).standard_normal(self.dimension).astype(np.float32)
        return vector / np.linalg.norm(vector)


@pytest.fixture
def word_embedder() -> type[WordEmbedder]:
    return WordEmbedder


@dataclass
class Library:
    """Everything of the backend's document side, built as `main` builds it."""

    user: str
    database: Database
    documents: Documents
    jobs: Jobs
    feed: Feed
    queue: QueueService
    service: DocumentService
    indexer: Indexer
    worker: Worker
    embedder: WordEmbedder
    uploads: Path
    intake: Intake
    watching: WatchService
    forgotten: list[bool]  # one entry for each time the models had to forget what they read

    async def settled(self, *ids: str) -> tuple[Document, ...]:
        """The documents once each is ready or failed; told by the feed, not by the clock."""
        async with asyncio.timeout(PATIENCE), self.feed.subscribe() as events:
            while True:
                found = [await self.service.get(self.user, document_id) for document_id in ids]
                if all(document.status in ("ready", "failed") for document in found):
                    return tuple(found)
                await anext(events)

    async def when(self, wanted: Callable[[FeedEvent], bool]) -> FeedEvent:
        """The first event from now on that is wanted."""
        async with asyncio.timeout(PATIENCE), self.feed.subscribe() as events:
            async for event in events:
                if wanted(event):
                    return event
        raise AssertionError("the feed ended")

    def status(self, event: FeedEvent, status: str) -> bool:
        return isinstance(event, DocumentChanged) and event.document.status == status


@pytest.fixture
def open_library(profile: paths.Profile):
    """A context manager that opens the library of the test's profile; again after it was closed."""

    @asynccontextmanager
    async def opened(
        *, working: bool = True, lanes: int = 1, following: Pace | None = None
    ) -> AsyncIterator[Library]:
        database = Database(profile.database)
        await asyncio.to_thread(database.open)
        cache = EmbeddingCache(profile.embeddings)
        documents, jobs, feed, embedder = Documents(database), Jobs(database), Feed(), WordEmbedder()
        queue = QueueService(jobs)
        forgotten: list[bool] = []

        async def embedding() -> WordEmbedder:
            return embedder

        indexer = Indexer(documents, Journal(database), cache, embedding, feed)
        worker = Worker(queue, indexer, documents, feed, lanes=lanes, storage_pause=0.05)
        viewer = PageViewer()
        intake = Intake(
            Places(database),
            feed,
            wake=queue.wake,
            cancel=queue.cancel,
            forget=lambda: forgotten.append(True),
            viewer=viewer,
        )
        service = DocumentService(
            documents,
            intake,
            feed,
            uploads=profile.uploads,
            wake=queue.wake,
            cancel=queue.cancel,
            forget=lambda: forgotten.append(True),
            viewer=viewer,
        )
        watching = WatchService(
            WatchedFolders(database), intake, feed, profile=profile.root, pace=following or Pace()
        )
        user = await asyncio.to_thread(Users(database).local)
        try:
            if working:
                await worker.start()
            if following is not None:
                await watching.start(user)
            yield Library(
                user,
                database,
                documents,
                jobs,
                feed,
                queue,
                service,
                indexer,
                worker,
                embedder,
                profile.uploads,
                intake,
                watching,
                forgotten,
            )
        finally:
            await watching.close()
            await worker.close()
            await service.close()
            feed.close()
            cache.close()
            await asyncio.to_thread(database.close)

    return opened


SENTENCES = (
    "The landlord lets the flat to the tenant. ",
    "The deposit of 2,360 euros is paid in three parts. ",
    "Small animals may be kept without asking. ",
    "Either side may end the lease with three months’ notice. ",
)


@pytest.fixture
def make_pdf(tmp_path: Path):
    """Makes a PDF of so many pages of prose, each with its number in it."""

    def make(name: str = "lease.pdf", pages: int = 3, lines: int = 8) -> Path:
        path = tmp_path / name
        canvas = Canvas(str(path), pagesize=A4, invariant=True)
        for number in range(1, pages + 1):
            canvas.setFont("Helvetica-Bold", 16)
            canvas.drawString(72, 770, f"Section {number}")
            canvas.setFont("Helvetica", 11)
            for line in range(lines):
                text = f"{SENTENCES[(number + line) % len(SENTENCES)]}Clause {number}.{line + 1} says so."
                canvas.drawString(72, 740 - 16 * line, text)
            canvas.showPage()
        canvas.save()
        return path

    return make


@pytest.fixture
def locked_pdf(tmp_path: Path) -> Path:
    """A PDF that needs a password to be opened."""
    path = tmp_path / "locked.pdf"
    canvas = Canvas(str(path), encrypt=StandardEncryption("secret", "owner", strength=128))
    canvas.drawString(72, 700, "Nobody reads this.")
    canvas.save()
    return path


@pytest.fixture
def broken_pdf(tmp_path: Path) -> Path:
    """A file that begins like a PDF and then is not one."""
    path = tmp_path / "broken.pdf"
    path.write_bytes(b"%PDF-1.7\n" + bytes(range(256)) * 40)
    return path


@pytest.fixture
def blank_pdf(tmp_path: Path) -> Path:
    """A PDF with one page and nothing to read on it, like a scan."""
    path = tmp_path / "scan.pdf"
    canvas = Canvas(str(path))
    canvas.rect(72, 72, 300, 400, fill=1)
    canvas.save()
    return path


@pytest.fixture
def gate():
    """A gate for a coroutine of the test to stand at; `reached` says that it does."""

    class Gate:
        def __init__(self) -> None:
            self.reached = threading.Event()
            self._open = asyncio.Event()

        async def wait(self) -> None:
            self.reached.set()
            await self._open.wait()

        async def until_reached(self) -> None:
            assert await asyncio.to_thread(self.reached.wait, PATIENCE)

        def open(self) -> None:
            self._open.set()

    return Gate()
