"""The middle of the window: the open conversation, the welcome, and the composer under both.

Owns what a question goes through: it is sent, its events reach its turn, it is stopped, it comes
back into the composer when it was not taken.
"""

from typing import cast

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QStackedWidget, QVBoxLayout, QWidget

from app.events import AnswerRated, Retrieved
from app.filters import EVERYTHING, Filter
from app.records import (
    Conversation,
    ConversationDetail,
    Manner,
    Message,
    Problem,
    Rating,
    SearchResult,
    Style,
)
from app.ui.asking import Ask
from app.ui.bridge import Bridge
from app.ui.chat.composer import Chip, Composer
from app.ui.chat.found import Found
from app.ui.chat.replay import Replay
from app.ui.chat.talk import Talk
from app.ui.chat.turn import Turn
from app.ui.chat.welcome import Welcome
from app.ui.files import MODELS, choose_files
from app.ui.places import Place
from app.ui.theme import Theme

_PASSAGES = 20


class ChatRoom(QWidget):
    """Signals:

    titled: the Conversation that is shown, or None; also when it got its name or another one.
    left: another conversation, or none, is shown now.
    place_opened: a Place, and the places it is one of.
    trouble: a Problem to show above the talk.
    """

    titled = Signal(object)
    left = Signal()
    place_opened = Signal(object, list)
    trouble = Signal(object)

    def __init__(self, theme: Theme, bridge: Bridge, sample: tuple[str, str] | None) -> None:
        super().__init__()
        self._theme = theme
        self._bridge = bridge
        self.conversation: Conversation | None = None
        self.scope = EVERYTHING
        self._style: Style = "auto"
        self._ask: Ask | None = None
        self._wanted: str | None = None
        self.welcome = Welcome(theme, sample)
        self.talk = Talk(theme)
        self.found = Found(theme)
        self.composer = Composer(theme)
        self.stack = QStackedWidget()
        for part in (self.welcome, self.talk, self.found):
            self.stack.addWidget(part)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.stack, 1)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(self.composer, 1_000)
        row.addStretch(1)
        column.addLayout(row)
        self.composer.asked.connect(self.ask)
        self.composer.stop_asked.connect(self.stop)
        self.composer.recall_asked.connect(self._recall)
        self.talk.place_opened.connect(self._open_place)
        self.talk.retry_asked.connect(self._retry)
        self.talk.rated.connect(self._rate)
        self.talk.replay_asked.connect(self._replay)
        bridge.answer_rated.connect(self._rated)
        self.talk.again_asked.connect(self._again)
        self.found.opened.connect(lambda place: self.place_opened.emit(place, self.found.places))

    @property
    def asking(self) -> bool:
        return self._ask is not None

    def new_question(self) -> None:
        """An empty desk; an answer that is on its way goes on and is kept."""
        self._leave()
        self.conversation = None
        self._wanted = None
        self.talk.clear()
        self.stack.setCurrentWidget(self.welcome)
        self.composer.question.setFocus(Qt.FocusReason.OtherFocusReason)
        self.titled.emit(None)
        self.left.emit()

    def open(self, conversation: Conversation) -> None:
        """Fetch a conversation and show it."""
        if self.conversation is not None and conversation.id == self.conversation.id:
            self.stack.setCurrentWidget(self.talk)
            return
        self._wanted = conversation.id
        work = self._bridge.client.conversation(conversation.id)
        self._bridge.request(work, self._show, self.trouble.emit, owner=self)

    def closed_elsewhere(self, conversation_id: str) -> None:
        """A conversation was deleted."""
        if self.conversation is not None and self.conversation.id == conversation_id:
            self.new_question()

    def changed(self, conversation: Conversation) -> None:
        """A conversation has another title, or new messages."""
        if self.conversation is None or self.conversation.id != conversation.id:
            return
        self.conversation = conversation
        self.titled.emit(conversation)
        if self._ask is None and self.talk.turns and self.talk.turns[-1].state == "running":
            # It was left while it was being written, and came back to: read it again.
            work = self._bridge.client.conversation(conversation.id)
            self._bridge.request(work, self._refresh, lambda _: None, owner=self)

    def set_scope(self, limited: Filter, chips: list[Chip]) -> None:
        """Ask only what is within the filter; `chips` say it."""
        self.scope = limited
        self.composer.set_limits(chips)

    def set_style(self, style: str) -> None:
        """Ask for answers in this Style from now on."""
        self._style = cast(Style, style)

    def ask(self, question: str, manner: Manner | None = None) -> None:
        """Send a question in the open conversation, or in a new one.

        `manner` None: as the settings have it.
        """
        if self._ask is not None:
            self.composer.give_back(question)
            return
        self.stack.setCurrentWidget(self.talk)
        manner = manner or Manner(style=self._style)
        turn = self.talk.begin(question, manner)
        conversation = self.conversation.id if self.conversation else None
        ask = self._bridge.ask(question, conversation, self.scope, manner)
        self._ask = ask
        self.composer.set_running(True)
        ask.retrieved.connect(lambda event: self._retrieved(ask, turn, event))
        ask.progress.connect(turn.show_progress)
        ask.text.connect(turn.append)
        ask.checked.connect(turn.check)
        ask.finished.connect(lambda message: self._finished(ask, turn, message))
        ask.failed.connect(lambda problem, trace, message: self._failed(ask, turn, problem, trace, message))

    def stop(self) -> None:
        """End the answer that is on its way."""
        if self._ask is not None:
            self._ask.stop()

    def search(self, query: str) -> None:
        """Show the passages nearest to some words."""
        self.found.begin(query)
        self.stack.setCurrentWidget(self.found)

        def arrived(result: SearchResult) -> None:
            if self.found.query == query:
                self.found.show_result(result)

        def failed(problem: Problem) -> None:
            if self.found.query == query:
                self.found.show_problem(problem)

        work = self._bridge.client.search(query, _PASSAGES, self.scope)
        self._bridge.request(work, arrived, failed, owner=self)

    def leave_search(self) -> None:
        if self.stack.currentWidget() is self.found:
            self.stack.setCurrentWidget(self.talk if self.talk.turns else self.welcome)

    def show_open(self, place: Place | None) -> None:
        """Mark what points at the place that the reader shows."""
        self.talk.show_open(place)
        self.found.show_open(place)

    def _show(self, detail: ConversationDetail) -> None:
        if self._wanted != detail.conversation.id:
            return
        self._leave()
        self.conversation = detail.conversation
        self.talk.show_messages(detail.messages)
        self.stack.setCurrentWidget(self.talk)
        self.titled.emit(detail.conversation)
        self.left.emit()

    def _refresh(self, detail: ConversationDetail) -> None:
        if self.conversation is None or self.conversation.id != detail.conversation.id or self._ask:
            return
        last = detail.messages[-1] if detail.messages else None
        if last is not None and last.role == "assistant" and self.talk.turns[-1].answer_id == last.id:
            self.talk.turns[-1].show_message(last)

    def _leave(self) -> None:
        """Stop listening to the answer on its way; it goes on and is stored."""
        if self._ask is not None:
            self._ask.blockSignals(True)
            self._ask = None
            self.composer.set_running(False)

    def _retrieved(self, ask: Ask, turn: Turn, event: Retrieved) -> None:
        turn.retrieved(event)
        if ask is self._ask and (self.conversation is None or self.conversation.id != event.conversation.id):
            self.conversation = event.conversation
            self._wanted = event.conversation.id
            self.titled.emit(event.conversation)

    def _finished(self, ask: Ask, turn: Turn, message: Message | None) -> None:
        if message is None:
            turn.stopped_early()
        else:
            turn.show_message(message)
        self._ended(ask)

    def _failed(self, ask: Ask, turn: Turn, problem: Problem, trace: str, message: Message | None) -> None:
        if message is not None:
            turn.show_message(message)
        turn.fail(problem, trace)
        if turn.answer_id is None:
            # Nothing of it was stored: the words must not be lost.
            self.composer.give_back(turn.question)
        self._ended(ask)

    def _ended(self, ask: Ask) -> None:
        if ask is self._ask:
            self._ask = None
            self.composer.set_running(False)

    def _recall(self) -> None:
        if self.talk.turns:
            self.composer.give_back(self.talk.turns[-1].question)

    def _retry(self, question: str) -> None:
        if self._ask is not None:
            return
        last = self.talk.turns[-1] if self.talk.turns else None
        same = last is not None and last.question == question
        manner = last.manner if last is not None and same else None
        if last is not None and same and last.answer_id is None:
            self.talk.remove(last)
        if self.composer.question.toPlainText().strip() == question:
            self.composer.question.clear()
        self.ask(question, manner)

    def _again(self, question: str, manner: Manner | None) -> None:
        if self._ask is None:
            self.ask(question, manner)

    def _rate(self, answer_id: str, rating: Rating | None) -> None:
        client = self._bridge.client
        if rating is None:
            work = client.unrate(answer_id)
        else:
            work = client.rate(answer_id, rating.thumb, rating.reasons, rating.comment)

        def failed(problem: Problem) -> None:
            self.trouble.emit(problem)
            # What is shown is what is stored.
            self._bridge.request(client.message(answer_id), lambda audit: shown(audit.message), owner=self)

        def shown(message: Message) -> None:
            self._rated(AnswerRated(message.conversation_id, message.id, message.rating))

        self._bridge.request(work, shown, failed, owner=self)

    def _replay(self, message: Message, picks: bool) -> None:
        def begin(model: str | None = None) -> None:
            Replay(self._theme, message, self._bridge.replay(message.id, model), self.window()).open()

        if picks:
            title = "Choose a model to ask again"
            choose_files(
                self._theme, self.window(), title, MODELS, then=lambda paths: begin(paths[0]), several=False
            )
        else:
            begin()

    def _rated(self, event: AnswerRated) -> None:
        for turn in self.talk.turns:
            if turn.answer_id == event.message_id:
                turn.show_rating(event.rating)

    def _open_place(self, place: Place) -> None:
        for turn in self.talk.turns:
            if turn.answer_id == place.answer_id:
                self.place_opened.emit(place, turn.places)
                return
