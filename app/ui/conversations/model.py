"""The conversations as a Qt model: the last used first, under headings by day."""

import time
from collections.abc import Callable, Iterable
from datetime import date, timedelta

from PySide6.QtCore import QAbstractListModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from app.records import Conversation
from app.ui.rows import Part

Index = QModelIndex | QPersistentModelIndex


class ConversationsModel(QAbstractListModel):
    """Rows are headings (str) and conversations. `filter` keeps those with the words in the title."""

    def __init__(self, clock: Callable[[], float] = time.time, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._clock = clock
        self._conversations: dict[str, Conversation] = {}
        self._words: tuple[str, ...] = ()
        self._rows: list[str | Conversation] = []

    def reset(self, conversations: Iterable[Conversation]) -> None:
        """Take this list in place of the old one."""
        self._conversations = {conversation.id: conversation for conversation in conversations}
        self._arrange()

    def put(self, conversation: Conversation) -> None:
        """Add a conversation or take its new state."""
        self._conversations[conversation.id] = conversation
        self._arrange()

    def remove(self, conversation_id: str) -> None:
        if self._conversations.pop(conversation_id, None) is not None:
            self._arrange()

    def filter(self, text: str) -> None:
        """Show only titles that hold every word of `text`."""
        words = tuple(text.casefold().split())
        if words != self._words:
            self._words = words
            self._arrange()

    def conversation(self, conversation_id: str) -> Conversation | None:
        return self._conversations.get(conversation_id)

    def row_of(self, conversation_id: str) -> int | None:
        for row, entry in enumerate(self._rows):
            if isinstance(entry, Conversation) and entry.id == conversation_id:
                return row
        return None

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's signature
        return 0 if parent.isValid() else len(self._rows)

    def flags(self, index: Index) -> Qt.ItemFlag:
        if index.isValid() and isinstance(self._rows[index.row()], str):
            return Qt.ItemFlag.NoItemFlags
        return super().flags(index)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= len(self._rows):
            return None
        entry = self._rows[index.row()]
        if isinstance(entry, str):
            if role == Qt.ItemDataRole.DisplayRole:
                return entry
            return True if role == Part.HEADING else None
        match role:
            case Qt.ItemDataRole.DisplayRole | Qt.ItemDataRole.ToolTipRole:
                return entry.title
            case Part.KEY:
                return entry.id
            case Part.RECORD:
                return entry
            case Part.HEADING:
                return False
        return None

    def _arrange(self) -> None:
        shown = sorted(
            (entry for entry in self._conversations.values() if self._matches(entry)),
            key=lambda entry: (-entry.updated_at, entry.id),
        )
        today = date.fromtimestamp(self._clock())
        rows: list[str | Conversation] = []
        last = None
        for entry in shown:
            day = _day(date.fromtimestamp(entry.updated_at), today)
            if day != last:
                rows.append(day)
                last = day
            rows.append(entry)
        if [_key(row) for row in rows] == [_key(row) for row in self._rows]:
            self._rows = rows
            if rows:
                self.dataChanged.emit(self.index(0), self.index(len(rows) - 1))
            return
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def _matches(self, conversation: Conversation) -> bool:
        title = conversation.title.casefold()
        return all(word in title for word in self._words)


def _key(row: str | Conversation) -> str:
    return row if isinstance(row, str) else f"\0{row.id}"


def _day(day: date, today: date) -> str:
    if day >= today:
        return "Today"
    if day == today - timedelta(days=1):
        return "Yesterday"
    if day > today - timedelta(days=7):
        return "This week"
    if day > today - timedelta(days=14):
        return "Last week"
    if day > today - timedelta(days=31):
        return "Last month"
    return day.strftime("%B %Y") if day.year != today.year else day.strftime("%B")
