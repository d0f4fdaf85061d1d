"""The sources of an answer as cards, two in a row."""

import html
from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QSizePolicy, QWidget

from app.records import Source
from app.ui.controls import Pressable
from app.ui.paint import line_of_text, ring, rounded
from app.ui.places import place_of, where
from app.ui.theme import Radius, Size, Space, Theme

_ONE_COLUMN_BELOW = 420
_SEEN_AT_A_GLANCE = 400
# A conversation that went on has read many passages; those for the question at hand come first.
_AT_FIRST = 8


class Card(Pressable):
    """A heading and a line under it; a source's card begins with its number.

    `text` is what a glance (the tooltip) shows: of several passages of one page, which one it is.
    """

    def __init__(
        self, theme: Theme, title: str, below: str, number: int | None = None, text: str = ""
    ) -> None:
        super().__init__(theme)
        self.title = title
        self.below = below
        self.number = number
        self.is_open = False
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(f"Source {number}: {title}, {below}" if number else f"{title}, {below}")
        # As markup made here, escaped: markup in a document is never read as such, and long text wraps.
        seen = "<br>".join(html.escape(part) for part in dict.fromkeys((title, below, text)) if part)
        self.setToolTip(f"<p>{seen}</p>")

    def set_open(self, is_open: bool) -> None:
        if is_open != self.is_open:
            self.is_open = is_open
            self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, self._margin * 2 + self.theme.px(18) + self.theme.line("card"))

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.sizeHint().height())

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self.theme
        box = QRectF(self.rect())
        border = theme.colour("accent" if self.is_open else "handle" if self.hovered else "line")
        rounded(painter, box, Radius.CARD, theme.colour("sheet"), border, width=2 if self.is_open else 1)
        if self.ringed and self.hasFocus():
            ring(painter, box, Radius.CARD, theme)
        inside = box.adjusted(10, self._margin, -10, -self._margin)
        tall = theme.px(Size.CHIP)
        left = inside.left()
        painter.setFont(theme.font("label"))
        if self.number is not None:
            wide = max(tall, painter.fontMetrics().horizontalAdvance(str(self.number)) + 8)
            chip = QRectF(left, inside.top(), wide, tall)
            rounded(painter, chip, Radius.CHIP, theme.colour("accent" if self.is_open else "soft"))
            ink = theme.colour("on_accent" if self.is_open else "accent")
            line_of_text(painter, chip, str(self.number), ink, centred=True)
            left += wide + 6
        painter.setFont(theme.font("card title"))
        heading = QRectF(left, inside.top(), inside.right() - left, tall)
        # Of a file's name the end counts as well.
        elide = Qt.TextElideMode.ElideRight if self.number is None else Qt.TextElideMode.ElideMiddle
        line_of_text(painter, heading, self.title, theme.colour("ink"), elide=elide)
        painter.setFont(theme.font("card"))
        line = theme.line("card")
        line_of_text(
            painter,
            QRectF(inside.left(), inside.bottom() - line, inside.width(), line),
            self.below,
            theme.colour("ink3"),
        )

    @property
    def _margin(self) -> int:
        return Space.SMALL


class SourceCards(QWidget):
    """The cards of one answer. What was found but not read, or is one too many, waits behind the last card.

    Signals:
        opened: the number of a source.
        rebuilt: the cards are others now.
    """

    opened = Signal(int)
    rebuilt = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._sources: tuple[Source, ...] = ()
        self._found = 0
        self._all = False
        self._open: int | None = None
        self._cards: list[Card] = []
        self._columns = 2
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(Space.SMALL)

    @property
    def cards(self) -> tuple[Card, ...]:
        return tuple(self._cards)

    def show_sources(self, sources: Sequence[Source], found: int) -> None:
        """Show cards of the sources that were read; `found` passages matched in all."""
        if tuple(sources) == self._sources and found == self._found:
            return
        self._sources, self._found = tuple(sources), found
        self._rebuild()

    def show_open(self, number: int | None) -> None:
        """Mark the card whose place the reader shows."""
        self._open = number
        for card in self._cards:
            card.set_open(card.number is not None and card.number == number)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        columns = 1 if self.width() < self._theme.px(_ONE_COLUMN_BELOW) else 2
        if columns != self._columns:
            self._columns = columns
            self._place()

    def _rebuild(self) -> None:
        for card in self._cards:
            self._grid.removeWidget(card)
            card.deleteLater()
        self._cards = []
        read = [source for source in self._sources if source.read]
        shown = self._sources if self._all else read[:_AT_FIRST]
        for source in shown:
            place = place_of(source, None, None, None)
            text = " ".join(source.passage.text.split())
            if len(text) > _SEEN_AT_A_GLANCE:
                text = f"{text[:_SEEN_AT_A_GLANCE].rstrip()}…"
            below = where(place) or text
            if source.also:
                below = f"{below} · also in {', '.join(source.also)}"
            card = Card(self._theme, place.name, below, source.number, text)
            card.clicked.connect(lambda _=False, number=source.number: self.opened.emit(number))
            self._cards.append(card)
        listed = len(self._sources) - len(shown)
        more = max(self._found - len(shown), listed)
        if more > 0:
            text = f"{more} more {'passage' if more == 1 else 'passages'}"
            what = "read or found, too" if len(read) > len(shown) else "found, not read"
            card = Card(self._theme, text, f"{what} · show" if listed else what)
            card.setEnabled(listed > 0)
            card.clicked.connect(self._show_all)
            self._cards.append(card)
        self._place()
        self.show_open(self._open)
        self.setVisible(bool(self._cards))
        self.rebuilt.emit()

    def _show_all(self) -> None:
        self._all = True
        self._rebuild()

    def _place(self) -> None:
        for at, card in enumerate(self._cards):
            self._grid.addWidget(card, at // self._columns, at % self._columns)
        for column in range(2):
            self._grid.setColumnStretch(column, 1 if column < self._columns else 0)
