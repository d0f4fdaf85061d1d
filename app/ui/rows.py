"""The rows of the desk: one delegate and one list view for conversations and documents alike.

A model gives a row's parts through `Part`; the delegate draws them. Thousands of rows cost no
more than those in sight.
"""

from enum import IntEnum

from PySide6.QtCore import (
    QAbstractItemModel,
    QModelIndex,
    QPersistentModelIndex,
    QPoint,
    QRectF,
    QSize,
    Qt,
    Signal,
)
from PySide6.QtGui import QFocusEvent, QFontMetricsF, QGuiApplication, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QWidget,
)

from app.ui.icons import paint_icon
from app.ui.paint import line_of_text, ring, rounded
from app.ui.theme import Radius, Size, Space, Theme

Index = QModelIndex | QPersistentModelIndex


class Part(IntEnum):
    """Roles of a row beside its title (the display role)."""

    KEY = Qt.ItemDataRole.UserRole + 1  # the record's id; None for a heading
    HEADING = Qt.ItemDataRole.UserRole + 2  # bool
    META = Qt.ItemDataRole.UserRole + 3  # small text at the end
    ICON = Qt.ItemDataRole.UserRole + 4  # name of an icon at the start, or None
    TONE = Qt.ItemDataRole.UserRole + 5  # token that colours the icon
    PROGRESS = Qt.ItemDataRole.UserRole + 6  # 0.0 to 1.0, or None
    RECORD = Qt.ItemDataRole.UserRole + 7  # the record itself


class RowDelegate(QStyledItemDelegate):
    """Draws one row: icon, title, small text, a bar under it while there is progress."""

    def __init__(self, theme: Theme, parent: QWidget, elide: Qt.TextElideMode) -> None:
        super().__init__(parent)
        self._theme = theme
        self._elide = elide
        self.open_key: str | None = None

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(80, self._theme.px(Size.ROW + 2))

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        painter.save()
        theme = self._theme
        box = QRectF(option.rect).adjusted(1, 1, -1, -1)
        if index.data(Part.HEADING):
            self._paint_heading(painter, box, index)
            painter.restore()
            return
        state = option.state
        is_open = self.open_key is not None and index.data(Part.KEY) == self.open_key
        if is_open:
            rounded(painter, box, Radius.ROW, theme.colour("sheet"), theme.colour("line"))
        elif state & QStyle.StateFlag.State_Selected:
            rounded(painter, box, Radius.ROW, theme.colour("soft"))
        elif state & QStyle.StateFlag.State_MouseOver:
            rounded(painter, box, Radius.ROW, theme.colour("paper"))
        view = option.widget
        if state & QStyle.StateFlag.State_HasFocus and isinstance(view, RowList) and view.ringed:
            ring(painter, box, Radius.ROW, theme)
        self._paint_parts(painter, box.adjusted(7, 0, -7, 0), index, option.direction)
        painter.restore()

    def _paint_heading(self, painter: QPainter, box: QRectF, index: Index) -> None:
        painter.setFont(self._theme.font("label"))
        lower = QRectF(
            box.left() + 7, box.bottom() - self._theme.px(24), box.width() - 14, self._theme.px(20)
        )
        line_of_text(painter, lower, str(index.data(Qt.ItemDataRole.DisplayRole)), self._theme.colour("ink3"))

    def _paint_parts(
        self, painter: QPainter, room: QRectF, index: Index, direction: Qt.LayoutDirection
    ) -> None:
        theme = self._theme
        mirror = direction == Qt.LayoutDirection.RightToLeft

        def placed(part: QRectF) -> QRectF:
            if mirror:
                part.moveLeft(room.left() + room.right() - part.right())
            return part

        left, right = room.left(), room.right()
        if name := index.data(Part.ICON):
            side = theme.px(Size.ICON)
            at = placed(QRectF(left, room.center().y() - side / 2, side, side))
            paint_icon(painter, name, at, theme.colour(index.data(Part.TONE) or "ink3"))
            left += side + Space.SMALL
        if meta := index.data(Part.META):
            painter.setFont(theme.font("small"))
            wide = min(QFontMetricsF(painter.font()).horizontalAdvance(meta) + 1, room.width() * 0.5)
            at = placed(QRectF(right - wide, room.top(), wide, room.height()))
            line_of_text(painter, at, meta, theme.colour("ink3"))
            right -= wide + Space.SMALL
        painter.setFont(theme.font("control"))
        title = str(index.data(Qt.ItemDataRole.DisplayRole))
        at = placed(QRectF(left, room.top(), right - left, room.height()))
        line_of_text(painter, at, title, theme.colour("ink"), elide=self._elide)
        progress = index.data(Part.PROGRESS)
        if progress is not None:
            bar = placed(QRectF(left, room.bottom() - Size.PROGRESS, room.right() - left, Size.PROGRESS))
            rounded(painter, bar, Size.PROGRESS / 2, theme.colour("line"))
            if progress > 0:
                bar.setWidth(max(Size.PROGRESS, bar.width() * min(1.0, progress)))
                rounded(painter, bar, Size.PROGRESS / 2, theme.colour("accent"))


class RowList(QListView):
    """A list of rows.

    Signals:
        opened: the key of a row that was clicked or chosen with Enter.
        menu_asked: the keys of the selected rows and where to show their menu (global).
        removal_asked: the keys of the selected rows; the Delete key was pressed.
    """

    opened = Signal(str)
    menu_asked = Signal(list, QPoint)
    removal_asked = Signal(list)

    def __init__(self, theme: Theme, name: str, model: QAbstractItemModel, *, several: bool = False) -> None:
        super().__init__()
        self.ringed = False
        # Of a file's name the end counts as well; of a question the beginning.
        elide = Qt.TextElideMode.ElideMiddle if several else Qt.TextElideMode.ElideRight
        self._delegate = RowDelegate(theme, self, elide)
        self.setItemDelegate(self._delegate)
        self.setModel(model)
        self.setAccessibleName(name)
        self.setMouseTracking(True)
        self.setUniformItemSizes(True)
        self.setFrameShape(QListView.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionMode(
            QAbstractItemView.SelectionMode.ExtendedSelection
            if several
            else QAbstractItemView.SelectionMode.SingleSelection
        )
        self.viewport().setAutoFillBackground(False)
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.customContextMenuRequested.connect(self._ask_menu)
        self.clicked.connect(self._clicked)
        theme.changed.connect(self.scheduleDelayedItemsLayout)

    @property
    def open_key(self) -> str | None:
        return self._delegate.open_key

    def show_open(self, key: str | None) -> None:
        """Draw the row of `key` as the one that is open (None: no row).

        Another row that was opened before no longer looks chosen; a choice of several stays.
        """
        self._delegate.open_key = key
        selected = self.selected_keys()
        if len(selected) == 1 and selected != [key]:
            self.clearSelection()
        self.viewport().update()

    def selected_keys(self) -> list[str]:
        keys = [index.data(Part.KEY) for index in self.selectedIndexes()]
        return [key for key in keys if key]

    def content_height(self) -> int:
        """Height that would show every row, in logical pixels."""
        model = self.model()
        return model.rowCount() * self.sizeHintForRow(0) + 2 if model.rowCount() else 0

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space}:
            self._open(self.currentIndex())
            return
        if event.key() == Qt.Key.Key_Menu:
            self._ask_menu(self.visualRect(self.currentIndex()).center())
            return
        if event.key() == Qt.Key.Key_Delete and (keys := self.selected_keys()):
            self.removal_asked.emit(keys)
            return
        self.ringed = True
        super().keyPressEvent(event)

    def focusInEvent(self, event: QFocusEvent) -> None:
        self.ringed = event.reason() in {
            Qt.FocusReason.TabFocusReason,
            Qt.FocusReason.BacktabFocusReason,
            Qt.FocusReason.ShortcutFocusReason,
        }
        super().focusInEvent(event)
        if self.ringed and not self.currentIndex().isValid():
            self._take_first()

    def _take_first(self) -> None:
        model = self.model()
        for row in range(model.rowCount()):
            index = model.index(row, 0)
            if index.flags() & Qt.ItemFlag.ItemIsSelectable:
                self.setCurrentIndex(index)
                return

    def _clicked(self, index: QModelIndex) -> None:
        modifiers = Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier
        if not (QGuiApplication.keyboardModifiers() & modifiers):
            self._open(index)

    def _open(self, index: QModelIndex) -> None:
        if key := index.data(Part.KEY):
            self.opened.emit(key)

    def _ask_menu(self, at: QPoint) -> None:
        index = self.indexAt(at)
        if index.isValid() and index not in self.selectedIndexes():
            self.setCurrentIndex(index)
        if keys := self.selected_keys():
            self.menu_asked.emit(keys, self.viewport().mapToGlobal(at))
