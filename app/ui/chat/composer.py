"""Where a question is typed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QMimeData, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QFocusEvent, QKeyEvent, QPainter, QPaintEvent, QPalette, QTextCursor, QTextOption
from PySide6.QtWidgets import QHBoxLayout, QPlainTextEdit, QSizePolicy, QVBoxLayout, QWidget

from app.ui.controls import Button
from app.ui.files import local_files
from app.ui.paint import rounded, shadow
from app.ui.theme import Radius, Size, Space, Theme

_MOST_LINES = 7
_SHADOW = 24
ALL_DOCUMENTS = "All documents"


@dataclass(frozen=True, slots=True)
class Chip:
    """One limit of what is asked: how it is removed (`key`), called, and explained."""

    key: str
    text: str
    hint: str


class Composer(QWidget):
    """Takes a question. Knows nothing of answering it.

    Signals:
        asked: the user sent a question (stripped, never empty).
        stop_asked: the user wants the answer to end.
        limit_removed: the key of a Chip that was pressed: this limit is to go.
        scope_asked: the user wants to say which documents are asked.
        add_asked: the user wants to add files.
        files_pasted: the paths of files that were pasted.
        recall_asked: Up was pressed in the empty box: the last question, to be asked otherwise.
    """

    asked = Signal(str)
    stop_asked = Signal()
    limit_removed = Signal(str)
    scope_asked = Signal()
    add_asked = Signal()
    files_pasted = Signal(list)
    recall_asked = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self._running = False
        self.chips: list[Button] = []
        self.question = QuestionBox(theme)
        self.question.sent.connect(self._send)
        self.question.left_above.connect(self.recall_asked)
        self.question.files_pasted.connect(self.files_pasted)
        self.question.textChanged.connect(self._changed)
        self.question.focus_changed.connect(self.update)
        self.scope = Button(theme, ALL_DOCUMENTS, kind="pill", hint="Which documents are asked")
        self.scope.clicked.connect(self.scope_asked)
        self.add = Button(theme, "Add files", kind="pill", icon="plus", hint="Add files (Ctrl O)")
        self.add.clicked.connect(self.add_asked)
        self.send = Button(theme, kind="send", icon="arrow-up", name="Ask", hint="Ask (Enter)")
        self.send.clicked.connect(self._press)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.LARGE + _SHADOW, 14 + _SHADOW // 2, 14 + _SHADOW, 10 + _SHADOW)
        column.setSpacing(10)
        column.addWidget(self.question)
        self._limits = QHBoxLayout()
        self._limits.setSpacing(6)
        self._limits.addStretch(1)
        column.addLayout(self._limits)
        row = QHBoxLayout()
        row.setSpacing(6)
        row.addWidget(self.scope)
        row.addWidget(self.add)
        row.addStretch(1)
        row.addWidget(self.send)
        column.addLayout(row)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._restyle)
        self._restyle()
        self._changed()

    @property
    def running(self) -> bool:
        return self._running

    def set_running(self, running: bool) -> None:
        """While an answer is on its way the button stops it."""
        self._running = running
        self.send.set_icon("stop" if running else "arrow-up")
        self.send.setAccessibleName("Stop" if running else "Ask")
        self.send.setToolTip("Stop (Esc)" if running else "Ask (Enter)")
        self._changed()

    def set_limits(self, chips: Sequence[Chip]) -> None:
        """Show what the question is limited to; nothing: all documents are asked."""
        for old in self.chips:
            self._limits.removeWidget(old)
            old.hide()
            old.deleteLater()
        self.chips = []
        for chip in chips:
            hint = f"{chip.hint}\nPress to ask without this limit" if chip.hint else "Press to remove"
            button = Button(
                self.theme,
                chip.text,
                kind="pill",
                icon="x",
                icon_last=True,
                name=f"{chip.text}, remove this limit",
                hint=hint,
            )
            button.clicked.connect(lambda _=False, key=chip.key: self.limit_removed.emit(key))
            self._limits.insertWidget(len(self.chips), button)
            self.chips.append(button)
        order: list[QWidget] = [self.question, *self.chips, self.scope]
        for first, second in pairwise(order):
            QWidget.setTabOrder(first, second)
        self.scope.setText("Limits" if chips else ALL_DOCUMENTS)
        self.scope.setToolTip("Which documents are asked")

    def give_back(self, question: str) -> None:
        """Put a question that was asked before into the box, unless something else is typed."""
        if not self.question.toPlainText().strip():
            self.question.setPlainText(question)
            self.question.moveCursor(QTextCursor.MoveOperation.End)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        box = QRectF(self.rect()).adjusted(_SHADOW, _SHADOW / 2, -_SHADOW, -_SHADOW)
        shadow(painter, box, Radius.COMPOSER, self.theme)
        focused = self.question.hasFocus()
        border = self.theme.colour("handle" if focused else "line")
        rounded(painter, box, Radius.COMPOSER, self.theme.colour("sheet"), border)

    def _press(self) -> None:
        if self._running:
            self.stop_asked.emit()
        else:
            self._send()

    def _send(self) -> None:
        question = self.question.toPlainText().strip()
        if question and not self._running:
            self.question.clear()
            self.asked.emit(question)

    def _changed(self) -> None:
        self.send.setEnabled(self._running or bool(self.question.toPlainText().strip()))

    def _restyle(self) -> None:
        self.setMaximumWidth(self.theme.px(Size.COMPOSER) + 2 * _SHADOW)


class QuestionBox(QPlainTextEdit):
    """Plain text, as high as what is typed. Enter sends, Shift Enter makes a line.

    Signals:
        sent: Enter was pressed.
        files_pasted: paths; of files that were copied, the words are no question.
        left_above: Up was pressed where there is no line to go up from: in the empty box.
    """

    sent = Signal()
    files_pasted = Signal(list)
    left_above = Signal()
    focus_changed = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setPlaceholderText("Ask about your documents")
        self.setAccessibleName("Question")
        self.setFrameShape(QPlainTextEdit.Shape.NoFrame)
        self.setTabChangesFocus(True)
        # Files that are dropped here go to the window, which adds them; their paths are no question.
        self.setAcceptDrops(False)
        self.setWordWrapMode(QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        self.document().setDocumentMargin(0)
        self.textChanged.connect(self._fit)
        theme.changed.connect(self._restyle)
        self._restyle()

    def sizeHint(self) -> QSize:
        return QSize(320, self.height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        enter = event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}
        if enter and not event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
            self.sent.emit()
            return
        if event.key() == Qt.Key.Key_Up and self.document().isEmpty():
            self.left_above.emit()
            return
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        super().focusInEvent(event)
        self.focus_changed.emit()

    def focusOutEvent(self, event: QFocusEvent) -> None:
        super().focusOutEvent(event)
        self.focus_changed.emit()

    def resizeEvent(self, event: object) -> None:
        super().resizeEvent(event)  # type: ignore[arg-type]
        self._fit()

    def insertFromMimeData(self, source: QMimeData) -> None:
        # Only words: a pasted picture means nothing to a question. Files are to be added.
        if paths := local_files(source):
            self.files_pasted.emit(paths)
        else:
            self.insertPlainText(source.text())

    def _fit(self) -> None:
        line = self.fontMetrics().lineSpacing()
        # A plain text edit measures its document in lines, wrapped ones counted.
        lines = max(1, int(self.document().size().height()))
        shown = min(lines, _MOST_LINES)
        self.setFixedHeight(shown * line + 4)
        more = lines > _MOST_LINES
        policy = Qt.ScrollBarPolicy
        self.setVerticalScrollBarPolicy(policy.ScrollBarAsNeeded if more else policy.ScrollBarAlwaysOff)

    def _restyle(self) -> None:
        self.setFont(self._theme.font("answer"))
        palette = self.palette()
        palette.setColor(QPalette.ColorRole.Base, Qt.GlobalColor.transparent)
        palette.setColor(QPalette.ColorRole.Text, self._theme.colour("ink"))
        palette.setColor(QPalette.ColorRole.PlaceholderText, self._theme.colour("ink3"))
        self.setPalette(palette)
        self._fit()
