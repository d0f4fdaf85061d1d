"""Drawing that several widgets share: rounded boxes, soft shadows, focus rings, one-line text."""

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPen

from app.ui.theme import Size, Theme


def rounded(
    painter: QPainter,
    rect: QRectF,
    radius: float,
    fill: QColor | None,
    border: QColor | None = None,
    *,
    width: float = 1,
) -> None:
    """A rounded box; the border lies inside `rect`, on whole pixels."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    inset = width / 2 if border is not None else 0.0
    painter.setPen(QPen(border, width) if border is not None else Qt.PenStyle.NoPen)
    painter.setBrush(fill if fill is not None else Qt.BrushStyle.NoBrush)
    painter.drawRoundedRect(rect.adjusted(inset, inset, -inset, -inset), radius - inset, radius - inset)


def shadow(painter: QPainter, rect: QRectF, radius: float, theme: Theme, *, depth: int = 20) -> None:
    """A soft shadow under `rect`: layers of one faint colour, wider and lower each."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    strength = 0.012 if theme.dark else 0.0045
    for step in range(depth, 0, -2):
        spread = step * 0.8
        painter.setBrush(theme.colour("shadow", strength * (1.6 - step / depth)))
        box = rect.adjusted(-spread, -spread * 0.6, spread, spread).translated(0, step * 0.22)
        painter.drawRoundedRect(box, radius + spread, radius + spread)


def ring(painter: QPainter, rect: QRectF, radius: float, theme: Theme) -> None:
    """The focus ring of a widget that was reached by keyboard, just inside `rect`."""
    rounded(painter, rect, radius, None, theme.colour("accent"), width=Size.RING)


def line_of_text(
    painter: QPainter,
    rect: QRectF,
    text: str,
    colour: QColor,
    *,
    elide: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
    centred: bool = False,
) -> float:
    """Draw one line in the painter's font, elided to the width; return the width it took.

    Text of a right-to-left script starts at the right edge.
    """
    metrics = QFontMetricsF(painter.font())
    shown = metrics.elidedText(text.replace("\n", " "), elide, rect.width())
    width = metrics.horizontalAdvance(shown)
    if centred:
        left = rect.left() + (rect.width() - width) / 2
    elif text.isascii() or not _right_to_left(text):
        left = rect.left()
    else:
        left = rect.right() - width
    baseline = rect.top() + (rect.height() + metrics.ascent() - metrics.descent()) / 2
    painter.setPen(colour)
    painter.drawText(QPointF(left, baseline), shown)
    return width


def _right_to_left(text: str) -> bool:
    for character in text:
        point = ord(character)
        if character.isalpha():
            return 0x590 <= point <= 0x8FF or 0xFB1D <= point <= 0xFDFF or 0xFE70 <= point <= 0xFEFC
    return False
