"""Line icons (Lucide) and the mark, drawn in the colour of the text they stand beside."""

from functools import lru_cache

from PySide6.QtCore import QByteArray, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPainter, QPixmap
from PySide6.QtSvg import QSvgRenderer

from app.paths import resource


def paint_icon(painter: QPainter, name: str, rect: QRectF, colour: QColor) -> None:
    """Draw an icon into a square, sharp at any pixel ratio."""
    _renderer(name, colour.name()).render(painter, rect)


def icon(name: str, colour: QColor, size: int = 16) -> QIcon:
    """An icon for places that only take a QIcon (menus, the window)."""
    made = QIcon()
    for ratio in (1, 2, 3):
        pixmap = QPixmap(QSize(size * ratio, size * ratio))
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        paint_icon(painter, name, QRectF(0, 0, size * ratio, size * ratio), colour)
        painter.end()
        pixmap.setDevicePixelRatio(ratio)
        made.addPixmap(pixmap)
    return made


def application_icon() -> QIcon:
    """The mark on green, for the task bar and the window list."""
    return QIcon(str(resource("icons", "app.svg")))


@lru_cache(maxsize=256)
def _renderer(name: str, colour: str) -> QSvgRenderer:
    text = resource("icons", f"{name}.svg").read_text("utf-8")
    return QSvgRenderer(QByteArray(text.replace("currentColor", colour).encode()))
