"""What is done with the conversations: keeping the list up to date, renaming, deleting."""

from pathlib import Path

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QWidget

from app.records import Conversation
from app.ui.bridge import Bridge
from app.ui.conversations.model import ConversationsModel
from app.ui.conversations.saving import file_name, written
from app.ui.dialogs import ask_text, confirm
from app.ui.files import choose_place
from app.ui.theme import Theme


class History(QObject):
    """The conversations and what can be done with them.

    Signals:
        changed: the Conversation, with another title or new messages.
        deleted: its id.
        saved: the path of the file that a conversation was saved as.
    """

    changed = Signal(object)
    deleted = Signal(str)
    saved = Signal(str)

    def __init__(self, theme: Theme, bridge: Bridge, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._bridge = bridge
        self._window = parent
        self.model = ConversationsModel(parent=self)
        bridge.conversation_changed.connect(self._take)
        bridge.conversation_removed.connect(self._gone)

    def fetch(self) -> None:
        """Take the whole list again."""
        self._bridge.request(
            self._bridge.client.conversations(), self.model.reset, lambda _: None, owner=self
        )

    def rename(self, key: str) -> None:
        """Ask for another title."""
        conversation = self.model.conversation(key)
        if conversation is None:
            return

        def rename(title: str) -> None:
            work = self._bridge.client.rename_conversation(key, title)
            self._bridge.request(work, self._take, owner=self)

        ask_text(
            self._theme, "Rename the conversation", conversation.title, "Rename", self._window, then=rename
        )

    def save(self, key: str) -> None:
        """Ask where to, and save a conversation as Markdown, with its sources."""
        conversation = self.model.conversation(key)
        if conversation is None:
            return

        def save(path: str) -> None:
            chunks = self._bridge.client.export("markdown", conversation_id=key)
            self._bridge.request(written(chunks, Path(path)), self.saved.emit, owner=self)

        name = file_name(conversation.title, ".md")
        title = "Save the conversation as Markdown"
        choose_place(self._theme, self._window, title, name, "Markdown (*.md)", then=save)

    def delete(self, key: str) -> None:
        """Delete a conversation, after asking."""
        conversation = self.model.conversation(key)
        if conversation is None:
            return
        text = "Its questions and answers are deleted. Your documents stay."

        def delete() -> None:
            work = self._bridge.client.delete_conversation(key)
            self._bridge.request(work, lambda _: self._gone(key), owner=self)

        confirm(self._theme, f"Delete “{conversation.title}”?", text, "Delete", self._window, then=delete)

    def _take(self, conversation: Conversation) -> None:
        self.model.put(conversation)
        self.changed.emit(conversation)

    def _gone(self, key: str) -> None:
        self.model.remove(key)
        self.deleted.emit(key)
