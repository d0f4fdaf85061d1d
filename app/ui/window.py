"""The window: lays out desk, talk and page, and connects them. What they do is theirs."""

from pathlib import Path

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import (
    QCloseEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
    QResizeEvent,
    QShortcut,
)
from PySide6.QtWidgets import QMainWindow, QVBoxLayout, QWidget

from app.records import Conversation, Health, Model, Problem
from app.settings import Settings
from app.ui.banner import Banner
from app.ui.bridge import Bridge
from app.ui.chat.room import ChatRoom
from app.ui.conversations.history import History
from app.ui.desk import Desk
from app.ui.documents.collections import Collecting
from app.ui.documents.sample import Sample, SampleTrial
from app.ui.documents.scope import Scope
from app.ui.documents.shelf import Shelf
from app.ui.dropping import DropOverlay
from app.ui.files import DOCUMENTS, choose_files, local_files
from app.ui.links import open_link
from app.ui.panes import Panes
from app.ui.places import Place
from app.ui.reader.reader import Reader
from app.ui.settings.dialog import SettingsDialog
from app.ui.state import StateFile
from app.ui.theme import Size, Theme
from app.ui.topbar import TopBar

_SAVE_MS = 600


class Window(QMainWindow):
    """Carrel's main window."""

    def __init__(
        self, theme: Theme, bridge: Bridge, settings: Settings, state: StateFile, sample: Sample | None = None
    ) -> None:
        super().__init__()
        self.theme = theme
        self.bridge = bridge
        self._settings = settings
        self._state = state
        self._address: str | None = None
        self.setWindowTitle("Carrel")
        self.setMinimumSize(Size.LEAST_WIDTH, Size.LEAST_HEIGHT)
        self.setAcceptDrops(True)
        self.history = History(theme, bridge, self)
        self.shelf = Shelf(theme, bridge, self)
        self.collecting = Collecting(theme, bridge, self)
        self.scope = Scope(theme, self.shelf.model, self.collecting, self)
        self.desk = Desk(theme, self.history.model, self.shelf.model, self.collecting)
        self.room = ChatRoom(theme, bridge, (sample[0].name, sample[1]) if sample else None)
        self.room.set_style(settings.text("answer_style"))
        self.reader = Reader(theme, bridge, state.state.zoom)
        self.banner = Banner(theme)
        self.top = TopBar(theme)
        self.chip = self.top.chip
        self.trial = SampleTrial(bridge, self.shelf, sample) if sample else None
        self.overlay = DropOverlay(theme, self)
        self._saving = QTimer(self)
        self._saving.setSingleShot(True)
        self._saving.setInterval(_SAVE_MS)
        self._saving.timeout.connect(self._remember)
        self._build()
        self._connect()
        self._connect_scope()
        self._add_shortcuts()
        self._restore()
        # Who starts Carrel to ask can type at once.
        self._focus_composer()

    def _build(self) -> None:
        self.middle = QWidget()
        column = QVBoxLayout(self.middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.top)
        column.addWidget(self.banner)
        column.addWidget(self.room, 1)
        self.panes = Panes(self.theme, self.desk, self.middle, self.reader)
        self.setCentralWidget(self.panes)

    def _connect(self) -> None:
        desk, room, reader, bridge, shelf = self.desk, self.room, self.reader, self.bridge, self.shelf
        for asked in (desk.add_asked, room.welcome.add_asked, room.composer.add_asked):
            asked.connect(self.choose_files)
        for asked, done in (
            (desk.new_asked, self.new_question),
            (desk.settings_asked, self.open_settings),
            (desk.fold_asked, self.toggle_desk),
        ):
            asked.connect(done)
        desk.searched.connect(self._search)
        desk.conversation_opened.connect(self._open_conversation)
        desk.document_opened.connect(self._open_document)
        desk.retry_asked.connect(shelf.retry)
        desk.removal_asked.connect(shelf.remove)
        history = self.history
        for asked, work in (
            (desk.rename_asked, history.rename),
            (desk.save_asked, history.save),
            (desk.delete_asked, history.delete),
        ):
            asked.connect(work)
        desk.find_box.textChanged.connect(lambda text: None if text else room.leave_search())
        self.top.unfold.clicked.connect(self.toggle_desk)
        room.titled.connect(self._show_title)
        room.left.connect(self._put_reader_away)
        room.place_opened.connect(self._open_place)
        room.trouble.connect(self._show_trouble)
        if self.trial is not None:
            room.welcome.sample_asked.connect(self.trial.begin)
            self.trial.ready.connect(room.ask)
        room.composer.files_pasted.connect(shelf.add)
        room.talk.model_asked.connect(self.chip.choose_file)
        room.talk.link_pressed.connect(lambda address: open_link(self.theme, address, self))
        reader.closed.connect(self.close_reader)
        reader.place_shown.connect(room.show_open)
        reader.place_shown.connect(lambda place: desk.library.show_open(place and place.document_id))
        reader.retry_asked.connect(lambda key: shelf.retry([key]))
        reader.removal_asked.connect(lambda key: shelf.remove([key]))
        self.chip.chosen.connect(self._choose_model)
        self.banner.retry_asked.connect(bridge.reconnect)
        bridge.connected.connect(self._connected)
        bridge.lost.connect(lambda problem: self.banner.show_lost(problem.message))
        bridge.trouble.connect(self._show_trouble)
        shelf.changed.connect(self._count)
        shelf.refused.connect(self.banner.show_notice)
        shelf.warned.connect(lambda text: self.banner.show_notice(text, warn=True))
        shelf.offered.connect(self.banner.offer)
        bridge.document_changed.connect(reader.document_changed)
        bridge.document_removed.connect(reader.document_removed)
        self.history.changed.connect(room.changed)
        self.history.deleted.connect(room.closed_elsewhere)
        self.history.saved.connect(lambda path: self.banner.show_notice(f"Saved as {path}"))
        for changed, show in (
            (bridge.model_changed, self.chip.show_model),
            (bridge.renewal_changed, desk.show_renewal),
        ):
            changed.connect(show)
        bridge.notice.connect(lambda problem: self.banner.show_notice(problem.message))
        bridge.window_requested.connect(self.come_forward)
        self.panes.changed.connect(self._moved)
        self.theme.changed.connect(self._moved)
        desk.split.splitterMoved.connect(self._moved)
        reader.page.zoomed.connect(self._moved)

    def _connect_scope(self) -> None:
        composer, scope = self.room.composer, self.scope
        composer.scope_asked.connect(lambda: scope.offer(composer.scope))
        composer.limit_removed.connect(scope.remove)
        scope.changed.connect(self.room.set_scope)
        for chosen, ask in (
            (self.desk.scope_chosen, scope.ask_documents),
            (self.desk.collections.ask_chosen, scope.ask_collection),
        ):
            chosen.connect(ask)
            chosen.connect(self._focus_composer)
        self.collecting.said.connect(self.banner.show_notice)

    def _add_shortcuts(self) -> None:
        for keys, work in (
            ("Ctrl+N", self.new_question),
            ("Ctrl+K", self._focus_find),
            ("Ctrl+O", self.choose_files),
            ("Ctrl+B", self.toggle_desk),
            ("Ctrl+,", self.open_settings),
            ("Ctrl+L", self._focus_composer),
            ("Ctrl++", lambda: self.theme.set_scale(self.theme.scale + 0.1)),
            ("Ctrl+=", lambda: self.theme.set_scale(self.theme.scale + 0.1)),
            ("Ctrl+-", lambda: self.theme.set_scale(self.theme.scale - 0.1)),
            ("Ctrl+0", lambda: self.theme.set_scale(1.0)),
            ("Ctrl+W", self.close),
            ("Ctrl+Q", self.close),
            ("Escape", self._escape),
        ):
            QShortcut(QKeySequence(keys), self).activated.connect(work)

    # What the user does

    def new_question(self) -> None:
        self.room.new_question()

    def choose_files(self) -> None:
        """Let the user pick files to add."""
        choose_files(self.theme, self, "Add files", DOCUMENTS, then=self.shelf.add, several=True)

    def open_settings(self) -> None:
        chat = self.chip.models.get("chat")
        dialog = SettingsDialog(
            self.theme,
            self._settings,
            self.bridge,
            self.shelf.following,
            model=chat.path if chat else "loading",
            address=self._address,
            parent=self,
        )
        dialog.model_asked.connect(self.chip.choose_file)
        dialog.address_changed.connect(self._listening)
        dialog.style_chosen.connect(self.room.set_style)
        self.bridge.model_changed.connect(dialog.show_model)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.open()

    def toggle_desk(self) -> None:
        """Fold the left pane away, or bring it back."""
        folded = not self.panes.desk_folded
        self.panes.fold_desk(folded)
        self.top.unfold.setVisible(folded)

    def close_reader(self) -> None:
        self._put_reader_away()
        self._focus_composer()

    def come_forward(self) -> None:
        """Another start of the program asked for this window."""
        if self.isMinimized():
            self.showNormal()
        self.show()
        self.raise_()
        self.activateWindow()

    # What the other parts say

    def _connected(self) -> None:
        """The other side answers: take everything again."""
        self.banner.clear_lost()
        client, request = self.bridge.client, self.bridge.request
        self.shelf.fetch()
        self.collecting.fetch()
        self.history.fetch()
        request(client.models(), self._take_models, owner=self)
        request(client.health(), self._take_health, owner=self)

    def _take_models(self, models: tuple[Model, ...]) -> None:
        for model in models:
            self.chip.show_model(model)

    def _take_health(self, health: Health) -> None:
        self._listening(health.listening)
        self.desk.show_renewal(health.renewal)

    def _listening(self, address: str | None) -> None:
        self._address = address
        self.desk.foot.show_address(address)

    def _show_trouble(self, problem: Problem) -> None:
        if problem.code != "connection_lost":
            self.banner.show_notice(problem.message, warn=True)

    def _count(self) -> None:
        documents = self.shelf.model.documents()
        ready = [document for document in documents if document.askable]
        failed = sum(document.status == "failed" for document in documents)
        passages = sum(document.passages for document in ready)
        self.desk.show_count()
        self.room.welcome.show_library(len(documents), len(ready), passages, failed)

    def _search(self, query: str) -> None:
        if query:
            self.room.search(query)

    def _open_conversation(self, key: str) -> None:
        conversation = self.history.model.conversation(key)
        if conversation is not None:
            self.room.open(conversation)
            if self.panes.narrow:
                self._put_reader_away()

    def _show_title(self, conversation: Conversation | None) -> None:
        self.top.title.set_text(conversation.title if conversation else "")
        self.desk.talks.show_open(conversation.id if conversation else None)

    def _put_reader_away(self) -> None:
        self.panes.close_reader()
        self.reader.clear()

    def _open_document(self, key: str) -> None:
        document = self.shelf.model.document(key)
        if document is not None:
            self.panes.open_reader()
            self.reader.show_document(document)

    def _open_place(self, place: Place, places: list[Place]) -> None:
        self.panes.open_reader()
        self.reader.show_place(place, places)

    def _choose_model(self, path: str) -> None:
        self.chip.show_loading(path)

        def chosen(model: Model) -> None:
            self.chip.show_model(model)
            try:
                self._settings.choose("chat_model", path)
            except OSError as error:
                self.banner.show_notice(f"The choice could not be kept: {error}", warn=True)

        def failed(problem: Problem) -> None:
            self.chip.show_failed(problem)
            self.banner.show_notice(f"{Path(path).name}: {problem.message}", warn=True)

        self.bridge.request(self.bridge.client.choose_chat_model(path), chosen, failed, owner=self)

    def _focus_find(self) -> None:
        if self.panes.desk_folded:
            self.toggle_desk()
        self.desk.focus_find()

    def _focus_composer(self) -> None:
        self.room.composer.question.setFocus(Qt.FocusReason.OtherFocusReason)

    def _escape(self) -> None:
        """What is most in the way goes first: the answer on its way, then the reader, then the search.

        What is being typed into the find box is meant before all of them.
        """
        find = self.desk.find_box
        if find.hasFocus() and find.text():
            find.clear()
        elif self.room.asking:
            self.room.stop()
        elif self.panes.reader_open:
            self.close_reader()
        else:
            find.clear()
            self.room.leave_search()

    # Its own shape

    def _moved(self) -> None:
        self._saving.start()

    def _restore(self) -> None:
        kept = self._state.state
        available = self.screen().availableGeometry()
        wide = min(kept.width or Size.WINDOW_WIDTH, available.width())
        tall = min(kept.height or Size.WINDOW_HEIGHT, available.height())
        self.resize(max(wide, Size.LEAST_WIDTH), max(tall, Size.LEAST_HEIGHT))
        if kept.x is not None and kept.y is not None and available.contains(kept.x + 40, kept.y + 20):
            # The screen may be another one now, or be scaled otherwise: all of the window is on it.
            right = max(available.left(), available.right() + 1 - self.width())
            below = max(available.top(), available.bottom() + 1 - self.height())
            self.move(min(kept.x, right), min(kept.y, below))
        if kept.maximised:
            self.setWindowState(Qt.WindowState.WindowMaximized)
        self.panes.restore(kept, self.width())
        self.top.unfold.setVisible(kept.desk_folded)
        QTimer.singleShot(0, self.desk, lambda: self.desk.restore_split(kept.desk_split))

    def _remember(self) -> None:
        changed: dict[str, object] = {
            "maximised": self.isMaximized(),
            "desk_split": self.desk.split_height,
            "text_scale": self.theme.scale,
            "zoom": self.reader.page.zoom,
        }
        if not self.isMaximized():
            changed |= {"x": self.x(), "y": self.y(), "width": self.width(), "height": self.height()}
        self._state.remember(**changed, **self.panes.remembered())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.overlay.setGeometry(self.rect())
        if self.isVisible():
            self._moved()

    def closeEvent(self, event: QCloseEvent) -> None:
        self._saving.stop()
        self._remember()
        super().closeEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths := local_files(event.mimeData()):
            self.overlay.begin(len(paths))
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:
        self.overlay.hide()

    def dropEvent(self, event: QDropEvent) -> None:
        self.overlay.hide()
        if paths := local_files(event.mimeData()):
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
            self.shelf.add(paths)
