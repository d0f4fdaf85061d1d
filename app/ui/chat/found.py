"""Passages found for words of the find box, without asking a model."""

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent, QTextLayout
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.records import Problem, SearchResult, Source
from app.ui.controls import Line, Pressable
from app.ui.paint import line_of_text, ring, rounded
from app.ui.places import Place, place_of, where
from app.ui.theme import Radius, Size, Space, Theme
from app.ui.words import Words

_LINES = 3


class Found(QScrollArea):
    """A list of passages.

    Signals:
        opened: the Place of a passage.
    """

    opened = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.query = ""
        self.places: list[Place] = []
        self.cards: list[PassageCard] = []
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        content = QWidget()
        content.setAutoFillBackground(False)
        row = QHBoxLayout(content)
        self._row = row
        self._column = QWidget()
        self._list = QVBoxLayout(self._column)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(Space.SMALL)
        self.heading = Words(theme, "", "question")
        self.state = Line(theme, role="caption", colour="ink3")
        self._list.addWidget(self.heading)
        self._list.addWidget(self.state)
        self._list.addSpacing(Space.HAIR)
        self._list.addStretch(1)
        row.addStretch(1)
        row.addWidget(self._column, 1_000)
        row.addStretch(1)
        self.setWidget(content)
        theme.changed.connect(self._restyle)
        self._restyle()

    def begin(self, query: str) -> None:
        self.query = query
        self.heading.set_words(f"Passages for “{query}”")
        self.state.set_text("Searching…", "ink3")
        self._clear()

    def show_result(self, result: SearchResult) -> None:
        shown = len(result.sources)
        if not shown:
            self.state.set_text(result.remark or "Nothing in your documents matches these words.")
        else:
            found = f"{shown} of {result.found} passages" if result.found > shown else f"{shown} passages"
            self.state.set_text(
                f"{found} · {result.timings.total_ms:,.0f} ms" if result.timings.total_ms else found
            )
        for source in result.sources:
            place = place_of(source, None, None, None)
            card = PassageCard(self._theme, source, place)
            card.clicked.connect(lambda _=False, place=place: self.opened.emit(place))
            self.places.append(place)
            self.cards.append(card)
            self._list.insertWidget(self._list.count() - 1, card)

    def show_problem(self, problem: Problem) -> None:
        self.state.set_text(problem.message, "warn")

    def show_open(self, place: Place | None) -> None:
        for card in self.cards:
            card.set_open(card.place == place)

    def _clear(self) -> None:
        for card in self.cards:
            self._list.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.cards, self.places = [], []
        self.verticalScrollBar().setValue(0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        # The scroll bar takes its width from the margin: the column does not move when it appears.
        bar = self.width() - self.viewport().width()
        below = Space.WIDE
        self._row.setContentsMargins(Space.VAST, below + Space.SMALL, Space.VAST - bar, below)

    def _restyle(self) -> None:
        self._column.setMaximumWidth(self._theme.px(Size.COLUMN))


class PassageCard(Pressable):
    """Document, page, and the first lines of the passage."""

    def __init__(self, theme: Theme, source: Source, place: Place) -> None:
        super().__init__(theme)
        self.place = place
        self._text = " ".join(source.passage.text.split())[:600]
        self._is_open = False
        self._lines: list[str] = []
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        head = ", ".join(filter(None, (place.name, where(place))))
        self.setAccessibleName(f"{head}: {self._text[:200]}")

    def set_open(self, is_open: bool) -> None:
        if is_open != self._is_open:
            self._is_open = is_open
            self.update()

    def sizeHint(self) -> QSize:
        lines = self.theme.line("card title") + max(1, len(self._lines)) * self.theme.line("card")
        return QSize(300, lines + 2 * Space.MEDIUM + Space.HAIR)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self.theme
        box = QRectF(self.rect())
        border = theme.colour("accent" if self._is_open else "handle" if self.hovered else "line")
        rounded(painter, box, Radius.CARD, theme.colour("sheet"), border, width=2 if self._is_open else 1)
        if self.ringed and self.hasFocus():
            ring(painter, box, Radius.CARD, theme)
        inside = box.adjusted(Space.MEDIUM, Space.MEDIUM, -Space.MEDIUM, -Space.MEDIUM)
        line = theme.line("card title")
        painter.setFont(theme.font("card"))
        below = where(self.place)
        wide = min(painter.fontMetrics().horizontalAdvance(below) + 1.0, inside.width() * 0.45)
        at = QRectF(inside.right() - wide, inside.top(), wide, line)
        line_of_text(painter, at, below, theme.colour("ink3"))
        painter.setFont(theme.font("card title"))
        heading = QRectF(inside.left(), inside.top(), inside.width() - wide - Space.SMALL, line)
        line_of_text(painter, heading, self.place.name, theme.colour("ink"))
        self._paint_text(painter, inside.adjusted(0, line + Space.HAIR, 0, 0))

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        if event.size().width() != event.oldSize().width():
            self._break_lines()

    def _restyle(self) -> None:
        super()._restyle()
        self._break_lines()

    def _break_lines(self) -> None:
        """Cut the text into the lines that fit; what is left over stays with the last, to be elided."""
        layout = QTextLayout(self._text, self.theme.font("card"))
        layout.beginLayout()
        self._lines = []
        for number in range(_LINES):
            line = layout.createLine()
            if not line.isValid():
                break
            line.setLineWidth(self.width() - 2 * Space.MEDIUM)
            start = line.textStart()
            end = len(self._text) if number == _LINES - 1 else start + line.textLength()
            self._lines.append(self._text[start:end].strip())
        layout.endLayout()
        self.updateGeometry()

    def _paint_text(self, painter: QPainter, room: QRectF) -> None:
        painter.setFont(self.theme.font("card"))
        height = self.theme.line("card")
        for number, line in enumerate(self._lines):
            at = QRectF(room.left(), room.top() + number * height, room.width(), height)
            line_of_text(painter, at, line, self.theme.colour("ink2"))
