"""What is done with the library: adding, reading again, removing; and keeping it up to date."""

from collections.abc import Sequence

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from app.records import Addition, Document
from app.ui.bridge import Bridge
from app.ui.dialogs import confirm
from app.ui.documents.model import DocumentsModel
from app.ui.theme import Theme

# The feed says every change. Asked again now and then all the same while something is being read,
# so that a change that was missed (between two connections) does not stay missed.
_REFRESH_MS = 5_000
_COUNT_MS = 50
_MOST_NAMED = 3


class Shelf(QObject):
    """The documents and what can be done with them.

    Signals:
        changed: the number or state of documents is another.
        refused: a sentence on files that were not taken.
        became_ready: a Document that can be asked now.
    """

    changed = Signal()
    refused = Signal(str)
    became_ready = Signal(object)

    def __init__(self, theme: Theme, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bridge = bridge
        self._window = parent
        self.model = DocumentsModel(self)
        bridge.document_changed.connect(self._put)
        bridge.document_removed.connect(self._removed)
        # While a folder is taken in, changes come by the hundred: they are counted together.
        self._counting = QTimer(self)
        self._counting.setSingleShot(True)
        self._counting.setInterval(_COUNT_MS)
        self._counting.timeout.connect(self._count)
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.setInterval(_REFRESH_MS)
        self._refresh.timeout.connect(self.fetch)

    def fetch(self) -> None:
        """Take the whole list again."""
        self._bridge.request(self._bridge.client.documents(), self._reset, self._not_fetched, owner=self)

    def add(self, paths: Sequence[str]) -> None:
        """Put files and folders on the desk."""
        if paths:
            self._bridge.request(self._bridge.client.add_paths(list(paths)), self.added, owner=self)

    def added(self, additions: Sequence[Addition]) -> None:
        """Take in what became of an add; say which files were refused and why."""
        for addition in additions:
            if addition.document is not None:
                self._put(addition.document)
        if (said := _refusal(additions)) or (said := _known(additions)):
            self.refused.emit(said)
        elif not additions:
            self.refused.emit("There was no file to add in this folder.")

    def retry(self, ids: Sequence[str]) -> None:
        """Read failed documents again."""
        for document_id in ids:
            self._bridge.request(self._bridge.client.retry_document(document_id), self._put, owner=self)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove documents, after asking."""
        found = [document for document in map(self.model.document, ids) if document is not None]
        if not found:
            return
        what = f"“{found[0].name}”" if len(found) == 1 else f"{len(found)} documents"
        whose = "Its" if len(found) == 1 else "Their"
        text = f"{whose} passages can no longer be asked. Files of yours stay where they are."

        def remove() -> None:
            for document in found:
                work = self._bridge.client.delete_document(document.id)
                self._bridge.request(work, lambda _, key=document.id: self._removed(key), owner=self)  # type: ignore[misc]

        confirm(self._theme, f"Remove {what}?", text, "Remove", self._window, then=remove)

    def names(self, ids: Sequence[str]) -> list[str]:
        return [document.name for document in map(self.model.document, ids) if document is not None]

    def _reset(self, documents: tuple[Document, ...]) -> None:
        before = {document.id: document.status for document in self.model.documents()}
        self.model.reset(documents)
        for document in documents:
            if document.status == "ready" and before.get(document.id, "ready") != "ready":
                self.became_ready.emit(document)
        self._changed()

    def _put(self, document: Document) -> None:
        before = self.model.document(document.id)
        self.model.put(document)
        if document.status == "ready" and (before is None or before.status != "ready"):
            self.became_ready.emit(document)
        self._changed()

    def _removed(self, document_id: str) -> None:
        self.model.remove(document_id)
        self._changed()

    def _changed(self) -> None:
        if not self._counting.isActive():
            self._counting.start()

    def _count(self) -> None:
        busy = any(document.status not in {"ready", "failed"} for document in self.model.documents())
        if busy and not self._refresh.isActive():
            self._refresh.start()
        self.changed.emit()

    def _not_fetched(self, _problem: object) -> None:
        # The feed's own loss is what the user is told of; try again while something is open.
        self._refresh.start()


def _refusal(additions: Sequence[Addition]) -> str:
    """Which files were not taken, by reason; empty where all were."""
    reasons: dict[str, list[str]] = {}
    for addition in additions:
        if addition.problem is not None:
            reasons.setdefault(addition.problem.message, []).append(addition.name)
    lines = [f"{_listed(names)}: {reason}" for reason, names in reasons.items()]
    count = sum(map(len, reasons.values()))
    if count > 1:
        lines.insert(0, f"{count:,} files were not added.")
    return "\n".join(lines)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    named = ", ".join(names[:_MOST_NAMED])
    return f"{named} and {more:,} more" if more > 0 else named


def _known(additions: Sequence[Addition]) -> str:
    """Which files were there before; empty where none was. They may have another name there."""
    known = [addition for addition in additions if addition.known]
    if len(known) > 1 and len(known) == len(additions):
        return "These files are in the library already."
    if len(known) > _MOST_NAMED:
        return f"{len(known):,} of these {len(additions):,} files are in the library already."
    return "\n".join(
        f"{addition.name} is in the library already"
        + (f", as {document.name}." if document is not None and document.name != addition.name else ".")
        for addition in known
        for document in (addition.document,)
    )
