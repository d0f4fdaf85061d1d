"""The feed of changes: published from any thread, read by any number of windows and tools.

A publisher never waits. Each reader has its own bounded queue, in which the newest state of one
document (conversation, model) takes the place of the older one that was not read yet, so a slow
reader misses steps of progress but never the last word.

A notice is for a person: one that came when no window was open waits for the next window.
"""

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager

from app.events import (
    AnswerRated,
    CollectionChanged,
    CollectionRemoved,
    ConversationChanged,
    ConversationRemoved,
    DocumentChanged,
    DocumentRemoved,
    FeedEvent,
    FolderChanged,
    FolderRemoved,
    ModelChanged,
    Notice,
    RenewalChanged,
    WindowRequested,
)
from app.records import Collection

_LONGEST_QUEUE = 5_000
_MOST_UNREAD = 20


class Feed:
    """Hands every published event to every reader. Thread-safe."""

    def __init__(self, longest_queue: int = _LONGEST_QUEUE) -> None:
        self._longest_queue = longest_queue
        self._lock = threading.Lock()
        self._readers: set[_Reader] = set()
        self._windows: set[_Reader] = set()  # those of the readers that show notices
        self._unread: deque[Notice] = deque(maxlen=_MOST_UNREAD)
        self._closed = False

    def publish(self, event: FeedEvent) -> None:
        """Give `event` to whoever reads now. Returns at once, on any thread."""
        with self._lock:
            readers = tuple(self._readers)
            if isinstance(event, Notice) and not self._windows:
                self._unread.append(event)
        for reader in readers:
            reader.put(event)

    @asynccontextmanager
    async def subscribe(self, *, window: bool = False) -> AsyncIterator[AsyncIterator[FeedEvent]]:
        """Read from now on; a window also gets the notices that waited for one.

        The iterator ends when the feed is closed. It also ends when the reader is thousands of
        events behind: what it shows is then too old to be mended by them, and it has to fetch
        everything anew.
        """
        reader = _Reader(asyncio.get_running_loop(), self._longest_queue)
        with self._lock:
            if self._closed:
                reader.end()
            self._readers.add(reader)
            if window:
                self._windows.add(reader)
                while self._unread:
                    reader.put(self._unread.popleft())
        try:
            yield reader.events()
        finally:
            with self._lock:
                self._readers.discard(reader)
                self._windows.discard(reader)

    @property
    def readers(self) -> int:
        """How many read at this moment."""
        with self._lock:
            return len(self._readers)

    def close(self) -> None:
        """End every reader's iterator, now and later. Idempotent."""
        with self._lock:
            self._closed = True
            readers = tuple(self._readers)
        for reader in readers:
            reader.end()


class _Reader:
    def __init__(self, loop: asyncio.AbstractEventLoop, longest_queue: int) -> None:
        self._loop = loop
        self._longest_queue = longest_queue
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, FeedEvent] = {}
        self._count = 0
        self._ended = False
        self._woken = asyncio.Event()
        self._wake_is_due = False

    def put(self, event: FeedEvent) -> None:
        with self._lock:
            if self._ended:
                return
            self._count += 1
            subject = _subject(event)
            if isinstance(event, (DocumentRemoved, FolderRemoved, ConversationRemoved)):
                # What is gone has no state any more; its removal goes to the end of the line.
                self._waiting.pop(subject, None)
            self._waiting[self._count if subject is None else subject] = event
            if len(self._waiting) > self._longest_queue:
                self._ended = True
                self._waiting.clear()
        self._wake()

    def end(self) -> None:
        with self._lock:
            self._ended = True
        self._wake()

    async def events(self) -> AsyncIterator[FeedEvent]:
        while True:
            await self._woken.wait()
            with self._lock:
                self._woken.clear()
                self._wake_is_due = False
                batch = tuple(self._waiting.values())
                self._waiting.clear()
                ended = self._ended
            for event in batch:
                yield event
            if ended:
                return

    def _wake(self) -> None:
        with self._lock:
            if self._wake_is_due:
                return
            self._wake_is_due = True
        try:
            self._loop.call_soon_threadsafe(self._woken.set)
        except RuntimeError:
            # The reader's loop has ended without leaving the subscription: nobody reads.
            with self._lock:
                self._ended = True


def _subject(event: FeedEvent) -> Hashable:
    """What the event is about, if only the newest event about it counts."""
    match event:
        case DocumentChanged():
            return ("document", event.document.id)
        case DocumentRemoved():
            return ("document", event.document_id)
        case FolderChanged():
            return ("folder", event.folder.id)
        case FolderRemoved():
            return ("folder", event.folder_id)
        case CollectionChanged(Collection(key)) | CollectionRemoved(key):
            return ("collection", key)
        case ConversationChanged():
            return ("conversation", event.conversation.id)
        case ConversationRemoved():
            return ("conversation", event.conversation_id)
        case AnswerRated():
            return ("rating", event.message_id)
        case ModelChanged():
            return ("model", event.model.kind, event.model.path)
        case RenewalChanged():
            return "renewal"
        case WindowRequested():
            return "window"
        case _:
            return None
