"""A page of paper: its picture, and the marker over what is cited."""

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QKeyEvent, QPainter, QPaintEvent, QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QAbstractScrollArea, QSizePolicy

from app.records import Box
from app.ui.paint import rounded, shadow
from app.ui.theme import Space, Theme

_A4 = 297 / 210
_LEAST_ZOOM, _MOST_ZOOM = 0.5, 3.0
_CORNER = 4.0
_WIDTH_STEP = 64
_MOST_PIXELS = 3_000
_SETTLED_MS = 150
# Two notches of a wheel: the one that reaches the end does not turn the page as well.
_TURNS_AFTER = 240


class PageView(QAbstractScrollArea):
    """Shows one page, as wide as the pane at 100 %.

    Signals:
        width_wanted: the picture is wanted this many pixels wide (after resizing or zooming).
        zoomed: the zoom factor has changed.
        turned: the user scrolled past the end (+1) or the beginning (-1) of the page.
    """

    width_wanted = Signal()
    zoomed = Signal(float)
    turned = Signal(int)

    def __init__(self, theme: Theme, zoom: float = 1.0) -> None:
        super().__init__()
        self._theme = theme
        self._image: QImage | None = None
        self._boxes: tuple[Box, ...] = ()
        self._aspect = _A4
        self._zoom = min(_MOST_ZOOM, max(_LEAST_ZOOM, zoom))
        self._to_mark = False
        self._past = 0
        self.setFrameShape(QAbstractScrollArea.Shape.NoFrame)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAccessibleName("Page")
        self.viewport().setAutoFillBackground(False)
        self._settled = QTimer(self)
        self._settled.setSingleShot(True)
        self._settled.setInterval(_SETTLED_MS)
        self._settled.timeout.connect(self.width_wanted)
        theme.changed.connect(self.viewport().update)

    @property
    def zoom(self) -> float:
        return self._zoom

    @property
    def has_picture(self) -> bool:
        return self._image is not None

    @property
    def boxes(self) -> tuple[Box, ...]:
        return self._boxes

    @property
    def pixel_width(self) -> int:
        """How wide the picture is wanted, in device pixels, in steps so that resizing asks seldom."""
        pixels = self._page_width * self.devicePixelRatioF()
        return min(_MOST_PIXELS, max(_WIDTH_STEP, -(-int(pixels) // _WIDTH_STEP) * _WIDTH_STEP))

    def set_zoom(self, zoom: float) -> None:
        zoom = min(_MOST_ZOOM, max(_LEAST_ZOOM, round(zoom, 2)))
        if zoom == self._zoom:
            return
        self._zoom = zoom
        self._set_ranges()
        self.viewport().update()
        self.zoomed.emit(zoom)
        self._settled.start()

    def clear(self) -> None:
        """An empty sheet of the same shape, while the next page comes."""
        self._image = None
        self._boxes = ()
        self.viewport().update()

    def show_boxes(self, boxes: Sequence[Box]) -> None:
        """Mark these parts of the page and bring them into view."""
        self._boxes = tuple(boxes)
        self._to_mark = True
        self._scroll_to_mark()
        self.viewport().update()

    def show_picture(self, image: QImage) -> None:
        self._image = image
        if image.width() > 0:
            self._aspect = image.height() / image.width()
        self._set_ranges()
        self._scroll_to_mark()
        self.viewport().update()

    def sizeHint(self) -> QSize:
        return QSize(400, 560)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._set_ranges()
        self._settled.start()

    def wheelEvent(self, event: QWheelEvent) -> None:
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.set_zoom(self._zoom * (1.1 if event.angleDelta().y() > 0 else 1 / 1.1))
            event.accept()
            return
        turn = self._turn_of(event)
        self._past = self._past + event.angleDelta().y() if turn else 0
        if abs(self._past) >= _TURNS_AFTER:
            self._past = 0
            self.turned.emit(turn)
            return
        super().wheelEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        bar = self.verticalScrollBar()
        if event.key() in {Qt.Key.Key_PageDown, Qt.Key.Key_Space} and bar.value() >= bar.maximum():
            self.turned.emit(1)
        elif event.key() == Qt.Key.Key_PageUp and bar.value() <= bar.minimum():
            self.turned.emit(-1)
        elif event.key() == Qt.Key.Key_Right and self._zoom <= 1:
            self.turned.emit(1)
        elif event.key() == Qt.Key.Key_Left and self._zoom <= 1:
            self.turned.emit(-1)
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self.viewport())
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        sheet = self._sheet.translated(-self.horizontalScrollBar().value(), -self.verticalScrollBar().value())
        shadow(painter, sheet, _CORNER, self._theme, depth=14)
        rounded(painter, sheet, _CORNER, self._theme.colour("page"), self._theme.colour("line"))
        if self._image is not None:
            painter.drawImage(sheet.adjusted(1, 1, -1, -1), self._image)
        # Multiplied, as a marker is: the words under it stay black.
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_Multiply)
        for box in self._boxes:
            rounded(painter, _on(sheet, box).adjusted(-2, -1.5, 2, 1.5), 2, self._theme.colour("page_mark"))

    @property
    def _page_width(self) -> float:
        # The same with and without the scroll bar: a page that became narrower because of the bar
        # could fit without it, and then the two would take turns forever.
        pane = self.maximumViewportSize().width() - self.verticalScrollBar().sizeHint().width()
        return max(120.0, (pane - 2 * Space.LARGE) * self._zoom)

    @property
    def _sheet(self) -> QRectF:
        """The page in the coordinates of the whole scrolled area."""
        width = self._page_width
        left = max(float(Space.LARGE), (self.viewport().width() - width) / 2)
        return QRectF(left, Space.LARGE, width, round(width * self._aspect))

    def _set_ranges(self) -> None:
        sheet, port = self._sheet, self.viewport().size()
        vertical, horizontal = self.verticalScrollBar(), self.horizontalScrollBar()
        vertical.setRange(0, max(0, int(sheet.bottom() + Space.LARGE) - port.height()))
        vertical.setPageStep(port.height())
        vertical.setSingleStep(40)
        horizontal.setRange(0, max(0, int(sheet.right() + Space.LARGE) - port.width()))
        horizontal.setPageStep(port.width())

    def _turn_of(self, event: QWheelEvent) -> int:
        """Which way the wheel goes on from the end (1) or the beginning (-1); 0: it scrolls the page.

        What a touchpad goes on rolling by itself turns nothing.
        """
        bar, by = self.verticalScrollBar(), event.angleDelta().y()
        if event.phase() == Qt.ScrollPhase.ScrollMomentum:
            return 0
        if by < 0 and bar.value() >= bar.maximum():
            return 1
        return -1 if by > 0 and bar.value() <= bar.minimum() else 0

    def _scroll_to_mark(self) -> None:
        """Once for each page: later the user's own scrolling counts."""
        if not self._to_mark or self._image is None:
            return
        self._to_mark = False
        if not self._boxes:
            self.verticalScrollBar().setValue(0)
            return
        marks = [_on(self._sheet, box) for box in self._boxes]
        top = min(mark.top() for mark in marks)
        bottom = max(mark.bottom() for mark in marks)
        height = self.viewport().height()
        middle = top - height / 4 if bottom - top > height / 2 else (top + bottom - height) / 2
        self.verticalScrollBar().setValue(int(middle))

    def place_of(self, box: Box) -> QPointF:
        """Where a box's centre is in the viewport now."""
        centre = _on(self._sheet, box).center()
        return centre - QPointF(self.horizontalScrollBar().value(), self.verticalScrollBar().value())


def _on(sheet: QRectF, box: Box) -> QRectF:
    return QRectF(
        sheet.left() + box.left * sheet.width(),
        sheet.top() + box.top * sheet.height(),
        (box.right - box.left) * sheet.width(),
        (box.bottom - box.top) * sheet.height(),
    )
