"""A desk whose other side is scripted, so that every ending of a command can be forced."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from app.cli.program import Desk
from app.errors import AppError, NotFoundError
from app.events import AskEvent, DocumentChanged, FeedEvent
from app.filters import EVERYTHING, Filter
from app.paths import Profile
from app.records import (
    Addition,
    Collection,
    Document,
    Health,
    Manner,
    Model,
    Page,
    Problem,
    SearchResult,
    Session,
    Timings,
    WatchedFolder,
)

DOCUMENT = Document(
    id="d-lease-0001",
    name="Lease agreement.pdf",
    path="/somewhere/Lease agreement.pdf",
    content_hash="0" * 64,
    media_type="application/pdf",
    size=2_048,
    status="ready",
    paged=True,
    pages=4,
    pages_read=4,
    passages=9,
    passages_embedded=9,
    error=None,
    added_at=1.0,
    ready_at=2.0,
)


@dataclass
class ScriptedClient:
    """Answers as it was told; remembers what it was asked."""

    answer: Sequence[AskEvent | AppError | Callable[[], None]] = ()
    feed_events: Sequence[FeedEvent | Callable[[], None]] = ()
    additions: tuple[Addition, ...] = ()
    library: tuple[Document, ...] = (DOCUMENT,)
    collected: tuple[Collection, ...] = ()
    found: SearchResult = field(default_factory=lambda: SearchResult((), 0, Timings()))
    asked: list[dict[str, object]] = field(default_factory=list)
    manners: list[Manner | None] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    following: list[WatchedFolder] = field(default_factory=list)  # looked at again, the next of a path
    followed: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = field(default_factory=list)
    left: list[tuple[str, bool]] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    stop_asked: asyncio.Event = field(default_factory=asyncio.Event)

    page_found: Page | None = None
    state: Health = field(
        default_factory=lambda: Health("ok", "0.1.0", {}, "/p", 1.0, 5, 1, 9, 9, 0, (), None)
    )
    on: int | None = None

    async def health(self) -> Health:
        return self.state

    async def page(self, document_id: str, number: int, start: int, end: int) -> Page | None:
        return self.page_found

    async def listen(self, on: bool, port: int) -> str | None:
        self.on = port if on else None
        return f"http://127.0.0.1:{port}" if on else None

    async def ask(
        self,
        question: str,
        conversation_id: str | None = None,
        limited: Filter = EVERYTHING,
        manner: Manner | None = None,
    ) -> AsyncIterator[AskEvent]:
        self.asked.append({"question": question, "conversation_id": conversation_id, "limited": limited})
        self.manners.append(manner)
        for event in self.answer:
            if isinstance(event, AppError):
                raise event
            if callable(event):
                event()
                await self.stop_asked.wait()
            else:
                yield event

    async def stop(self, answer_id: str) -> bool:
        self.stopped.append(answer_id)
        self.stop_asked.set()
        return True

    async def feed(
        self, window: bool = False, on_open: Callable[[], None] | None = None
    ) -> AsyncIterator[FeedEvent]:
        if on_open is not None:
            on_open()
        for event in self.feed_events:
            if callable(event):
                event()
            else:
                yield event
        await asyncio.Event().wait()

    async def add_paths(self, paths: Sequence[str]) -> tuple[Addition, ...]:
        self.added.extend(paths)
        return self.additions

    async def documents(self) -> tuple[Document, ...]:
        return self.library

    async def watch(self, path: str, include: Sequence[str], exclude: Sequence[str]) -> WatchedFolder:
        self.followed.append((path, tuple(include), tuple(exclude)))
        return self.following[0]

    async def watched(self) -> tuple[WatchedFolder, ...]:
        states: dict[str, WatchedFolder] = {}
        for folder in self.following:
            states.setdefault(folder.id, folder)
        for seen in states.values():
            if sum(folder.id == seen.id for folder in self.following) > 1:
                self.following.remove(seen)
        return tuple(states.values())

    async def unwatch(self, folder_id: str, documents: bool) -> None:
        self.left.append((folder_id, documents))

    async def collections(self) -> tuple[Collection, ...]:
        return self.collected

    async def delete_collection(self, collection_id: str) -> None:
        self.removed.append(collection_id)

    async def delete_document(self, document_id: str) -> None:
        self.removed.append(document_id)

    async def retry_document(self, document_id: str) -> Document:
        for document in self.library:
            if document.id == document_id:
                return replace(document, status="queued", error=None)
        raise NotFoundError("There is no such document.")

    async def search(self, query: str, k: int = 10, limited: Filter = EVERYTHING) -> SearchResult:
        return self.found

    async def models(self) -> tuple[Model, ...]:
        return ()

    async def new_session(self) -> Session:
        return Session("a-token", "someone", 99.0)


class ScriptedProgram:
    """Lends one scripted client; `refusal` is raised instead of opening."""

    def __init__(self, client: ScriptedClient, submit: Callable[..., object]) -> None:
        self.client = client
        self.refusal: Exception | None = None
        self.opened: list[tuple[Profile, Path | None, bool]] = []
        self.windows: list[Profile] = []
        self.owner = True
        self._submit = submit

    @contextlib.contextmanager
    def open(self, profile: Profile, *, model: Path | None, verbose: bool) -> Iterator[Desk]:
        self.opened.append((profile, model, verbose))
        if self.refusal is not None:
            raise self.refusal
        yield Desk(self.client, self._submit, owner=self.owner)

    def window(self, profile: Profile, *, model: Path | None, verbose: bool) -> int:
        self.windows.append(profile)
        return 0


@pytest.fixture
def submit() -> Iterator[Callable[..., object]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield lambda work: asyncio.run_coroutine_threadsafe(work, loop)
    asyncio.run_coroutine_threadsafe(_end_others(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _end_others() -> None:
    """End what a command that was interrupted left waiting, as the gateway does when it closes."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def client() -> ScriptedClient:
    return ScriptedClient()


@pytest.fixture
def program(client: ScriptedClient, submit: Callable[..., object]) -> ScriptedProgram:
    return ScriptedProgram(client, submit)


@pytest.fixture
def progressing() -> Callable[..., DocumentChanged]:
    def changed(document: Document, **fields: object) -> DocumentChanged:
        return DocumentChanged(replace(document, **fields))

    return changed


@pytest.fixture
def failed_document() -> Document:
    return replace(
        DOCUMENT,
        id="d-broken-0002",
        name="broken.pdf",
        status="failed",
        error=Problem("file_damaged", "This PDF is damaged and cannot be opened."),
    )


@pytest.fixture
def lease() -> Document:
    return DOCUMENT
