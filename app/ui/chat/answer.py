"""The text of one answer: streams in, wraps to the column, carries its chips."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QMimeData, QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QFocusEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QTextBlock,
    QTextCursor,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QTextEdit

from app.records import Citation
from app.ui.chat.decoration import paint_behind, paint_dots, paint_ring
from app.ui.chat.markdown import MarkdownWriter
from app.ui.chat.marks import CHIP_OBJECT, NUMBER, TAG_OBJECT, UNSUPPORTED, Chip, Tag, marks_of
from app.ui.chat.stops import Stop, link_stops
from app.ui.menu import Menu
from app.ui.theme import Theme

_MOST_WIDTH = 16_777_215


class AnswerView(QTextEdit):
    """Read-only text that is as high as its content. Nothing in it is ever loaded from anywhere.

    Signals:
        chip_pressed: index of the citation and number of the source of a chip.
        link_pressed: the http(s) address of a link.
        grown: the height has changed.
        menu_opening: the Menu that is about to show; who knows more of the answer may add to it.
    """

    chip_pressed = Signal(int, int)
    link_pressed = Signal(str)
    grown = Signal()
    menu_opening = Signal(object)

    def __init__(self, theme: Theme, name_of: Callable[[int], str]) -> None:
        super().__init__()
        self.theme = theme
        self._citations: tuple[Citation, ...] = ()
        self._open: tuple[int, int | None] | None = None
        self._least_height = 0
        self._stop: Stop | None = None
        self.setReadOnly(True)
        self.setAcceptDrops(False)
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QTextEdit.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse | Qt.TextInteractionFlag.LinksAccessibleByMouse
        )
        self.setAccessibleName("Answer")
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.viewport().setAutoFillBackground(False)
        self.viewport().setMouseTracking(True)
        document = self.document()
        document.setDocumentMargin(0)
        self._chip = Chip(theme, self._is_open, document)
        self._tag = Tag(theme, document)
        document.documentLayout().registerHandler(int(CHIP_OBJECT), self._chip)
        document.documentLayout().registerHandler(int(TAG_OBJECT), self._tag)
        document.documentLayout().documentSizeChanged.connect(self._fit)
        self.writer = MarkdownWriter(document, theme, name_of)
        theme.changed.connect(self._restyle)

    @property
    def markdown(self) -> str:
        return self.writer.text

    @property
    def citations(self) -> tuple[Citation, ...]:
        return self._citations

    def append(self, text: str) -> None:
        """Add to the end of the answer."""
        self.writer.append(text)

    def check(self, citations: Sequence[Citation]) -> None:
        """Add the checks of sentences that ended."""
        self.show_answer(self.writer.text, (*self._citations, *citations))

    def show_answer(self, text: str, citations: Sequence[Citation]) -> None:
        """Show the whole answer; what is there already stays as it is."""
        self._citations = tuple(citations)
        self.writer.replace(text, marks_of(self._citations, text))
        self.setAccessibleDescription(self.plain_text())
        # Without anything to press in it, the Tab key passes it by.
        stops = link_stops(self.document())
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus if stops else Qt.FocusPolicy.ClickFocus)

    def show_open(self, number: int | None, citation: int | None) -> None:
        """Colour the chip of the place that the reader shows."""
        self._open = None if number is None else (number, citation)
        self.viewport().update()

    def reserve(self, lines: int) -> None:
        """Be at least this many lines high, so that what stands below moves less."""
        self._least_height = lines * self.theme.line("answer")
        self._fit()

    def plain_text(self) -> str:
        """The answer as words, chips as [n]."""
        cursor = QTextCursor(self.document())
        cursor.select(QTextCursor.SelectionType.Document)
        return self._words_of(cursor)

    def sizeHint(self) -> QSize:
        return QSize(320, self.height())

    def minimumSizeHint(self) -> QSize:
        return QSize(80, self.theme.line("answer"))

    def loadResource(self, type: int, name: QUrl | str) -> object:  # noqa: A002 - Qt's signature
        return None

    def createMimeDataFromSelection(self) -> QMimeData:
        data = QMimeData()
        data.setText(self._words_of(self.textCursor()))
        return data

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        super().mouseMoveEvent(event)
        over = bool(self.anchorAt(event.position().toPoint()))
        self.viewport().setCursor(Qt.CursorShape.PointingHandCursor if over else Qt.CursorShape.IBeamCursor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        # Asked before Qt selects the link that is pressed, to draw it as the one in focus.
        dragged = self.textCursor().hasSelection()
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and not dragged:
            cursor = self.textCursor()
            cursor.clearSelection()
            self.setTextCursor(cursor)
            self._press(self.anchorAt(event.position().toPoint()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space} and self._stop is not None:
            self._press(self._stop.target)
        elif event.matches(QKeySequence.StandardKey.Copy) or event.matches(
            QKeySequence.StandardKey.SelectAll
        ):
            super().keyPressEvent(event)
        else:
            event.ignore()

    def focusNextPrevChild(self, next: bool) -> bool:  # noqa: A002 - Qt's name
        """The Tab key goes from chip to chip, and then on."""
        stops = link_stops(self.document())
        at = stops.index(self._stop) if self._stop in stops else (-1 if next else len(stops))
        to = at + (1 if next else -1)
        if self.hasFocus() and 0 <= to < len(stops):
            self._stand_on(stops[to])
            return True
        return super().focusNextPrevChild(next)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        stops = link_stops(self.document())
        if stops and event.reason() == Qt.FocusReason.TabFocusReason:
            self._stand_on(stops[0])
        elif stops and event.reason() == Qt.FocusReason.BacktabFocusReason:
            self._stand_on(stops[-1])

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            self._stand_on(None)
            cursor = self.textCursor()
            cursor.clearSelection()
            self.setTextCursor(cursor)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        clip = QRectF(event.rect())
        paint_behind(painter, self.document(), self.theme, self.viewport().width(), clip)
        painter.end()
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        paint_dots(painter, self.document(), self.theme, clip)
        if self._stop is not None and not self._stop.target.startswith("source:"):
            paint_ring(painter, self.document(), self.theme, self._stop)
        painter.end()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        menu = Menu(self)
        copy = menu.addAction("Copy")
        copy.setEnabled(self.textCursor().hasSelection())
        copy.triggered.connect(self.copy)
        menu.addAction("Select all").triggered.connect(self.selectAll)
        self.menu_opening.emit(menu)
        menu.show_at(event.globalPos())

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.StyleChange:
            self._fit()

    def _press(self, target: str) -> None:
        if target.startswith("source:"):
            _, index, number = target.split(":")
            self.chip_pressed.emit(int(index), int(number))
        elif target.startswith(("http://", "https://")):
            self.link_pressed.emit(target)

    def _is_open(self, number: int, index: int) -> bool:
        return self._open is not None and self._open == (number, index)

    def _stand_on(self, stop: Stop | None) -> None:
        self._stop = stop
        self._chip.focused = stop.start if stop else None
        self.viewport().update()

    def _fit(self) -> None:
        document = self.document()
        if round(document.textWidth()) != self.viewport().width() and self.viewport().width() > 0:
            document.setTextWidth(self.viewport().width())
        height = max(int(document.size().height() + 0.999), self._least_height)
        if height != self.height() or self.maximumHeight() == _MOST_WIDTH:
            self.setFixedHeight(height)
            self.grown.emit()

    def _restyle(self) -> None:
        self.writer.rewrite()
        self._fit()

    def _words_of(self, cursor: QTextCursor) -> str:
        pieces: list[str] = []
        block = self.document().findBlock(cursor.selectionStart())
        while block.isValid() and block.position() <= cursor.selectionEnd():
            pieces.append(_words_of_block(block, cursor.selectionStart(), cursor.selectionEnd()))
            block = block.next()
        return "\n".join(pieces).strip("\n")


def _words_of_block(block: QTextBlock, first: int, last: int) -> str:
    words: list[str] = []
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        start = max(first, fragment.position())
        end = min(last, fragment.position() + fragment.length())
        if start < end:
            style = fragment.charFormat()
            if style.objectType() == int(CHIP_OBJECT):
                words.append(f" [{style.property(int(NUMBER))}]" * (end - start))
            elif style.objectType() == int(TAG_OBJECT):
                words.append(f" ({UNSUPPORTED})")
            else:
                text = fragment.text()[start - fragment.position() : end - fragment.position()]
                words.append(text.replace("\u2060", "").replace("\u2028", "\n"))
        iterator += 1
    return "".join(words)
