"""What is done with the library: adding, reading again, removing; and keeping it up to date."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QWidget

from app.records import Addition, Document, WatchedFolder
from app.ui.bridge import Bridge
from app.ui.dialogs import confirm
from app.ui.documents.following import Following, name_of
from app.ui.documents.model import DocumentsModel
from app.ui.documents.words import MOST_NAMED, refusal
from app.ui.theme import Theme

# The feed says every change. Asked again now and then all the same while something is being read,
# so that a change that was missed (between two connections) does not stay missed.
_REFRESH_MS = 5_000
_COUNT_MS = 50


class Shelf(QObject):
    """The documents and what can be done with them.

    Signals:
        changed: the number or state of documents is another.
        refused: a sentence on files that were not taken, or what became of a folder.
        warned: a sentence on a folder that is not followed as it should be.
        offered: what was done with a folder, what else could be, and what to call for that.
        became_ready: a Document that can be asked now.
    """

    changed = Signal()
    refused = Signal(str)
    warned = Signal(str)
    offered = Signal(str, str, object)
    became_ready = Signal(object)

    def __init__(self, theme: Theme, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bridge = bridge
        self._window = parent
        self.model = DocumentsModel(self)
        self.following = Following(bridge, self)
        self.following.warned.connect(self.warned)
        self.following.said.connect(self.refused)
        self.following.began.connect(self._offer)
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
        self.following.fetch()
        self._bridge.request(self._bridge.client.documents(), self._reset, self._not_fetched, owner=self)

    def add(self, paths: Sequence[str]) -> None:
        """Put files on the desk, and folders, which are followed."""
        folders = [path for path in paths if Path(path).is_dir()]
        files = [path for path in paths if path not in folders]
        self.following.follow(folders)
        if files:
            self._bridge.request(self._bridge.client.add_paths(files), self.added, owner=self)

    def added(self, additions: Sequence[Addition]) -> None:
        """Take in what became of an add; say which files were refused and why."""
        for addition in additions:
            if addition.document is not None:
                self._put(addition.document)
        if (said := refusal(additions)) or (said := _known(additions)):
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

    def _offer(self, folder: WatchedFolder) -> None:
        """A folder that was put on the desk is followed; who wanted its files only says so."""
        said = f"{name_of(folder.path)} is followed: what changes in it, changes here."
        self.offered.emit(said, "Add its files only", lambda: self.following.leave(folder.id))

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


def _known(additions: Sequence[Addition]) -> str:
    """Which files were there before; empty where none was. They may have another name there."""
    known = [addition for addition in additions if addition.known]
    if len(known) > 1 and len(known) == len(additions):
        return "These files are in the library already."
    if len(known) > MOST_NAMED:
        return f"{len(known):,} of these {len(additions):,} files are in the library already."
    return "\n".join(
        f"{addition.name} is in the library already"
        + (f", as {document.name}." if document is not None and document.name != addition.name else ".")
        for addition in known
        for document in (addition.document,)
    )
