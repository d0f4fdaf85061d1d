"""Files dragged over the window: where they may be put down is drawn over everything."""

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QWidget

from app.ui.chat.welcome import dashed
from app.ui.icons import paint_icon
from app.ui.paint import line_of_text, rounded
from app.ui.theme import Radius, Space, Theme


class DropOverlay(QWidget):
    """Lies over the window while files are dragged over it."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._number = 0
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def begin(self, number: int) -> None:
        """`number` files or folders hang on the pointer."""
        self._number = number
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self._theme
        painter.fillRect(self.rect(), theme.colour("paper", 0.93))
        box = QRectF(self.rect()).adjusted(Space.LARGE, Space.LARGE, -Space.LARGE, -Space.LARGE)
        rounded(painter, box, Radius.COMPOSER, theme.colour("soft", 0.6))
        dashed(painter, box, theme, "accent", 2)
        middle = box.center()
        side = 32.0
        at = QRectF(middle.x() - side / 2, middle.y() - side - Space.SMALL, side, side)
        paint_icon(painter, "file-plus", at, theme.colour("accent"))
        painter.setFont(theme.font("question"))
        what = "1 file or folder" if self._number == 1 else f"{self._number} files or folders"
        line = theme.line("question")
        row = QRectF(box.left(), middle.y() + Space.HAIR, box.width(), line)
        line_of_text(painter, row, f"Put {what} on the desk", theme.colour("ink"), centred=True)
        painter.setFont(theme.font("caption"))
        below = QRectF(box.left(), row.bottom() + Space.HAIR, box.width(), theme.line("caption"))
        line_of_text(
            painter, below, "They stay where they are; Carrel reads them.", theme.colour("ink2"), centred=True
        )
