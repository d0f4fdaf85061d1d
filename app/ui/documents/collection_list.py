"""The collections above the library: one is shown, asked, renamed; documents are dropped on it."""

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractItemView, QMenu, QSizePolicy

from app.ui.documents.collections import Collecting
from app.ui.icons import icon
from app.ui.menu import Menu
from app.ui.rows import RowList
from app.ui.theme import Theme

_MOST_ROWS = 4
# In a low window the library needs the room more.
_MOST_ROWS_LOW, _LOW = 2, 640  # rows, pixels


class CollectionList(RowList):
    """As high as its rows, up to four, or two in a low window; then it scrolls. Hidden while there are none.

    Signals:
        ask_chosen: the id of a collection, to be all that is asked.
    """

    ask_chosen = Signal(str)

    def __init__(self, theme: Theme, collecting: Collecting) -> None:
        super().__init__(theme, "Collections", collecting.model)
        self._theme = theme
        self._collecting = collecting
        self.setAcceptDrops(True)
        self.setDragDropMode(QAbstractItemView.DragDropMode.DropOnly)
        self.setDropIndicatorShown(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.opened.connect(collecting.show)
        self.menu_asked.connect(lambda keys, at: self.menu(keys[0]).show_at(at))
        self.removal_asked.connect(lambda keys: collecting.delete(keys[0]))
        collecting.changed.connect(self.fit)
        theme.changed.connect(self.fit)
        collecting.shown.connect(lambda key, _: self.show_open(key or None))
        self.fit()

    def sizeHint(self) -> QSize:
        return QSize(80, self.height())

    def fit(self) -> None:
        """Be as high as the rows that may be seen."""
        rows = self._collecting.model.rowCount()
        self.setVisible(rows > 0)
        if rows:
            most = _MOST_ROWS_LOW if self.window().height() < self._theme.px(_LOW) else _MOST_ROWS
            self.setFixedHeight(self.sizeHintForRow(0) * min(rows, most) + 2)

    def menu(self, key: str) -> Menu:
        """What can be done with a collection."""
        menu, known = Menu(self), self._collecting.model.collection(key)
        if known is None:
            return menu
        ask = _offer(
            self._theme,
            menu,
            "message-square-text",
            "Ask only this collection",
            lambda: self.ask_chosen.emit(key),
        )
        ask.setEnabled(known.documents > 0)
        is_open = self._collecting.open == known
        text = "Show all documents" if is_open else "Show only this collection"
        _offer(self._theme, menu, "layout-list", text, lambda: self._collecting.show(key))
        if known.folder is None:
            menu.addSeparator()
            _offer(self._theme, menu, "pencil", "Rename…", lambda: self._collecting.rename(key))
            _offer(self._theme, menu, "trash-2", "Delete…", lambda: self._collecting.delete(key))
        return menu


def put_menu(parent: Menu, theme: Theme, collecting: Collecting, ids: list[str]) -> None:
    """Into `parent`: where some documents can be put, and where they can be taken out."""
    inside = Menu(parent)
    # It goes with the menu that it opens from, not each time the pointer leaves it.
    inside.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    inside.setTitle("Put into a collection")
    inside.setIcon(icon("folder-plus", theme.colour("ink2")))
    made = [known for known in collecting.model.collections() if known.folder is None]
    for known in made:
        _offer(theme, inside, "files", known.name, lambda _=False, key=known.id: collecting.put(key, ids))
    if made:
        inside.addSeparator()
    _offer(theme, inside, "plus", "New collection…", lambda: collecting.create(ids))
    parent.addMenu(inside)
    shown = collecting.open
    if shown is not None and shown.folder is None:
        _offer(
            theme, parent, "minus", f"Take out of “{shown.name}”", lambda: collecting.take_out(shown.id, ids)
        )


def _offer(theme: Theme, menu: QMenu, picture: str, text: str, work: object) -> QAction:
    action = QAction(icon(picture, theme.colour("ink2")), text.replace("&", "&&"), menu)
    action.triggered.connect(work)
    menu.addAction(action)
    return action
