"""One question and its answer, in all the states it can be in."""

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QGuiApplication, QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from app.events import Progress, Retrieved
from app.records import Citation, Manner, Message, Problem, Rating, Source, Style
from app.ui.chat import waiting
from app.ui.chat.answer import AnswerView
from app.ui.chat.cards import SourceCards
from app.ui.chat.meta import MetaLine
from app.ui.chat.offers import Offers
from app.ui.chat.question import QuestionHeading
from app.ui.chat.rating import RatingButtons
from app.ui.controls import Button, Line
from app.ui.icons import paint_icon
from app.ui.menu import Menu
from app.ui.paint import rounded
from app.ui.places import Place, place_of, places_of
from app.ui.theme import Radius, Size, Space, Theme
from app.ui.words import Words

_RESERVED_LINES = 3
_ENDINGS = {
    "running": "Still being written…",
    "stopped": "Stopped. What was written so far is kept.",
    "interrupted": "Interrupted: Carrel was closed while this was being written.",
}
_HELPED_BY_ANOTHER_MODEL = {
    "context_overflow",
    "model_crashed",
    "model_file_invalid",
    "model_quarantined",
    "model_timed_out",
    "model_too_large",
    "model_unavailable",
}
_STOPPED_EARLY = "Stopped before the answer began."
_ALONE = "From the model alone, not from your documents"


class Turn(QWidget):
    """Shows one turn. Told of events; knows nothing of where they come from.

    Signals:
        place_opened: the Place of a chip or card that was pressed.
        retry_asked: ask this question again.
        again_asked: ask this question again in a Manner (None: as the settings have it).
        model_asked: choose another model (offered where the model is what failed).
        link_pressed: the address of a link.
        replay_asked: run the prompt of this Message again; True: on a model to be picked.
        rated: the id of the answer and its Rating, or None where it was taken back.
        grown: it is higher now. stops_changed: what the Tab key stops at is another.
    """

    place_opened = Signal(object)
    retry_asked = Signal(str)
    again_asked = Signal(str, object)
    model_asked = Signal()
    link_pressed = Signal(str)
    replay_asked = Signal(object, bool)
    rated = Signal(str, object)
    grown = Signal()
    stops_changed = Signal()

    def __init__(self, theme: Theme, question: str, manner: Manner | None = None) -> None:
        """`manner`: how it was asked, where that is known already."""
        super().__init__()
        self.theme = theme
        self.question = question
        self.manner = manner
        self.answer_id: str | None = None
        self.state = "running"
        self._other: Style = "write"
        self._sources: tuple[Source, ...] = ()
        self._message: Message | None = None
        self.heading = QuestionHeading(theme, question)
        self.heading.unfolded.connect(self.grown)
        self.waiting = Line(theme, waiting.SEARCHING, role="answer", colour="ink3")
        self.alone = Words(theme, _ALONE, "caption", "warn")
        self.answer = AnswerView(theme, self._name_of)
        self.answer.chip_pressed.connect(self._open_chip)
        self.answer.link_pressed.connect(self.link_pressed)
        self.answer.grown.connect(self.grown)
        self.answer.menu_opening.connect(self._add_to_menu)
        self.ending = Words(theme, "", "caption", "ink2")
        self.failure = Failure(theme)
        self.failure.retry.clicked.connect(lambda: self.retry_asked.emit(self.question))
        self.failure.model.clicked.connect(self.model_asked)
        self.meta = MetaLine(theme)
        self.rating = RatingButtons(theme)
        self.rating.rated.connect(lambda rating: self.rated.emit(self.answer_id or "", rating))
        self.offers = Offers(theme)
        self.offers.chosen.connect(lambda manner: self.again_asked.emit(self.question, manner))
        self.restyle = Button(theme, kind="tool", icon="pencil", name="Write it instead")
        self.restyle.clicked.connect(self._ask_in_the_other_style)
        self.copy = Button(theme, kind="tool", icon="copy", name="Copy the answer")
        self.copy.clicked.connect(self._copy)
        self.cards = SourceCards(theme)
        self.cards.opened.connect(self._open_card)
        self.cards.rebuilt.connect(self.stops_changed)
        self._build()
        self.answer.hide()
        self.alone.setVisible(manner is not None and manner.without_documents)
        if manner is not None and manner.without_documents:
            self.waiting.set_text(waiting.THINKING)
        self.ending.hide()
        self.failure.hide()
        self._meta_row.hide()
        self.cards.hide()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, Space.SMALL, 0, Space.WIDE)
        column.setSpacing(0)
        column.addWidget(self.heading)
        column.addSpacing(Space.MEDIUM)
        column.addWidget(self.alone)
        column.addWidget(self.waiting)
        column.addWidget(self.answer)
        ending = QVBoxLayout()
        ending.setContentsMargins(0, Space.HAIR, 0, 0)
        ending.addWidget(self.ending)
        column.addLayout(ending)
        column.addWidget(self.offers)
        column.addWidget(self.failure)
        self._meta_row = QWidget()
        row = QHBoxLayout(self._meta_row)
        row.setContentsMargins(0, Space.SMALL, 0, Space.SMALL)
        row.setSpacing(Space.SMALL)
        row.addWidget(self.meta, 1)
        row.addWidget(self.rating)
        row.addWidget(self.restyle)
        row.addWidget(self.copy)
        column.addWidget(self._meta_row)
        column.addWidget(self.cards)
        column.addStretch(1)

    @property
    def stops(self) -> list[QWidget]:
        """What the Tab key stops at, in the order it is read."""
        return [
            self.heading.more,
            self.answer,
            self.failure.retry,
            self.failure.model,
            *self.offers.buttons,
            self.rating.up,
            self.rating.down,
            self.restyle,
            self.copy,
            *self.cards.cards,
        ]

    @property
    def places(self) -> list[Place]:
        """Every place this answer points at, in its order."""
        return places_of(self._sources, self.answer.citations, self.answer_id)

    @property
    def content_height(self) -> int:
        """Height of what is shown, without the room kept below it."""
        last = next(
            part
            for part in (
                self.cards,
                self._meta_row,
                self.failure,
                self.offers,
                self.ending,
                self.answer,
                self.waiting,
            )
            if part.isVisibleTo(self) or part is self.waiting
        )
        return last.geometry().bottom() + 1 + Space.WIDE

    def retrieved(self, event: Retrieved) -> None:
        """The sources are known; the first word is still to come."""
        self.answer_id = event.answer_id
        # Of whole documents all is read: there are no passages beside those that are cited.
        self._show_sources(event.sources, len(event.sources) if event.whole else event.found)
        read = sum(source.read for source in event.sources)
        if self._is_alone or (event.whole and not event.sources):
            # Of whole documents it is known only when they are read what the answer rests on.
            self._meta_row.hide()
            self.waiting.set_text(waiting.THINKING)
        elif event.whole:
            self.meta.show_worked_through(event.found)
        elif read:
            self.waiting.set_text(f"Reading {read} {'passage' if read == 1 else 'passages'}…")
        else:
            self.waiting.set_text(waiting.THINKING if event.found else waiting.NOTHING_FOUND)
        self.grown.emit()

    def show_progress(self, event: Progress) -> None:
        """Whole documents are being read; how far that is."""
        self.waiting.set_text(waiting.reading(event))

    def append(self, text: str) -> None:
        if not self.answer.isVisibleTo(self):
            self.waiting.hide()
            self.answer.show()
            self.answer.reserve(_RESERVED_LINES)
        self.answer.append(text)

    def check(self, citations: Sequence[Citation]) -> None:
        # An answer that is the model's alone says so once, above, not behind every sentence.
        if not self._is_alone:
            self.answer.check(citations)

    def show_message(self, message: Message) -> None:
        """The answer as it was stored: at the end of its stream, or when read again."""
        self.answer_id = message.id
        self.state = message.state
        self._message = message
        self.waiting.hide()
        # Stopped while whole documents were read: nothing rests on any of their passages.
        unread = bool(message.found) and not message.sources
        self._show_sources(message.sources, 0 if message.worked_through or unread else message.found)
        self.answer.reserve(0)
        self.alone.setVisible(message.undocumented or self._is_alone)
        self.answer.show_answer(message.text, () if message.undocumented else message.citations)
        self.answer.setVisible(bool(message.text))
        ending = _ENDINGS.get(message.state, "")
        if not message.text:
            no_words = {"complete": "The model gave no answer.", "stopped": _STOPPED_EARLY}
            ending = no_words.get(message.state, ending)
        self.ending.set_words(ending)
        self.ending.setVisible(bool(ending))
        self.meta.show_message(message)
        self._meta_row.setVisible(not unread)
        self.offers.show_message(message)
        self._offer_other_style(message)
        self.copy.setVisible(bool(message.text))
        self.rating.show_rating(message.rating)
        self.rating.setVisible(bool(message.text) and message.state != "running")
        nothing = not message.text and not message.sources
        self._meta_row.setVisible(message.state != "running" and not nothing)
        if message.state == "failed":
            self.fail(message.error or Problem("error", "This answer failed."), message.trace_id or "")
        self.grown.emit()

    def fail(self, problem: Problem, trace_id: str) -> None:
        """There is no complete answer; what there is of it stays."""
        self.state = "failed"
        self.waiting.hide()
        self.answer.reserve(0)
        if not self._sources and not self.answer.markdown:
            self._meta_row.hide()
        self.failure.show_problem(problem, trace_id)
        self.failure.show()
        self.grown.emit()

    def stopped_early(self) -> None:
        """Stopped before anything of it was stored."""
        self.state = "stopped"
        self.waiting.hide()
        self.ending.set_words(_STOPPED_EARLY)
        self.ending.show()
        self.grown.emit()

    def show_open(self, place: Place | None) -> None:
        """Mark the chip and the card of the place that the reader shows, if it is of this answer."""
        mine = place is not None and place.answer_id is not None and place.answer_id == self.answer_id
        number = place.number if mine and place else None
        citation = place.citation if mine and place else None
        self.answer.show_open(number, citation)
        self.cards.show_open(number)

    def show_rating(self, rating: Rating | None) -> None:
        """What the user thinks of the answer, as it is stored."""
        self.rating.show_rating(rating)

    def copied_text(self) -> str:
        """The answer with its sources, as it is put on the clipboard."""
        lines = [self.answer.plain_text(), ""]
        cited = {citation.source for citation in self.answer.citations}
        for source in self._sources:
            if source.number in cited:
                page = f", page {source.passage.page}" if source.passage.paged else ""
                lines.append(f"[{source.number}] {source.passage.document_name}{page}")
        return "\n".join(lines).strip()

    def _show_sources(self, sources: Sequence[Source], found: int) -> None:
        self._sources = tuple(sources)
        self.cards.show_sources(sources, found)
        self.meta.show_passages(sum(source.read for source in sources), max(found, len(sources)))
        self.copy.hide()
        self.restyle.hide()
        self.rating.hide()
        self._meta_row.show()

    def _add_to_menu(self, menu: Menu) -> None:
        """Where a model has read something, another one may."""
        message = self._message
        if message is None or message.state == "running" or not any(s.read for s in message.sources):
            return
        menu.addSeparator()
        for text, picks in (("Ask this model again", False), ("Ask again with another model…", True)):
            action = menu.addAction(text)
            action.triggered.connect(lambda _=False, picks=picks: self.replay_asked.emit(message, picks))

    @property
    def _is_alone(self) -> bool:
        return self.manner is not None and self.manner.without_documents

    def _offer_other_style(self, message: Message) -> None:
        written = bool(message.citations) and not message.quoted and not message.undocumented
        self.restyle.setVisible(message.state == "complete" and (message.quoted or written))
        self._other = "write" if message.quoted else "quote"
        self.restyle.set_icon("pencil" if message.quoted else "message-square-text")
        name = "Write it instead" if message.quoted else "Answer in my documents’ own words instead"
        self.restyle.setToolTip(name)
        self.restyle.setAccessibleName(name)

    def _ask_in_the_other_style(self) -> None:
        self.again_asked.emit(self.question, Manner(style=self._other))

    def _name_of(self, number: int) -> str:
        for source in self._sources:
            if source.number == number:
                page = f", page {source.passage.page}" if source.passage.paged else ""
                return f"{source.passage.document_name}{page}"
        return ""

    def _open_chip(self, index: int, number: int) -> None:
        for place in self.places:
            if place.citation == index and place.number == number:
                self.place_opened.emit(place)

    def _open_card(self, number: int) -> None:
        for place in self.places:
            if place.number == number:
                self.place_opened.emit(place)
                return
        for source in self._sources:
            if source.number == number:
                self.place_opened.emit(place_of(source, self.answer_id, None, None))
                return

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.copied_text())
        self.copy.set_icon("check")
        self.copy.setToolTip("Copied")
        timer = self.startTimer(1_500)
        self._copied_timer = timer

    def timerEvent(self, event: object) -> None:
        self.killTimer(self._copied_timer)
        self.copy.set_icon("copy")
        self.copy.setToolTip("Copy the answer")


class Failure(QWidget):
    """Why there is no answer, in words; the code and the trace for those who report it."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.message = Words(theme, "", "control")
        self.code = Line(theme, role="small", colour="ink3")
        self.retry = Button(theme, "Try again", icon="refresh-cw")
        self.model = Button(theme, "Choose a model…", icon="cpu")
        column = QVBoxLayout(self)
        edge = Space.LARGE
        column.setContentsMargins(edge + Size.ICON + Space.SMALL, Space.MEDIUM, edge, Space.MEDIUM)
        column.setSpacing(Space.HAIR)
        column.addWidget(self.message)
        column.addWidget(self.code)
        column.addSpacing(Space.HAIR)
        row = QHBoxLayout()
        row.setSpacing(Space.SMALL)
        row.addWidget(self.retry)
        row.addWidget(self.model)
        row.addStretch(1)
        column.addLayout(row)

    def show_problem(self, problem: Problem, trace_id: str) -> None:
        self.message.set_words(problem.message)
        self.message.setAccessibleName(f"Failed: {problem.message}")
        self.code.set_text(problem.code + (f" · trace {trace_id[:16]}" if trace_id else ""))
        self.model.setVisible(problem.code in _HELPED_BY_ANOTHER_MODEL)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self._theme
        rounded(painter, QRectF(self.rect()), Radius.CARD, theme.colour("warn_soft"))
        side = theme.px(Size.ICON)
        left = Space.LARGE - 2.0
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            left = self.width() - left - side
        top = Space.MEDIUM + (theme.line("control") - side) / 2
        paint_icon(painter, "triangle-alert", QRectF(left, top, side, side), theme.colour("warn"))
