"""The line above the talk: what it is called, and which model answers."""

from PySide6.QtCore import QRectF
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui.controls import Button, Line
from app.ui.models.chip import ModelChip
from app.ui.theme import Size, Space, Theme


class TopBar(QWidget):
    """The parts are its attributes; the window connects them."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.unfold = Button(
            theme, kind="tool", icon="panel-left", name="Unfold the desk", hint="Unfold the desk (Ctrl B)"
        )
        self.title = Line(theme, role="title")
        self.chip = ModelChip(theme)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.WIDE, 0, Space.WIDE, 0)
        row.setSpacing(Space.MEDIUM)
        row.addWidget(self.unfold)
        row.addWidget(self.title, 1)
        row.addWidget(self.chip)
        theme.changed.connect(self._restyle)
        self._restyle()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.fillRect(QRectF(0, self.height() - 1, self.width(), 1), self._theme.colour("line"))

    def _restyle(self) -> None:
        self.setFixedHeight(self._theme.px(Size.BAR))
