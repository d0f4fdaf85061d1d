"""Trying the sample: its document goes on the desk, its question is asked once it is read."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Signal

from app.records import Addition, Document
from app.ui.bridge import Bridge
from app.ui.documents.shelf import Shelf

Sample = tuple[Path, str]


class SampleTrial(QObject):
    """Signals:

    ready: the question to ask now.
    """

    ready = Signal(str)

    def __init__(self, bridge: Bridge, shelf: Shelf, sample: Sample) -> None:
        super().__init__(shelf)
        self._bridge = bridge
        self._shelf = shelf
        self._path, self._question = sample
        self._waits_for: str | None = None
        shelf.became_ready.connect(self._became_ready)

    def begin(self) -> None:
        self._bridge.request(self._bridge.client.add_paths([str(self._path)]), self._added, owner=self)

    def _added(self, additions: Sequence[Addition]) -> None:
        document = additions[0].document if additions else None
        if document is not None:
            self._waits_for = document.id
        self._shelf.added(additions)
        if document is not None and document.status == "ready":
            self._became_ready(document)

    def _became_ready(self, document: Document) -> None:
        if document.id == self._waits_for:
            self._waits_for = None
            self.ready.emit(self._question)
