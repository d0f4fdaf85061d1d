"""The text of one answer: streams in, wraps to the column, carries its chips."""

from collections.abc import Callable, Sequence
from typing import cast

from PySide6.QtCore import QEvent, QMimeData, QPointF, QRectF, QSize, Qt, QUrl, Signal
from PySide6.QtGui import (
    QFocusEvent,
    QKeyEvent,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QTextBlock,
    QTextCursor,
    QTextLine,
    QTextOption,
    QWheelEvent,
)
from PySide6.QtWidgets import QSizePolicy, QTextEdit

from app.records import Citation
from app.ui.chat.markdown import CODE_BLOCK, QUOTE_BLOCK, RULE_BLOCK, MarkdownWriter
from app.ui.chat.marks import CHIP_OBJECT, NUMBER, TAG_OBJECT, UNDERLINED, UNSUPPORTED, Chip, Tag, marks_of
from app.ui.paint import rounded
from app.ui.theme import Radius, Space, Theme

_MOST_WIDTH = 16_777_215


class AnswerView(QTextEdit):
    """Read-only text that is as high as its content. Nothing in it is ever loaded from anywhere.

    Signals:
        chip_pressed: index of the citation and number of the source of a chip.
        link_pressed: the http(s) address of a link.
        grown: the height has changed.
    """

    chip_pressed = Signal(int, int)
    link_pressed = Signal(str)
    grown = Signal()

    def __init__(self, theme: Theme, name_of: Callable[[int], str]) -> None:
        super().__init__()
        self.theme = theme
        self._citations: tuple[Citation, ...] = ()
        self._open: tuple[int, int | None] | None = None
        self._least_height = 0
        self.setReadOnly(True)
        self.setUndoRedoEnabled(False)
        self.setFrameShape(QTextEdit.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextBrowserInteraction | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.setAccessibleName("Answer")
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
        self.selectionChanged.connect(self._follow_focus)
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
        super().mouseReleaseEvent(event)
        if event.button() == Qt.MouseButton.LeftButton and not self.textCursor().hasSelection():
            self._press(self.anchorAt(event.position().toPoint()))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space}:
            cursor = self.textCursor()
            if cursor.hasSelection():
                after = QTextCursor(cursor)
                after.setPosition(cursor.selectionStart() + 1)
                self._press(after.charFormat().anchorHref())
            return
        if event.key() in {Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End}:
            event.ignore()
            return
        super().keyPressEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        if event.reason() != Qt.FocusReason.PopupFocusReason:
            cursor = self.textCursor()
            cursor.clearSelection()
            self.setTextCursor(cursor)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        self._paint_blocks(painter, QRectF(event.rect()))
        painter.end()
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        self._paint_dots(painter, QRectF(event.rect()))
        painter.end()

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

    def _follow_focus(self) -> None:
        cursor = self.textCursor()
        focused = None
        if cursor.hasSelection() and cursor.selectionEnd() - cursor.selectionStart() == 1:
            after = QTextCursor(cursor)
            after.setPosition(cursor.selectionStart() + 1)
            if after.charFormat().objectType() == int(CHIP_OBJECT):
                focused = cursor.selectionStart()
        if focused != self._chip.focused:
            self._chip.focused = focused
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

    def _paint_blocks(self, painter: QPainter, clip: QRectF) -> None:
        """What stands behind the words: boxes of code, bars of quotes, rules."""
        layout = self.document().documentLayout()
        block = self.document().begin()
        code: QRectF | None = None
        while block.isValid():
            shape = block.blockFormat()
            box = layout.blockBoundingRect(block)
            if shape.hasProperty(int(CODE_BLOCK)):
                code = box if code is None else code.united(box)
                if not block.next().isValid() or not block.next().blockFormat().hasProperty(int(CODE_BLOCK)):
                    box = QRectF(
                        0.5, code.top() + 1, self.viewport().width() - 1, code.height() + Space.LARGE
                    )
                    bottom = Space.MEDIUM - 2 if shape.bottomMargin() else 0
                    box.setHeight(code.height() + bottom)
                    box.setTop(code.top() - (Space.SMALL if code.top() > Space.SMALL else 0))
                    fill, line = self.theme.colour("sheet"), self.theme.colour("line")
                    rounded(painter, box, Radius.CARD, fill, line)
                    code = None
            elif box.intersects(clip):
                if shape.hasProperty(int(QUOTE_BLOCK)):
                    bar = QRectF(0, box.top() - 1, 3, box.height() + 2)
                    rounded(painter, bar, 1.5, self.theme.colour("line"))
                elif shape.hasProperty(int(RULE_BLOCK)):
                    middle = QRectF(0, box.center().y(), self.viewport().width(), 1)
                    painter.fillRect(middle, self.theme.colour("line"))
            block = block.next()

    def _paint_dots(self, painter: QPainter, clip: QRectF) -> None:
        """The dotted line under what no passage supports."""
        layout = self.document().documentLayout()
        pen = QPen(self.theme.colour("warn"), 1.5 * max(1.0, self.theme.scale * 0.8))
        pen.setCapStyle(Qt.PenCapStyle.RoundCap)
        pen.setDashPattern([0.01, 2.2])
        painter.setPen(pen)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        block = self.document().begin()
        while block.isValid():
            box = layout.blockBoundingRect(block)
            if box.top() > clip.bottom():
                return
            if box.bottom() >= clip.top():
                for start, end in _underlined(block):
                    _dot_lines(painter, block, box, start, end, offset=4 * self.theme.scale)
            block = block.next()


def _x(line: QTextLine, position: int) -> float:
    """Qt's stubs call the pair that comes back an object."""
    found = line.cursorToX(position)
    return float(found[0] if isinstance(found, tuple) else cast(float, found))


def _dot_lines(
    painter: QPainter, block: QTextBlock, box: QRectF, start: int, end: int, *, offset: float
) -> None:
    layout = block.layout()
    for number in range(layout.lineCount()):
        line = layout.lineAt(number)
        first = max(start, line.textStart())
        last = min(end, line.textStart() + line.textLength())
        if first >= last:
            continue
        left, right = _x(line, first), _x(line, last)
        text = block.text()[first:last]
        if text.endswith(" ") and last == line.textStart() + line.textLength():
            right = _x(line, last - 1)
        y = box.top() + line.y() + line.ascent() + offset
        painter.drawLine(QPointF(box.left() + left, y), QPointF(box.left() + right, y))


def _underlined(block: QTextBlock) -> list[tuple[int, int]]:
    """Stretches of a block (offsets within it) that belong to unsupported sentences, joined."""
    found: list[tuple[int, int]] = []
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        if fragment.charFormat().hasProperty(int(UNDERLINED)):
            start = fragment.position() - block.position()
            end = start + fragment.length()
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        iterator += 1
    return found


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
