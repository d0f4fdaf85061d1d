"""Collections: what there are, and what is done with them."""

from collections.abc import Sequence

from PySide6.QtCore import (
    QAbstractListModel,
    QMimeData,
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    Qt,
    QTimer,
    Signal,
)
from PySide6.QtWidgets import QWidget

from app.filters import Filter
from app.records import Collection, Document
from app.ui.bridge import Bridge
from app.ui.dialogs import ask_text, confirm
from app.ui.rows import Part
from app.ui.theme import Theme

Index = QModelIndex | QPersistentModelIndex

# Documents on their way from the library into a collection: their ids, one a line.
DOCUMENTS_MIME = "application/x-carrel-documents"
_FETCH_MS = 150


class CollectionsModel(QAbstractListModel):
    """One row a collection, by name; followed folders come last. Documents can be dropped on a row.

    Signals:
        dropped: the id of a collection, and those of the documents that were put down on it.
    """

    dropped = Signal(str, list)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._collections: tuple[Collection, ...] = ()

    def reset(self, collections: Sequence[Collection]) -> None:
        """Take this list in place of the old one."""
        fresh = tuple(collections)
        if [known.id for known in fresh] == [known.id for known in self._collections]:
            self._collections = fresh
            if fresh:
                self.dataChanged.emit(self.index(0), self.index(len(fresh) - 1))
            return
        self.beginResetModel()
        self._collections = fresh
        self.endResetModel()

    def collections(self) -> tuple[Collection, ...]:
        return self._collections

    def collection(self, key: str | None) -> Collection | None:
        return next((known for known in self._collections if known.id == key), None)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._collections)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._collections):
            return None
        known = self._collections[index.row()]
        many = f"{known.documents:,} {'file' if known.documents == 1 else 'files'}"
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return known.name
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleDescriptionRole:
                return f"{many} in {known.folder}" if known.folder else many
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{'Folder' if known.folder else 'Collection'} {known.name}, {many}"
            case Part.KEY:
                return known.id
            case Part.RECORD:
                return known
            case Part.HEADING:
                return False
            case Part.META:
                return f"{known.documents:,}"
            case Part.ICON:
                return "folder" if known.folder else "files"
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        known = index.data(Part.RECORD) if index.isValid() else None
        return flags | Qt.ItemFlag.ItemIsDropEnabled if known is not None and not known.folder else flags

    def mimeTypes(self) -> list[str]:
        return [DOCUMENTS_MIME]

    def canDropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        on_a_row = bool(self.flags(parent) & Qt.ItemFlag.ItemIsDropEnabled) and parent.isValid()
        return on_a_row and data.hasFormat(DOCUMENTS_MIME)

    def dropMimeData(
        self, data: QMimeData, action: Qt.DropAction, row: int, column: int, parent: Index
    ) -> bool:
        if not self.canDropMimeData(data, action, row, column, parent):
            return False
        ids = bytes(data.data(DOCUMENTS_MIME).data()).decode("ascii", "replace").split()
        self.dropped.emit(parent.data(Part.KEY), ids)
        # Nothing is taken away from where it was dragged from.
        return False


class Collecting(QObject):
    """What is done with collections, and what of the library is shown.

    Signals:
        changed: the collections, or how many documents are in one.
        shown: the id of the collection that the library shows (empty: all), and the ids of its documents.
        said: a sentence on what became of a document.
    """

    changed = Signal()
    shown = Signal(str, object)
    said = Signal(str)

    def __init__(self, theme: Theme, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bridge = bridge
        self._window = parent
        self._open: str | None = None
        self.model = CollectionsModel(self)
        self.model.dropped.connect(self.put)
        # Changes of folders come by the hundred: the list is fetched once they pause.
        self._waiting = QTimer(self)
        self._waiting.setSingleShot(True)
        self._waiting.setInterval(_FETCH_MS)
        self._waiting.timeout.connect(self.fetch)
        for changed in (
            bridge.collections_changed,
            bridge.folder_changed,
            bridge.folder_removed,
            bridge.document_removed,
        ):
            changed.connect(self._later)

    @property
    def open(self) -> Collection | None:
        """The collection that the library shows."""
        return self.model.collection(self._open)

    def fetch(self) -> None:
        """Take the whole list again, and what is in the one that is shown."""
        self._bridge.request(self._bridge.client.collections(), self._reset, lambda _: None, owner=self)

    def show(self, key: str) -> None:
        """Show only this collection in the library; the one that is shown already: all again."""
        self._open = None if key in ("", self._open) else key
        self._fill()

    def create(self, ids: Sequence[str] = ()) -> None:
        """Ask for a name, and make a collection of these documents."""

        def create(name: str) -> None:
            work = self._bridge.client.create_collection(name, ids)
            self._bridge.request(work, lambda _: self.fetch(), owner=self)

        ask_text(self._theme, "New collection", "", "Create", self._window, then=create)

    def rename(self, key: str) -> None:
        """Ask for another name."""
        known = self.model.collection(key)
        if known is None or known.folder is not None:
            return

        def rename(name: str) -> None:
            work = self._bridge.client.change_collection(key, name=name)
            self._bridge.request(work, lambda _: self.fetch(), owner=self)

        ask_text(self._theme, "Rename the collection", known.name, "Rename", self._window, then=rename)

    def delete(self, key: str) -> None:
        """Delete a collection, after asking."""
        known = self.model.collection(key)
        if known is None or known.folder is not None:
            return

        def delete() -> None:
            work = self._bridge.client.delete_collection(key)
            self._bridge.request(work, lambda _: self.fetch(), owner=self)

        text = "Its documents stay in the library."
        confirm(self._theme, f"Delete “{known.name}”?", text, "Delete", self._window, then=delete)

    def put(self, key: str, ids: Sequence[str]) -> None:
        """Put documents into a collection."""
        work = self._bridge.client.change_collection(key, add=ids)
        self._bridge.request(work, lambda known: self._moved(known, f"In “{known.name}” now."), owner=self)

    def take_out(self, key: str, ids: Sequence[str]) -> None:
        """Take documents out of a collection; they stay in the library."""
        work = self._bridge.client.change_collection(key, remove=ids)
        self._bridge.request(work, lambda known: self._moved(known, ""), owner=self)

    def _moved(self, known: Collection, said: str) -> None:
        if said:
            self.said.emit(said)
        self.fetch()

    def _later(self, *_: object) -> None:
        self._waiting.start()

    def _reset(self, collections: tuple[Collection, ...]) -> None:
        self.model.reset(collections)
        if self._open is not None and self.open is None:
            self._open = None
        self.changed.emit()
        self._fill()

    def _fill(self) -> None:
        key = self._open
        if key is None:
            self.shown.emit("", None)
            return

        def filled(documents: tuple[Document, ...]) -> None:
            if self._open == key:
                self.shown.emit(key, frozenset(document.id for document in documents))

        work = self._bridge.client.documents(Filter(collections=(key,)))
        self._bridge.request(work, filled, lambda _: None, owner=self)
