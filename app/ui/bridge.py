"""The one door between the window and the gateway's loop.

Coroutines of the client go out through `submit`; results and events come back through one queue
that the GUI thread empties at most every 33 ms, and for at most 8 ms at a time. Pieces of an
answer merge while they wait, and of several changes of one document only the last is kept, so
neither a fast model nor a large folder can flood the window.

Whatever fails arrives as a Problem: an AppError with its code; anything else is a bug, logged
with a trace and shown as one.
"""

import asyncio
import concurrent.futures
import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Protocol, TypeVar

import shiboken6
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.client.client import Client
from app.errors import AppError
from app.events import (
    AnswerRated,
    AskEvent,
    CollectionChanged,
    CollectionRemoved,
    ConversationChanged,
    ConversationRemoved,
    Delta,
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
from app.filters import EVERYTHING, Filter
from app.records import Manner, Problem
from app.ui.asking import Ask

T = TypeVar("T")
Submit = Callable[[Coroutine[Any, Any, Any]], "concurrent.futures.Future[Any]"]

_INTERVAL_MS = 33
_BUDGET_S = 0.008
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 8.0

log = logging.getLogger(__name__)


class _Item(Protocol):
    def deliver(self) -> None: ...


class _Call:
    """Something to do on the GUI thread, unless the widget it is for is gone."""

    def __init__(self, work: Callable[[], None], owner: QObject | None) -> None:
        self._work = work
        self._owner = owner

    def deliver(self) -> None:
        if self._owner is None or shiboken6.isValid(self._owner):
            self._work()


class _Text:
    """Pieces of one answer that wait together."""

    def __init__(self, ask: Ask, text: str) -> None:
        self.ask = ask
        self.parts = [text]

    def deliver(self) -> None:
        self.ask.text.emit("".join(self.parts))


class _Change:
    """The latest state of one document."""

    def __init__(self, bridge: "Bridge", event: DocumentChanged) -> None:
        self._bridge = bridge
        self.event = event

    def deliver(self) -> None:
        self._bridge.forget_change(self.event.document.id, self)
        self._bridge.document_changed.emit(self.event.document)


class Bridge(QObject):
    """Sends the client's coroutines to the gateway's loop and brings back what they give.

    Signals:
        connected: the other side answers; fetch everything again.
        lost: it does not (a Problem); tried again by itself, or at once by `reconnect`.
        trouble: a request failed whose caller does not handle it (a Problem).
        and one for each event of the feed.
    """

    connected = Signal()
    lost = Signal(object)
    trouble = Signal(object)
    document_changed = Signal(object)
    document_removed = Signal(str)
    folder_changed = Signal(object)
    folder_removed = Signal(str)
    collections_changed = Signal()
    conversation_changed = Signal(object)
    conversation_removed = Signal(str)
    answer_rated = Signal(object)
    model_changed = Signal(object)
    renewal_changed = Signal(object)
    notice = Signal(object)
    window_requested = Signal()
    _woken = Signal()

    def __init__(self, client: Client, submit: Submit, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.client = client
        self._submit = submit
        self._lock = threading.Lock()
        self._arrived: deque[_Item] = deque()
        self._changes: dict[str, _Change] = {}
        self._awake = False
        self._closed = False
        self._last_drain = 0.0
        self._running: set[concurrent.futures.Future[Any]] = set()
        self._feed: concurrent.futures.Future[Any] | None = None
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._drain)
        self._woken.connect(self._schedule, Qt.ConnectionType.QueuedConnection)

    def request(
        self,
        work: Coroutine[Any, Any, T],
        done: Callable[[T], None],
        failed: Callable[[Problem], None] | None = None,
        *,
        owner: QObject | None = None,
    ) -> "concurrent.futures.Future[Any]":
        """Run a coroutine on the loop; `done` or `failed` is called on the GUI thread.

        Neither is called once `owner` is deleted or the future was cancelled.
        """

        def ended(future: "concurrent.futures.Future[T]") -> None:
            if future.cancelled():
                return
            error = future.exception()
            if error is None:
                result = future.result()
                self._push(_Call(lambda: done(result), owner))
            else:
                problem = problem_of(error)
                self._push(_Call(lambda: (failed or self.trouble.emit)(problem), owner))

        return self._send(work, ended)

    def ask(
        self,
        question: str,
        conversation_id: str | None = None,
        limited: Filter = EVERYTHING,
        manner: Manner | None = None,
    ) -> Ask:
        """Send a question; its events come through the signals of the Ask."""
        return self._answer(self.client.ask(question, conversation_id, limited, manner), self._stop_answer)

    def replay(self, message_id: str, model: str | None = None) -> Ask:
        """Run the prompt of an answer again, on the GGUF file `model` or on the model at work."""
        # There is nothing of it to be kept: to stop it is to leave it.
        return self._answer(self.client.replay(message_id, model), lambda _answer_id, leave: leave())

    def _answer(
        self, events: AsyncIterator[AskEvent], stop_answer: Callable[[str, Callable[[], None]], None]
    ) -> Ask:
        ask = Ask(self, stop_answer)

        async def follow() -> None:
            async for event in events:
                self._push_ask(ask, event)

        def ended(future: "concurrent.futures.Future[Any]") -> None:
            if future.cancelled():
                problem = None
            elif error := future.exception():
                problem = problem_of(error)
            else:
                problem = Problem("connection_lost", "The answer ended before it was complete.")
            self._push(_Call(lambda: ask.broke(problem), ask))

        ask.start(self._send(follow(), ended))
        return ask

    def follow(self) -> None:
        """Subscribe to the feed of changes, for as long as the window lives."""
        self._feed = self._submit(self._follow())

    def reconnect(self) -> None:
        """Try the other side again now."""
        if self._feed is not None:
            self._feed.cancel()
        if not self._closed:
            self.follow()

    def close(self) -> None:
        """Cancel everything that runs; nothing is delivered any more."""
        self._closed = True
        self._timer.stop()
        with self._lock:
            running = [*self._running, *([self._feed] if self._feed else [])]
            self._arrived.clear()
        for future in running:
            future.cancel()

    def forget_change(self, document_id: str, change: _Change) -> None:
        """The change is delivered: the next one of this document is a new item."""
        with self._lock:
            if self._changes.get(document_id) is change:
                del self._changes[document_id]

    def _stop_answer(self, answer_id: str, failed: Callable[[], None]) -> None:
        self.request(self.client.stop(answer_id), lambda _: None, lambda _: failed(), owner=self)

    def _send(
        self, work: Coroutine[Any, Any, Any], ended: Callable[["concurrent.futures.Future[Any]"], None]
    ) -> "concurrent.futures.Future[Any]":
        """Hand a coroutine to the loop; `ended` is called there. After `close` it is never begun."""
        if self._closed:
            work.close()
            never: concurrent.futures.Future[Any] = concurrent.futures.Future()
            never.cancel()
            return never
        future = self._submit(work)
        with self._lock:
            self._running.add(future)
        future.add_done_callback(self._forget)
        future.add_done_callback(ended)
        return future

    def _forget(self, future: "concurrent.futures.Future[Any]") -> None:
        with self._lock:
            self._running.discard(future)

    async def _follow(self) -> None:
        wait = _FIRST_WAIT_S
        while True:
            try:
                await self.client.health()
                self._push(_Call(self.connected.emit, self))
                async for event in self.client.feed(window=True):
                    wait = _FIRST_WAIT_S
                    self._push_feed(event)
                problem = Problem("connection_lost", "Carrel's other half has closed the connection.")
            except asyncio.CancelledError:
                raise
            except Exception as error:
                problem = problem_of(error)
            self._push(_Call(lambda problem=problem: self.lost.emit(problem), self))  # type: ignore[misc]
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    def _push_ask(self, ask: Ask, event: AskEvent) -> None:
        if isinstance(event, Delta):
            with self._lock:
                last = self._arrived[-1] if self._arrived else None
                if isinstance(last, _Text) and last.ask is ask:
                    last.parts.append(event.text)
                    return
            self._push(_Text(ask, event.text))
        else:
            self._push(_Call(lambda: ask.arrived(event), ask))

    def _push_feed(self, event: FeedEvent) -> None:
        if isinstance(event, DocumentChanged):
            change = _Change(self, event)
            with self._lock:
                waiting = self._changes.get(event.document.id)
                if waiting is not None:
                    waiting.event = event
                    return
                self._changes[event.document.id] = change
            self._push(change)
            return
        if isinstance(event, DocumentRemoved):
            with self._lock:
                self._changes.pop(event.document_id, None)
        self._push(_Call(lambda: self._announce(event), self))

    def _announce(self, event: FeedEvent) -> None:
        if isinstance(event, DocumentRemoved):
            self.document_removed.emit(event.document_id)
        elif isinstance(event, FolderChanged):
            self.folder_changed.emit(event.folder)
        elif isinstance(event, FolderRemoved):
            self.folder_removed.emit(event.folder_id)
        elif isinstance(event, CollectionChanged | CollectionRemoved):
            self.collections_changed.emit()
        elif isinstance(event, ConversationChanged):
            self.conversation_changed.emit(event.conversation)
        elif isinstance(event, ConversationRemoved):
            self.conversation_removed.emit(event.conversation_id)
        elif isinstance(event, AnswerRated):
            self.answer_rated.emit(event)
        elif isinstance(event, ModelChanged):
            self.model_changed.emit(event.model)
        elif isinstance(event, RenewalChanged):
            self.renewal_changed.emit(event.renewal)
        elif isinstance(event, Notice):
            self.notice.emit(event.problem)
        elif isinstance(event, WindowRequested):
            self.window_requested.emit()

    def _push(self, item: _Item) -> None:
        """Any thread."""
        with self._lock:
            if self._closed:
                return
            self._arrived.append(item)
            if self._awake:
                return
            self._awake = True
        self._woken.emit()

    def _schedule(self) -> None:
        since = (time.monotonic() - self._last_drain) * 1_000
        self._timer.start(max(0, round(_INTERVAL_MS - since)))

    def _drain(self) -> None:
        deadline = time.monotonic() + _BUDGET_S
        try:
            while not self._closed:
                with self._lock:
                    if not self._arrived:
                        self._awake = False
                        return
                    item = self._arrived.popleft()
                item.deliver()
                if time.monotonic() > deadline:
                    return
        finally:
            # Also after a slot raised: the rest must still come.
            self._last_drain = time.monotonic()
            if self._awake and not self._closed:
                self._timer.start(_INTERVAL_MS)


def problem_of(error: BaseException) -> Problem:
    """What to show for an error: an AppError's own words, or that it is a bug of ours."""
    if isinstance(error, AppError):
        return error.problem
    trace = secrets.token_hex(4)
    log.error("bug %s in a request of the window", trace, exc_info=error)
    return Problem("bug", f"Something went wrong inside Carrel. The log has the details under {trace}.")
