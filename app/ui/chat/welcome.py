"""The empty desk: a place to drop, a sample to try, or simply what can be asked."""

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

from app.ui.controls import Button, Line
from app.ui.icons import paint_icon
from app.ui.paint import rounded
from app.ui.theme import Radius, Size, Space, Theme
from app.ui.words import Words

_WIDTH = 560


class Welcome(QScrollArea):
    """Shown while no conversation is open.

    Signals:
        add_asked: choose files.
        sample_asked: put the sample on the desk and ask its question.
    """

    add_asked = Signal()
    sample_asked = Signal()

    def __init__(self, theme: Theme, sample: tuple[str, str] | None) -> None:
        super().__init__()
        self.theme = theme
        self.greeting = Words(theme, "", "greeting")
        self.greeting.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.below = Words(theme, "", "control", "ink2")
        self.below.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.drop = DropPlace(theme)
        self.drop.button.clicked.connect(self.add_asked)
        self.sample = SampleCard(theme, *sample) if sample else None
        column = QVBoxLayout()
        column.setSpacing(0)
        column.addStretch(3)
        column.addWidget(self.greeting)
        column.addSpacing(Space.SMALL)
        column.addWidget(self.below)
        column.addSpacing(Space.WIDE)
        column.addWidget(self.drop)
        column.addSpacing(Space.MEDIUM)
        if self.sample is not None:
            column.addWidget(self.sample)
            self.sample.button.clicked.connect(self.sample_asked)
        column.addStretch(4)
        self._inside = QWidget()
        self._inside.setLayout(column)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.viewport().setAutoFillBackground(False)
        content = QWidget()
        content.setAutoFillBackground(False)
        self.setWidget(content)
        row = QHBoxLayout(content)
        row.setContentsMargins(Space.VAST, Space.LARGE, Space.VAST, 0)
        row.addStretch(1)
        row.addWidget(self._inside, 1_000)
        row.addStretch(1)
        theme.changed.connect(self._restyle)
        self._restyle()
        # Nothing is said before it is known whether there are documents.
        self._inside.hide()

    def show_library(self, files: int, ready: int, passages: int, failed: int) -> None:
        """Say what there is to ask, of `files` in all."""
        self._inside.show()
        self.drop.setVisible(files == 0)
        if self.sample is not None:
            self.sample.setVisible(files == 0)
        if files == 0:
            self.greeting.set_words("A quiet place to read")
            self.below.set_words(
                "Put documents on the desk and ask. Answers show the page each sentence rests on."
            )
        elif failed == files:
            self.greeting.set_words("Nothing to ask yet")
            why = "Press it" if files == 1 else "Press one"
            self.below.set_words(
                f"{files:,} {_files(files)} could not be read. {why} in the library to see why."
            )
        elif ready == 0:
            self.greeting.set_words("Reading your documents")
            self.below.set_words(
                f"{files:,} {_files(files)} on the desk. You can ask as soon as the first is read."
            )
        else:
            self.greeting.set_words("What would you like to know?")
            text = "passage" if passages == 1 else "passages"
            said = [f"{ready:,} {_files(ready)} with {passages:,} {text}"]
            if waiting := files - ready - failed:
                said.append(f"{waiting:,} still being read")
            if failed:
                said.append(f"{failed:,} could not be read")
            self.below.set_words(", ".join(said))

    def _restyle(self) -> None:
        self._inside.setMaximumWidth(self.theme.px(_WIDTH))


class DropPlace(QWidget):
    """A dashed place on the desk, with a button for those who do not drag."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.button = Button(theme, "Choose files…")
        text = Words(theme, "Drop files or folders anywhere in this window", "title")
        text.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        read = "PDF, Office, web pages, mail, scans and more. They stay on this computer."
        kinds = Words(theme, read, "caption", "ink3")
        kinds.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.WIDE, Space.WIDE + 28 + Space.MEDIUM, Space.WIDE, Space.WIDE)
        column.setSpacing(Space.HAIR)
        column.addWidget(text)
        column.addWidget(kinds)
        column.addSpacing(Space.MEDIUM)
        column.addWidget(self.button, 0, Qt.AlignmentFlag.AlignHCenter)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        dashed(painter, QRectF(self.rect()), self._theme, "handle")
        at = QRectF(self.width() / 2 - 14, Space.WIDE, 28, 28)
        paint_icon(painter, "file-plus", at, self._theme.colour("accent"))


class SampleCard(QWidget):
    """The sample document and one question to try."""

    def __init__(self, theme: Theme, name: str, question: str) -> None:
        super().__init__()
        self._theme = theme
        self.button = Button(theme, "Try it")
        text = QVBoxLayout()
        text.setSpacing(1)
        text.addWidget(Line(theme, f"Or ask the sample: “{question}”", role="button"))
        text.addWidget(Line(theme, name, role="caption", colour="ink3"))
        row = QHBoxLayout(self)
        edge = Space.LARGE
        row.setContentsMargins(
            edge + Size.ICON_LARGE + Space.MEDIUM, Space.MEDIUM, Space.MEDIUM, Space.MEDIUM
        )
        row.setSpacing(Space.MEDIUM)
        row.addLayout(text, 1)
        row.addWidget(self.button)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self._theme
        rounded(painter, QRectF(self.rect()), Radius.CARD, theme.colour("sheet"), theme.colour("line"))
        side = Size.ICON_LARGE
        left = float(Space.LARGE)
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            left = self.width() - left - side
        paint_icon(
            painter, "file-text", QRectF(left, (self.height() - side) / 2, side, side), theme.colour("ink2")
        )


def dashed(painter: QPainter, box: QRectF, theme: Theme, colour: str, width: float = 1.5) -> None:
    """A dashed rounded border: a place where something can be put down."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(theme.colour(colour), width)
    pen.setDashPattern([4, 4])
    painter.setPen(pen)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), Radius.COMPOSER, Radius.COMPOSER)


def _files(number: int) -> str:
    return "document" if number == 1 else "documents"
