"""What of the library the desk shows: names that match, and one collection or all."""

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QSortFilterProxyModel, Qt

from app.ui.documents.model import DocumentsModel
from app.ui.rows import Part

Index = QModelIndex | QPersistentModelIndex


class LibraryFilter(QSortFilterProxyModel):
    """The documents whose names hold the words of the find box and that are in the collection shown."""

    def __init__(self, documents: DocumentsModel, parent: QObject) -> None:
        super().__init__(parent)
        self._shown: frozenset[str] | None = None
        self.setSourceModel(documents)
        self.setFilterCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)

    def show_only(self, ids: frozenset[str] | None) -> None:
        """Show only these documents; None: all."""
        if ids != self._shown:
            self._shown = ids
            self.invalidate()

    def filterAcceptsRow(self, source_row: int, source_parent: Index) -> bool:
        if self._shown is not None:
            key = self.sourceModel().index(source_row, 0, source_parent).data(Part.KEY)
            if key not in self._shown:
                return False
        return super().filterAcceptsRow(source_row, source_parent)
