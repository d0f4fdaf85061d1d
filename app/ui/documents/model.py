"""The library as a Qt model: one row a document, newest first."""

from collections.abc import Iterable, Sequence
from pathlib import PurePath

from PySide6.QtCore import QAbstractListModel, QMimeData, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.records import Document
from app.ui.documents.collections import DOCUMENTS_MIME
from app.ui.documents.words import description
from app.ui.rows import Part

Index = QModelIndex | QPersistentModelIndex

_SHORT = {
    "file_missing": "missing",
    "file_unreadable": "no access",
    "file_empty": "empty",
    "no_text": "no text",
    "unsupported_type": "unknown kind",
    "file_damaged": "damaged",
    "file_encrypted": "encrypted",
    "parser_limit": "too large",
}


class DocumentsModel(QAbstractListModel):
    """Documents by their ids. `put` inserts or updates one; `reset` takes the whole list."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._documents: list[Document] = []
        self._places: dict[str, int] = {}
        self.known = False  # whether the list was ever given

    def reset(self, documents: Iterable[Document]) -> None:
        """Take this list in place of the old one."""
        first, self.known = not self.known, True
        fresh = sorted(documents, key=_newest_first)
        if not first and [document.id for document in fresh] == [document.id for document in self._documents]:
            self._documents = fresh
            if fresh:
                self.dataChanged.emit(self.index(0), self.index(len(fresh) - 1))
            return
        self.beginResetModel()
        self._documents = fresh
        self._find_places()
        self.endResetModel()

    def put(self, document: Document) -> None:
        """Add a document or take its new state."""
        row = self._places.get(document.id)
        if row is not None:
            self._documents[row] = document
            self.dataChanged.emit(self.index(row), self.index(row))
            return
        key = _newest_first(document)
        row = next(
            (at for at, other in enumerate(self._documents) if _newest_first(other) > key),
            len(self._documents),
        )
        self.beginInsertRows(QModelIndex(), row, row)
        self._documents.insert(row, document)
        self._find_places()
        self.endInsertRows()

    def remove(self, document_id: str) -> None:
        row = self._places.get(document_id)
        if row is None:
            return
        self.beginRemoveRows(QModelIndex(), row, row)
        del self._documents[row]
        self._find_places()
        self.endRemoveRows()

    def document(self, document_id: str) -> Document | None:
        row = self._places.get(document_id)
        return None if row is None else self._documents[row]

    def documents(self) -> tuple[Document, ...]:
        return tuple(self._documents)

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._documents)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._documents):
            return None
        document = self._documents[index.row()]
        match role:
            case Qt.ItemDataRole.DisplayRole:
                return document.name
            case Qt.ItemDataRole.ToolTipRole | Qt.ItemDataRole.AccessibleDescriptionRole:
                return description(document)
            case Qt.ItemDataRole.AccessibleTextRole:
                return f"{document.name}, {description(document)}"
            case Part.KEY:
                return document.id
            case Part.RECORD:
                return document
            case Part.HEADING:
                return False
            case Part.META:
                return _meta(document)
            case Part.ICON:
                return _icon(document)
            case Part.TONE:
                return {"failed": "warn", "ready": "ink3"}.get(document.status, "accent")
            case Part.PROGRESS:
                return progress(document)
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = super().flags(index)
        return flags | Qt.ItemFlag.ItemIsDragEnabled if index.isValid() else flags

    def mimeTypes(self) -> list[str]:
        return [DOCUMENTS_MIME]

    def mimeData(self, indexes: Sequence[QModelIndex]) -> QMimeData:
        data = QMimeData()
        ids = [str(index.data(Part.KEY)) for index in indexes]
        data.setData(DOCUMENTS_MIME, "\n".join(ids).encode("ascii", "replace"))
        return data

    def _find_places(self) -> None:
        self._places = {document.id: row for row, document in enumerate(self._documents)}


def progress(document: Document) -> float | None:
    """How far the reading is, 0 to 1; None where nothing is under way.

    Reading the pages is counted as the first half and embedding the passages as the second.
    """
    if document.status == "reading":
        return 0.5 * document.pages_read / document.pages if document.pages else 0.0
    if document.status == "embedding":
        return 0.5 + (0.5 * document.passages_embedded / document.passages if document.passages else 0.0)
    return None


def _meta(document: Document) -> str:
    match document.status:
        case "failed":
            return _SHORT.get(document.error.code, "failed") if document.error else "failed"
        case "queued":
            return "changed" if document.changed else "waiting"
        case "reading":
            return f"{document.pages_read}/{document.pages}" if document.pages else "reading"
        case "embedding":
            share = progress(document) or 0.0
            return f"{round(share * 100)} %"
    return "missing" if document.missing else ""


def _icon(document: Document) -> str:
    if document.status == "failed":
        return "circle-alert"
    if document.status in {"reading", "embedding"}:
        return "circle-dashed"
    if document.status == "queued":
        return "clock"
    if document.missing:
        return "file"
    return "file-text" if document.paged or PurePath(document.name).suffix else "file"


def _newest_first(document: Document) -> tuple[float, str]:
    return (-document.added_at, document.id)
