"""Which documents are asked: all, or one that is picked here; several through the library."""

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from app.records import Document
from app.ui.menu import Menu

_OFFERED = 12
_WIDEST = 320


class ScopeMenu(Menu):
    """Offers all documents and the newest ones that are ready.

    Signals:
        chosen: ids of documents; empty for all.
    """

    chosen = Signal(list)

    def __init__(self, parent: QWidget, documents: Sequence[Document]) -> None:
        super().__init__(parent)
        self._offer("All documents", [])
        ready = [document for document in documents if document.askable]
        if ready:
            self.addSeparator()
        metrics = self.fontMetrics()
        for document in ready[:_OFFERED]:
            name = metrics.elidedText(document.name, Qt.TextElideMode.ElideMiddle, _WIDEST)
            self._offer(name.replace("&", "&&"), [document.id])
        if len(ready) > 1:
            self.addSeparator()
            hint = QAction("Several: select them in the library, then right-click", self)
            hint.setEnabled(False)
            self.addAction(hint)

    def _offer(self, text: str, ids: list[str]) -> None:
        action = QAction(text, self)
        action.triggered.connect(lambda: self.chosen.emit(ids))
        self.addAction(action)
