"""Menus: rounded, and gone with their choice."""

from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QPainterPath, QRegion, QResizeEvent
from PySide6.QtWidgets import QMenu, QWidget

from app.ui.theme import Radius


class Menu(QMenu):
    """A menu with rounded corners, with and without a compositing desktop."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAttribute(Qt.WidgetAttribute.WA_TranslucentBackground)
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)
        self.setWindowFlag(Qt.WindowType.NoDropShadowWindowHint)

    def show_at(self, at: QPoint) -> None:
        """Show it at a global point."""
        self.popup(at)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        cut_corners(self)


def cut_corners(popup: QWidget) -> None:
    """Cut off what is outside the rounded corners: without compositing it would be black."""
    path = QPainterPath()
    radius = Radius.CARD - 1.0
    path.addRoundedRect(QRectF(popup.rect()), radius, radius)
    popup.setMask(QRegion(path.toFillPolygon().toPolygon()))
