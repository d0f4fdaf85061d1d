"""A line above the talk for what the user should know: the connection is lost, a file was refused."""

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.ui.controls import Button
from app.ui.icons import paint_icon
from app.ui.theme import Size, Space, Theme
from app.ui.words import Words


class Banner(QWidget):
    """Hidden until there is something to say.

    Signals:
        retry_asked: try again (only offered by `show_lost`).
    """

    retry_asked = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._lost = False
        self._icon = "info"
        self.text = Words(theme, "", "control")
        self.retry = Button(theme, "Try now", kind="pill", icon="refresh-cw")
        self.retry.clicked.connect(self.retry_asked)
        self.choice = Button(theme, "Undo", kind="pill")
        self.choice.clicked.connect(self._choose)
        self._choose_to: Callable[[], object] | None = None
        self.shut = Button(theme, kind="tool", icon="x", name="Dismiss")
        self.shut.clicked.connect(self.hide)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.WIDE + Size.ICON + Space.SMALL, 6, Space.MEDIUM, 6)
        row.setSpacing(Space.SMALL)
        row.addWidget(self.text, 1)
        row.addWidget(self.retry)
        row.addWidget(self.choice)
        row.addWidget(self.shut)
        self.hide()

    def show_lost(self, message: str) -> None:
        """The other side does not answer; stays until `clear_lost`."""
        self._lost = True
        self._show("wifi-off", message, retry=True)

    def clear_lost(self) -> None:
        if self._lost:
            self._lost = False
            self.hide()

    def show_notice(self, message: str, *, warn: bool = False) -> None:
        """Something to read once. Never hides that the connection is lost."""
        if not self._lost:
            self._show("triangle-alert" if warn else "info", message, retry=False)

    def offer(self, message: str, choice: str, then: Callable[[], object]) -> None:
        """Say what was done, and offer another way; `then` is called if that is chosen."""
        if not self._lost:
            self._show("info", message, retry=False)
            self._choose_to = then
            self.choice.setText(choice)
            self.choice.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        theme = self._theme
        plain = self._icon == "info"
        painter.fillRect(self.rect(), theme.colour("soft" if plain else "warn_soft"))
        painter.setPen(theme.colour("line"))
        painter.drawLine(0, self.height() - 1, self.width(), self.height() - 1)
        side = theme.px(Size.ICON)
        left = float(Space.WIDE)
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            left = self.width() - left - side
        at = QRectF(left, (self.height() - side) / 2, side, side)
        paint_icon(painter, self._icon, at, theme.colour("accent" if plain else "warn"))

    def _show(self, icon: str, message: str, *, retry: bool) -> None:
        self._icon = icon
        self.text.set_words(message)
        self.retry.setVisible(retry)
        self.shut.setVisible(not retry)
        self._choose_to = None
        self.choice.hide()
        self.show()
        self.update()

    def _choose(self) -> None:
        then, self._choose_to = self._choose_to, None
        self.hide()
        if then is not None:
            then()
