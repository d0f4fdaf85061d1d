"""Desk, talk and page side by side: their widths, folding, and who covers whom."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QSplitter, QWidget

from app.ui.state import WindowState
from app.ui.theme import Size, Theme

_LEAST_MIDDLE = 420
_LEAST_READER = 280


class Panes(QSplitter):
    """Three panes. Where there is no room for both, the reader covers the talk.

    Signals:
        changed: a width, or which panes are shown; worth remembering.
    """

    changed = Signal()

    def __init__(self, theme: Theme, desk: QWidget, middle: QWidget, reader: QWidget) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._theme = theme
        self._scale = theme.scale
        self._reader_width = 0
        self.desk, self.middle, self.reader = desk, middle, reader
        self.setHandleWidth(1)
        self.setChildrenCollapsible(False)
        for pane in (desk, middle, reader):
            self.addWidget(pane)
        self.setStretchFactor(1, 1)
        reader.hide()
        self.splitterMoved.connect(self._moved)
        theme.changed.connect(self._restyle)

    @property
    def narrow(self) -> bool:
        return self.width() < Size.NARROW

    @property
    def reader_open(self) -> bool:
        return self.reader.isVisibleTo(self)

    @property
    def desk_folded(self) -> bool:
        return not self.desk.isVisibleTo(self)

    def restore(self, state: WindowState, width: int) -> None:
        """Take the widths as they were left; `width` is the window's, which is not shown yet."""
        self._reader_width = state.reader_width
        desk = min(state.desk_width or self._theme.px(Size.DESK), width // 3)
        self.setSizes([desk, width - desk, 0])
        self.desk.setVisible(not state.desk_folded)

    def remembered(self) -> dict[str, object]:
        """What `restore` wants to know the next time."""
        kept: dict[str, object] = {"desk_folded": self.desk_folded, "reader_width": self._reader_width}
        if not self.desk_folded:
            kept["desk_width"] = self.sizes()[0]
        return kept

    def fold_desk(self, folded: bool) -> None:
        self.desk.setVisible(not folded)
        self.changed.emit()

    def open_reader(self) -> None:
        if not self.reader_open:
            self.reader.show()
            self._arrange()
            if not self.narrow:
                self._size_reader()

    def close_reader(self) -> None:
        self.reader.hide()
        self._arrange()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange()

    def _arrange(self) -> None:
        covered = self.narrow and self.reader_open
        desk = self.sizes()[0]
        if covered:
            self.middle.hide()
            desk = min(desk, self._theme.px(Size.DESK))
            self.setSizes([desk, 0, self.width() - desk])
        elif self.middle.isHidden():
            self.middle.show()
            if self.reader_open:
                self._size_reader()
            else:
                self.setSizes([desk, self.width() - desk, 0])

    def _size_reader(self) -> None:
        desk = self.sizes()[0]
        wanted = self._reader_width or self._theme.px(Size.READER)
        width = min(wanted, max(_LEAST_READER, self.width() - desk - _LEAST_MIDDLE))
        self.setSizes([desk, self.width() - desk - width, width])

    def _moved(self) -> None:
        if self.reader_open and not self.narrow:
            self._reader_width = self.sizes()[2]
        self.changed.emit()

    def _restyle(self) -> None:
        """Text of another size wants a desk of another width."""
        if self._theme.scale != self._scale:
            desk, _, reader = self.sizes()
            desk = min(round(desk * self._theme.scale / self._scale), self.width() // 3)
            self.setSizes([desk, max(1, self.width() - desk - reader), reader])
            self._scale = self._theme.scale
