"""The stored text of a document that has no pages, with the passage marked."""

from PySide6.QtCore import QRectF, Qt, QUrl
from PySide6.QtGui import QPainter, QPaintEvent, QPalette, QTextBlockFormat, QTextCharFormat, QTextCursor
from PySide6.QtWidgets import QFrame, QTextEdit, QVBoxLayout, QWidget

from app.ui.paint import rounded, shadow
from app.ui.theme import Radius, Space, Theme

# Laying out a whole book would stop the window; around the passage this much is shown each way.
_MOST_CHARACTERS = 40_000


class TextView(QWidget):
    """A sheet of text."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.text = _Text()
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.LARGE, Space.LARGE, Space.LARGE, Space.LARGE)
        inside = QFrame()
        column.addWidget(inside)
        padding = QVBoxLayout(inside)
        padding.setContentsMargins(Space.LARGE, 1, 1, 1)
        padding.addWidget(self.text)
        self._shown: tuple[str, int | None, int | None] = ("", None, None)
        theme.changed.connect(self._write)

    def show_text(self, text: str, start: int | None, end: int | None) -> None:
        """Show `text` with text[start:end] marked (offsets in code points) and in view."""
        self._shown = (text, start, end)
        self._write()

    @property
    def marked(self) -> str:
        """The words that are marked."""
        selections = self.text.extraSelections()
        return selections[0].cursor.selectedText().replace("\u2029", "\n") if selections else ""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        edge = float(Space.LARGE)
        box = QRectF(self.rect()).adjusted(edge, edge, -edge, -edge)
        shadow(painter, box, Radius.ROW, self._theme, depth=14)
        rounded(painter, box, Radius.ROW, self._theme.colour("sheet"), self._theme.colour("line"))

    def _write(self) -> None:
        text, start, end = self._shown
        first = max(0, (start or 0) - _MOST_CHARACTERS)
        last = min(len(text), (end or 0) + _MOST_CHARACTERS)
        part = text[first:last].replace("\r\n", "\n\u200b").replace("\r", "\n")
        palette = self.text.palette()
        palette.setColor(QPalette.ColorRole.Text, self._theme.colour("ink"))
        palette.setColor(QPalette.ColorRole.Base, Qt.GlobalColor.transparent)
        self.text.setPalette(palette)
        self.text.setFont(self._theme.font("control"))
        self.text.setPlainText(part)
        cursor = QTextCursor(self.text.document())
        cursor.select(QTextCursor.SelectionType.Document)
        shape = QTextBlockFormat()
        shape.setLineHeight(
            self._theme.line("control"), int(QTextBlockFormat.LineHeightTypes.FixedHeight.value)
        )
        cursor.setBlockFormat(shape)
        self.text.setExtraSelections([])
        if start is None or end is None:
            self.text.moveCursor(QTextCursor.MoveOperation.Start)
            return
        mark = QTextEdit.ExtraSelection()
        mark_format = QTextCharFormat()
        mark_format.setBackground(self._theme.colour("mark"))
        mark_format.setForeground(self._theme.colour("ink"))
        mark.format = mark_format
        found = QTextCursor(self.text.document())
        found.setPosition(_units(part[: start - first]))
        found.setPosition(_units(part[: end - first]), QTextCursor.MoveMode.KeepAnchor)
        mark.cursor = found
        self.text.setExtraSelections([mark])
        self._bring_into_view(found)

    def _bring_into_view(self, found: QTextCursor) -> None:
        begin = QTextCursor(found)
        begin.setPosition(found.selectionStart())
        self.text.setTextCursor(begin)
        bar = self.text.verticalScrollBar()
        bar.setValue(bar.value() + self.text.cursorRect(begin).top() - self.text.viewport().height() // 3)


class _Text(QTextEdit):
    """Plain words, to read and copy."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setAcceptDrops(False)
        self.setUndoRedoEnabled(False)
        self.setAcceptRichText(False)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setTabChangesFocus(True)
        self.viewport().setAutoFillBackground(False)
        self.setAccessibleName("Text of the document")
        self.document().setDocumentMargin(Space.LARGE)

    def loadResource(self, type: int, name: QUrl | str) -> object:  # noqa: A002 - Qt's signature
        return None


def _units(text: str) -> int:
    """Length in UTF-16 units, which Qt counts in."""
    return len(text) + sum(character > "\uffff" for character in text)
