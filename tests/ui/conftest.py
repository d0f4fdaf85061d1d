"""A client that answers from memory, so that every state of the window can be brought about.

It has the methods of app.client.client.Client and runs on a loop of its own in another thread, as
the real one does. `script` decides what a question gets.
"""

import asyncio
import concurrent.futures
import dataclasses
import itertools
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import QBuffer, QByteArray, QIODevice, QObject, QRectF, Qt, QTimer
from PySide6.QtGui import QColor, QImage, QPainter
from PySide6.QtWidgets import QApplication

from app.audit import Audit
from app.errors import ConnectionLostError, NotFoundError, ReportedError
from app.events import (
    AnswerRated,
    AskEvent,
    Checked,
    CollectionChanged,
    CollectionRemoved,
    Delta,
    DocumentChanged,
    DocumentRemoved,
    Failed,
    FeedEvent,
    Finished,
    FolderChanged,
    FolderRemoved,
    Progress,
    Retrieved,
)
from app.filters import EVERYTHING, Filter
from app.records import (
    Addition,
    Box,
    Citation,
    Collection,
    Conversation,
    ConversationDetail,
    Document,
    Health,
    Manner,
    Message,
    Model,
    Page,
    Passage,
    Problem,
    Rating,
    RatingReason,
    Renewal,
    SearchResult,
    Source,
    Thumb,
    Timings,
    Usage,
    WatchedFolder,
)
from app.settings import Settings
from app.ui.bridge import Bridge
from app.ui.controls import Button
from app.ui.dialogs import Sheet
from app.ui.state import StateFile
from app.ui.theme import Theme
from app.ui.window import Window

if not os.environ.get("DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

NOW = 1_795_000_000.0
_ids = itertools.count(1)


def a_document(name: str = "Lease 2023.pdf", **changed: Any) -> Document:
    number = next(_ids)
    plain = Document(
        id=f"doc-{number}",
        name=name,
        path=f"/home/reader/{name}",
        content_hash=f"{number:064x}",
        media_type="application/pdf",
        size=120_000,
        status="ready",
        paged=not name.endswith((".md", ".txt")),
        pages=12,
        pages_read=12,
        passages=48,
        passages_embedded=48,
        error=None,
        added_at=NOW - number,
        ready_at=NOW,
        dated=NOW - number,
    )
    return dataclasses.replace(plain, **changed)


def a_folder(path: str = "/home/reader/Contracts", **changed: Any) -> WatchedFolder:
    plain = WatchedFolder(
        id=f"folder-{next(_ids)}",
        path=path,
        include=(),
        exclude=(),
        state="watching",
        problem=None,
        documents=12,
        refused=(),
        refused_count=0,
        added_at=NOW,
        scanned_at=NOW,
    )
    return dataclasses.replace(plain, **changed)


def a_source(
    number: int,
    document: Document,
    page: int = 4,
    heading: str | None = None,
    *,
    text: str = "",
    read: bool = True,
) -> Source:
    text = text or "Either party may terminate the lease by giving three months’ notice."
    passage = Passage(
        1_000 + number, document.id, document.name, document.paged, page, 120, 120 + len(text), heading, text
    )
    return Source(number, passage, 1 / (60 + number), read)


def a_model(**changed: Any) -> Model:
    plain = Model(
        name="SmolLM2 135M Instruct",
        kind="chat",
        path="/opt/carrel/models/SmolLM2-135M-Instruct-Q8_0.gguf",
        size=144_811_392,
        sha256="0" * 64,
        loaded=True,
        context_length=2_048,
        backend="CPU",
        layers=30,
        layers_offloaded=0,
    )
    return dataclasses.replace(plain, **changed)


def an_answer(question: Message, text: str, **changed: Any) -> Message:
    plain = Message(
        id=f"answer-{next(_ids)}",
        conversation_id=question.conversation_id,
        parent_id=question.id,
        role="assistant",
        state="complete",
        text=text,
        created_at=NOW,
        usage=Usage(800, 60),
        timings=Timings(14.0, 6.0, 3.0, 870.0, 1_600.0, 900.0, 2_500.0),
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    )
    return dataclasses.replace(plain, **changed)


def cited(text: str, *marks: tuple[str, int | None]) -> tuple[Citation, ...]:
    """Citations of sentences given by their text; None: unsupported."""
    found = []
    for sentence, source in marks:
        start = text.index(sentence)
        verdict = "unsupported" if source is None else "supported"
        quote = (0, 20) if source is not None else (None, None)
        found.append(Citation(start, start + len(sentence), verdict, source, *quote))
    return tuple(found)


__all__ = ["Button", "Qt", "Sheet"]  # tests take these from here, too

Script = Callable[["FakeClient", str, Conversation], AsyncIterator[AskEvent]]


class FakeClient:
    """Everything it holds may be set by a test before or while the window runs."""

    def __init__(self) -> None:
        self.held_documents: dict[str, Document] = {}
        self.held_conversations: dict[str, ConversationDetail] = {}
        self.held_collections: dict[str, Collection] = {}
        self.held_members: dict[str, list[str]] = {}
        self.filters: list[Filter] = []
        self.held_folders: dict[str, WatchedFolder] = {}
        self.held_models: tuple[Model, ...] = (a_model(),)
        self.sources: tuple[Source, ...] = ()
        self.pages: dict[tuple[str, int], str] = {}
        self.added: list[str] = []
        self.refused: dict[str, Problem] = {}
        self.questions: list[tuple[str, str | None, tuple[str, ...] | None]] = []
        self.manners: list[Manner | None] = []
        self.stopped: list[str] = []
        self.retried: list[str] = []
        self.deleted: list[str] = []
        self.replayed: list[tuple[str, str | None]] = []
        self.listening: str | None = None
        self.renewal: Renewal | None = None
        self.reachable = True
        self.feeds: list[asyncio.Queue[FeedEvent | Exception]] = []
        self.script: Script | None = None
        self.stop_events: dict[str, asyncio.Event] = {}
        self.loop: asyncio.AbstractEventLoop | None = None

    # for tests

    def put(self, *documents: Document) -> None:
        for document in documents:
            self.held_documents[document.id] = document

    def talk(
        self, title: str, *turns: tuple[str, Callable[[Message], Message]], age: float = 0.0
    ) -> Conversation:
        number = next(_ids)
        conversation = Conversation(f"talk-{number}", title, time.time() - age, time.time() - age)
        messages: list[Message] = []
        for asked, make in turns:
            question = Message(
                f"question-{next(_ids)}", conversation.id, None, "user", "complete", asked, time.time()
            )
            messages += [question, make(question)]
        self.held_conversations[conversation.id] = ConversationDetail(conversation, tuple(messages))
        return conversation

    def publish(self, event: FeedEvent | Exception) -> None:
        """From any thread."""
        assert self.loop is not None
        for queue in self.feeds:
            self.loop.call_soon_threadsafe(queue.put_nowait, event)

    # what Client has

    async def health(self) -> Health:
        self._reach()
        return Health(
            "ok",
            "0.1.0",
            {},
            "/tmp",
            1.0,
            1,
            len(self.held_documents),
            1,
            1,
            0,
            self.held_models,
            self.listening,
            self.renewal,
        )

    async def documents(self, limited: Filter = EVERYTHING) -> tuple[Document, ...]:
        self._reach()
        within = [self.held_members.get(key, ()) for key in limited.collections]
        return tuple(
            document
            for document in self.held_documents.values()
            if not limited.collections or any(document.id in members for members in within)
        )

    async def collections(self) -> tuple[Collection, ...]:
        self._reach()
        return tuple(
            dataclasses.replace(known, documents=len(self.held_members.get(known.id, ())))
            for known in self.held_collections.values()
        )

    async def create_collection(self, name: str, document_ids: Sequence[str] = ()) -> Collection:
        self._reach()
        if any(known.name == name for known in self.held_collections.values()):
            raise ReportedError(Problem("collection_exists", f"There is a collection called “{name}”."), 409)
        known = Collection(f"collection-{next(_ids)}", name, len(document_ids), time.time())
        self.held_collections[known.id] = known
        self.held_members[known.id] = list(document_ids)
        self.publish(CollectionChanged(known))
        return known

    async def change_collection(
        self,
        collection_id: str,
        *,
        name: str | None = None,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> Collection:
        self._reach()
        known = self.held_collections[collection_id]
        if name is not None:
            known = dataclasses.replace(known, name=name)
        self.held_collections[collection_id] = known
        members = dict.fromkeys([*self.held_members[collection_id], *add])
        self.held_members[collection_id] = [key for key in members if key not in remove]
        self.publish(CollectionChanged(known))
        return known

    async def delete_collection(self, collection_id: str) -> None:
        self._reach()
        del self.held_collections[collection_id]
        self.publish(CollectionRemoved(collection_id))

    async def add_paths(self, paths: Sequence[str]) -> tuple[Addition, ...]:
        self._reach()
        made = []
        for path in paths:
            self.added.append(path)
            name = Path(path).name
            if name in self.refused:
                made.append(Addition(name, problem=self.refused[name]))
                continue
            document = a_document(
                name, status="queued", path=path, pages=None, pages_read=0, passages_embedded=0
            )
            self.put(document)
            self.publish(DocumentChanged(document))
            made.append(Addition(name, document))
        return tuple(made)

    async def watched(self) -> tuple[WatchedFolder, ...]:
        self._reach()
        return tuple(self.held_folders.values())

    async def watch(
        self, path: str, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> WatchedFolder:
        self._reach()
        name = Path(path).name
        if name in self.refused:
            raise ReportedError(self.refused[name], 422)
        folder = a_folder(path, scanned_at=None, documents=0)
        self.held_folders[folder.id] = folder
        self.publish(FolderChanged(folder))
        return folder

    async def unwatch(self, folder_id: str, documents: bool = False) -> None:
        self._reach()
        self.held_folders.pop(folder_id)
        self.publish(FolderRemoved(folder_id))

    async def delete_document(self, document_id: str) -> None:
        self._reach()
        self.deleted.append(document_id)
        self.held_documents.pop(document_id, None)
        self.publish(DocumentRemoved(document_id))

    async def retry_document(self, document_id: str) -> Document:
        self._reach()
        self.retried.append(document_id)
        document = dataclasses.replace(self.held_documents[document_id], status="queued", error=None)
        self.put(document)
        return document

    async def page(
        self, document_id: str, number: int, start: int | None = None, end: int | None = None
    ) -> Page:
        self._reach()
        document = self.held_documents.get(document_id)
        if document is None:
            raise ReportedError(NotFoundError("There is no such document.").problem, 404)
        text = self.pages.get((document_id, number), "A page of text. " * 200)
        if (document_id, number) not in self.pages:
            for passage in (source.passage for source in self.sources):
                if (passage.document_id, passage.page) == (document_id, number):
                    text = text[: passage.start] + passage.text + text[passage.end :]
        boxes: tuple[Box, ...] = ()
        if document.paged and start is not None:
            boxes = (
                Box(0.10, 0.300, 0.90, 0.322),
                Box(0.10, 0.326, 0.90, 0.348),
                Box(0.10, 0.352, 0.52, 0.374),
            )
        return Page(document_id, number, document.pages or 1, text, document.paged, boxes)

    async def page_image(self, document_id: str, number: int, width: int) -> bytes:
        self._reach()
        return picture_of_a_page(width, number)

    async def search(self, query: str, k: int = 10, limited: Filter = EVERYTHING) -> SearchResult:
        self._reach()
        return SearchResult(self.sources, len(self.sources) + 3, Timings(total_ms=21.0))

    async def ask(
        self,
        question: str,
        conversation_id: str | None = None,
        limited: Filter = EVERYTHING,
        manner: Manner | None = None,
    ) -> AsyncIterator[AskEvent]:
        self._reach()
        self.manners.append(manner)
        self.filters.append(limited)
        self.questions.append((question, conversation_id, limited.documents or None))
        if conversation_id in self.held_conversations:
            conversation = self.held_conversations[conversation_id].conversation
        else:
            conversation = Conversation(f"talk-{next(_ids)}", question[:60], time.time(), time.time())
        assert self.script is not None
        async for event in self.script(self, question, conversation):
            yield event

    async def stop(self, answer_id: str) -> bool:
        self._reach()
        self.stopped.append(answer_id)
        if answer_id in self.stop_events:
            self.stop_events[answer_id].set()
        return True

    async def conversations(self) -> tuple[Conversation, ...]:
        self._reach()
        return tuple(detail.conversation for detail in self.held_conversations.values())

    async def conversation(self, conversation_id: str) -> ConversationDetail:
        self._reach()
        return self.held_conversations[conversation_id]

    async def rename_conversation(self, conversation_id: str, title: str) -> Conversation:
        self._reach()
        detail = self.held_conversations[conversation_id]
        renamed = dataclasses.replace(detail.conversation, title=title)
        self.held_conversations[conversation_id] = dataclasses.replace(detail, conversation=renamed)
        return renamed

    async def delete_conversation(self, conversation_id: str) -> None:
        self._reach()
        self.held_conversations.pop(conversation_id, None)

    async def export(
        self, form: str = "jsonl", *, conversation_id: str | None = None, **_conditions: Any
    ) -> AsyncIterator[bytes]:
        self._reach()
        title = self.held_conversations[conversation_id or ""].conversation.title
        yield f"# {title}\n".encode()

    async def message(self, message_id: str) -> Audit:
        self._reach()
        return Audit(self._answer(message_id)[1])

    async def replay(self, message_id: str, model: str | None = None) -> AsyncIterator[AskEvent]:
        self._reach()
        self.replayed.append((message_id, model))
        detail, _ = self._answer(message_id)
        question = next(message for message in detail.messages if message.role == "user")
        assert self.script is not None
        async for event in self.script(self, question.text, detail.conversation):
            yield event

    async def rate(
        self, message_id: str, thumb: Thumb, reasons: Sequence[RatingReason] = (), comment: str = ""
    ) -> Message:
        return self._rated(message_id, Rating(thumb, tuple(reasons), comment, NOW))

    async def unrate(self, message_id: str) -> Message:
        return self._rated(message_id, None)

    def _rated(self, message_id: str, rating: Rating | None) -> Message:
        self._reach()
        detail, message = self._answer(message_id)
        rated = dataclasses.replace(message, rating=rating)
        messages = tuple(rated if one is message else one for one in detail.messages)
        self.held_conversations[detail.conversation.id] = dataclasses.replace(detail, messages=messages)
        self.publish(AnswerRated(rated.conversation_id, rated.id, rating))
        return rated

    def _answer(self, message_id: str) -> tuple[ConversationDetail, Message]:
        for detail in self.held_conversations.values():
            for message in detail.messages:
                if message.id == message_id:
                    return detail, message
        raise ReportedError(NotFoundError("There is no such message (any more).").problem, 404)

    async def feed(self, window: bool = False) -> AsyncIterator[FeedEvent]:
        self._reach()
        queue: asyncio.Queue[FeedEvent | Exception] = asyncio.Queue()
        self.feeds.append(queue)
        try:
            while True:
                event = await queue.get()
                if isinstance(event, Exception):
                    raise event
                yield event
        finally:
            self.feeds.remove(queue)

    async def models(self) -> tuple[Model, ...]:
        self._reach()
        return self.held_models

    async def choose_chat_model(self, path: str) -> Model:
        self._reach()
        name = Path(path).name
        if name in self.refused:
            raise ReportedError(self.refused[name], 503)
        return a_model(name=Path(path).stem, path=path)

    async def listen(self, on: bool, port: int) -> str | None:
        self._reach()
        self.listening = f"http://127.0.0.1:{port}" if on else None
        return self.listening

    def _reach(self) -> None:
        if not self.reachable:
            raise ConnectionLostError("Carrel's other half does not answer.")


def answering(
    pieces: Sequence[str],
    *marks: tuple[str, int | None],
    sources: Sequence[Source] = (),
    found: int = 0,
    before_end: Callable[[], Awaitable[None]] | None = None,
    failure: Problem | None = None,
    progress: Progress | None = None,
) -> Script:
    """A script: the sources, then the pieces one by one, then the checks, then the end.

    `progress`: whole documents are worked through, and that is as far as it is.
    """

    async def script(
        client: FakeClient, question: str, conversation: Conversation
    ) -> AsyncIterator[AskEvent]:
        asked = Message(f"question-{next(_ids)}", conversation.id, None, "user", "complete", question, NOW)
        text = "".join(pieces)
        citations = cited(text, *marks)
        answer = an_answer(asked, text, sources=tuple(sources), citations=citations, found=found)
        stopped = client.stop_events[answer.id] = asyncio.Event()
        yield Retrieved(conversation, asked, answer.id, tuple(sources), found, progress is not None)
        if progress is not None:
            yield progress
        said = ""
        for piece in pieces:
            yield Delta(piece)
            said += piece
            await asyncio.sleep(0)
        if before_end is not None:
            waits = [asyncio.ensure_future(before_end()), asyncio.ensure_future(stopped.wait())]
            _, open_ones = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in open_ones:
                task.cancel()
        if stopped.is_set():
            yield Finished(dataclasses.replace(answer, state="stopped", citations=()))
            return
        if failure is not None:
            yield Failed(failure, "0af7651916cd43dd8448eb211c80319c", None)
            return
        yield Checked(citations)
        yield Finished(answer)

    return script


def picture_of_a_page(width: int, number: int) -> bytes:
    """A PNG that looks like a page of a lease."""
    image = QImage(width, round(width * 297 / 210), QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    painter = QPainter(image)
    painter.setPen(QColor("#26231e"))
    font = painter.font()
    font.setFamily("DejaVu Serif")
    font.setPixelSize(max(4, width // 44))
    painter.setFont(font)
    words = (
        "Either party may terminate the lease by giving three months’ notice in writing, no later than"
        " the third working day. "
    )
    painter.drawText(
        QRectF(width * 0.1, width * 0.12, width * 0.8, width * 1.2),
        Qt.TextFlag.TextWordWrap,
        f"§ {number}\n\n" + words * 12,
    )
    painter.end()
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    image.save(buffer, "PNG")
    return bytes(data.data())


class LoopThread:
    """An asyncio loop on a thread of its own, as the gateway has one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def submit(self, work: Coroutine[Any, Any, Any]) -> "concurrent.futures.Future[Any]":
        return asyncio.run_coroutine_threadsafe(work, self.loop)

    def close(self) -> None:
        async def cancel_all() -> None:
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self.submit(cancel_all()).result(5)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


@pytest.fixture
def fakes() -> ModuleType:
    """What stands in this file: a_document, a_source, answering, ..."""
    return sys.modules[__name__]


class Heartbeat(QObject):
    """The longest time between two turns of the GUI thread's loop.

    On a machine with more to do than cores, a thread waits for its turn, and the clock on the
    wall measures the others. There the time that this thread was at work is taken.
    """

    def __init__(self) -> None:
        super().__init__()
        crowded = os.getloadavg()[0] > (os.cpu_count() or 1)
        self._clock = time.thread_time if crowded else time.perf_counter
        self.gaps: list[float] = []
        self._last = self._clock()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._beat)
        self._timer.start(5)

    def _beat(self) -> None:
        now = self._clock()
        self.gaps.append(now - self._last)
        self._last = now

    @property
    def longest(self) -> float:
        return max(self.gaps, default=0.0)


@pytest.fixture
def heartbeat() -> type[Heartbeat]:
    """Begin to measure with `heartbeat()`, then look at `longest`, in seconds."""
    return Heartbeat


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    made = LoopThread()
    yield made
    made.close()


@pytest.fixture
def client(loop: LoopThread) -> FakeClient:
    made = FakeClient()
    made.loop = loop.loop
    return made


@pytest.fixture
def theme(qapp: QApplication) -> Iterator[Theme]:
    made = Theme(qapp, "light")
    yield made
    shiboken6.delete(made)


@pytest.fixture
def bridge(qapp: QApplication, client: FakeClient, loop: LoopThread) -> Iterator[Bridge]:
    made = Bridge(client, loop.submit)  # type: ignore[arg-type]
    yield made
    made.close()
    shiboken6.delete(made)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(tmp_path / "settings.json")


@pytest.fixture
def window(qtbot: Any, theme: Theme, bridge: Bridge, settings: Settings, tmp_path: Path) -> Iterator[Window]:
    made = Window(
        theme,
        bridge,
        settings,
        StateFile(tmp_path / "ui-state.json"),
        (Path("/opt/carrel/sample/Lease agreement.pdf"), "How long is the notice period?"),
    )
    made.show()
    qtbot.waitExposed(made)
    bridge.follow()
    qtbot.waitUntil(lambda: bool(made.chip.models))
    yield made
    bridge.close()
    made.close()
    # At once and in this thread: the garbage collector may run in the loop's.
    shiboken6.delete(made)
