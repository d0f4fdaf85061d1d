"""The left pane: the name, a new question, the find box, conversations, the library."""

from collections.abc import Sequence
from itertools import pairwise

from PySide6.QtCore import QPoint, QRectF, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QSizePolicy, QSplitter, QVBoxLayout, QWidget

from app.client.renewal import in_short, in_words
from app.records import Document, Renewal
from app.ui.controls import Button, Line
from app.ui.conversations.model import ConversationsModel
from app.ui.documents.collection_list import CollectionList, put_menu
from app.ui.documents.collections import Collecting
from app.ui.documents.library import LibraryFilter
from app.ui.documents.model import DocumentsModel
from app.ui.icons import icon, paint_icon
from app.ui.menu import Menu
from app.ui.paint import line_of_text, rounded
from app.ui.rows import RowList
from app.ui.theme import Size, Space, Theme

OFFLINE = "Offline · nothing leaves this computer"
DROP = "Drop files anywhere in the window"
SEARCH = "Enter searches the text of all files"


class Desk(QWidget):
    """Shows what there is and says what the user wants of it.

    Signals carry ids. `searched` has the words of the find box when Enter was pressed in it.
    """

    new_asked = Signal()
    add_asked = Signal()
    settings_asked = Signal()
    fold_asked = Signal()
    searched = Signal(str)
    conversation_opened = Signal(str)
    document_opened = Signal(str)
    scope_chosen = Signal(list)
    retry_asked = Signal(list)
    removal_asked = Signal(list)
    rename_asked = Signal(str)
    save_asked = Signal(str)
    delete_asked = Signal(str)

    def __init__(
        self,
        theme: Theme,
        conversations: ConversationsModel,
        documents: DocumentsModel,
        collecting: Collecting,
    ) -> None:
        super().__init__()
        self.theme = theme
        self._conversations = conversations
        self._documents = documents
        self._sized_by_user = False
        self.new = Button(theme, "New question", kind="primary", hint="New question (Ctrl N)")
        self.new.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.new.clicked.connect(self.new_asked)
        self.find_box = FindBox(theme)
        self.find_box.textChanged.connect(self._filter)
        self.find_box.returnPressed.connect(lambda: self.searched.emit(self.find_box.text().strip()))
        self.talks = RowList(theme, "Conversations", conversations)
        self.talks.opened.connect(self.conversation_opened)
        self.talks.menu_asked.connect(self._conversation_menu)
        self.talks.removal_asked.connect(lambda keys: self.delete_asked.emit(keys[0]))
        self._collecting = collecting
        self.collections = CollectionList(theme, collecting)
        self._filtered = LibraryFilter(documents, self)
        collecting.shown.connect(self._show_collection)
        self.library = RowList(theme, "Library", self._filtered, several=True)
        self.library.setDragEnabled(True)
        self.library.opened.connect(self.document_opened)
        self.library.menu_asked.connect(self._document_menu)
        self.library.removal_asked.connect(self.removal_asked)
        self._build()
        self._arranging = QTimer(self)
        self._arranging.setSingleShot(True)
        self._arranging.timeout.connect(self._arrange)
        for model in (conversations, self._filtered):
            model.modelReset.connect(self._arranging.start)
            model.rowsInserted.connect(self._arranging.start)
            model.rowsRemoved.connect(self._arranging.start)
        self._arrange()

    def _build(self) -> None:
        theme = self.theme
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.MEDIUM, Space.MEDIUM, Space.MEDIUM, Space.SMALL)
        column.setSpacing(Space.SMALL)
        top = QHBoxLayout()
        top.setContentsMargins(Space.SMALL, 0, 0, Space.HAIR)
        top.setSpacing(Space.HAIR)
        top.addWidget(Brand(theme))
        top.addStretch(1)
        settings = Button(theme, kind="tool", icon="settings", name="Settings", hint="Settings (Ctrl ,)")
        settings.clicked.connect(self.settings_asked)
        fold = Button(
            theme, kind="tool", icon="panel-left", name="Fold the desk", hint="Fold the desk (Ctrl B)"
        )
        fold.clicked.connect(self.fold_asked)
        top.addWidget(settings)
        top.addWidget(fold)
        column.addLayout(top)
        column.addWidget(self.new)
        column.addSpacing(Space.HAIR)
        column.addWidget(self.find_box)
        self._build_split(column)
        self.foot = Foot(theme)
        column.addWidget(self.foot)
        theme.changed.connect(self._restyle)
        self._restyle()
        order: list[QWidget] = [self.new, self.find_box, self.talks, self.collections, self.library]
        for first, second in pairwise(order):
            QWidget.setTabOrder(first, second)

    def _build_split(self, column: QVBoxLayout) -> None:
        theme = self.theme
        library = QWidget()
        inside = QVBoxLayout(library)
        inside.setContentsMargins(0, Space.MEDIUM, 0, 0)
        inside.setSpacing(Space.HAIR)
        head = QHBoxLayout()
        head.setContentsMargins(Space.SMALL, 0, 0, 0)
        head.setSpacing(Space.SMALL)
        head.addWidget(Line(theme, "Library", role="label", colour="ink3"))
        head.addStretch(1)
        self.count = Line(theme, "", role="small", colour="ink3")
        head.addWidget(self.count)
        add = Button(theme, kind="tool", icon="plus", name="Add files", hint="Add files (Ctrl O)")
        add.clicked.connect(self.add_asked)
        head.addWidget(add)
        inside.addLayout(head)
        self.hint = Line(theme, DROP, role="caption", colour="ink3")
        below = QHBoxLayout()
        below.setContentsMargins(Space.SMALL, 0, 0, 0)
        below.addWidget(self.hint)
        inside.addLayout(below)
        self.renewal = Line(theme, "", role="caption", colour="ink3")
        self.renewal.hide()
        anew = QHBoxLayout()
        anew.setContentsMargins(Space.SMALL, 0, 0, 0)
        anew.addWidget(self.renewal)
        inside.addLayout(anew)
        inside.addWidget(self.collections)
        inside.addWidget(self.library, 1)
        self.split = QSplitter(Qt.Orientation.Vertical)
        self.split.setObjectName("quiet")
        self.split.setHandleWidth(1)
        self.split.setChildrenCollapsible(False)
        self.split.addWidget(self.talks)
        self.split.addWidget(library)
        self.split.setStretchFactor(1, 1)
        self.split.splitterMoved.connect(self._sized)
        column.addWidget(self.split, 1)

    def focus_find(self) -> None:
        self.find_box.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self.find_box.selectAll()

    def restore_split(self, talks_height: int) -> None:
        """The height of the conversations as the user left it; 0: let it follow its content."""
        if talks_height:
            self._sized_by_user = True
            self.split.setSizes([talks_height, max(120, self.split.height() - talks_height)])

    @property
    def split_height(self) -> int:
        """0 where the user never moved the line between conversations and library."""
        return self.split.sizes()[0] if self._sized_by_user else 0

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.collections.fit()
        self._arrange()

    def paintEvent(self, event: QPaintEvent) -> None:
        QPainter(self).fillRect(self.rect(), self.theme.colour("desk"))

    def _sized(self) -> None:
        self._sized_by_user = True

    def _restyle(self) -> None:
        self.setMinimumWidth(max(200, self.theme.px(96 + 2 * Size.TOOL) + 2 * Space.WIDE))

    def _filter(self, text: str) -> None:
        self._conversations.filter(text)
        self._filtered.setFilterFixedString(text.strip())
        self._show_hint()

    def _show_collection(self, key: str, ids: frozenset[str] | None) -> None:
        self._filtered.show_only(ids if key else None)
        self.show_count()

    def _arrange(self) -> None:
        """Give the conversations what they need, up to a little more than half."""
        self.show_count()
        has_talks = self._conversations.rowCount() > 0
        self.talks.setVisible(has_talks)
        self._show_hint()
        if has_talks and not self._sized_by_user:
            whole = self.split.height()
            wanted = min(self.talks.content_height(), round(whole * 0.55))
            self.split.setSizes([wanted, whole - wanted])

    def _show_hint(self) -> None:
        """On an empty desk, how files come here; while names are filtered, that there is more to find."""
        finding = bool(self.find_box.text().strip())
        known, some = self._documents.known, self._documents.rowCount() > 0
        self.hint.set_text(SEARCH if some else DROP)
        self.hint.setVisible(finding if some else known)

    def show_renewal(self, renewal: Renewal | None) -> None:
        """How far the library is read with another embedding model; None: it is not."""
        self.renewal.set_text(in_short(renewal) if renewal else "")
        self.renewal.set_hint(in_words(renewal) if renewal else "")
        self.renewal.setVisible(renewal is not None)

    def show_count(self) -> None:
        """How many files there are, match the find box, or have been read so far.

        The newest stand at the top and are read last: with many, no row in sight may move.
        """
        number = self._documents.rowCount()
        shown = self._filtered.rowCount()
        done = sum(document.status in {"ready", "failed"} for document in self._documents.documents())
        if number and shown < number:
            self.count.set_text(f"{shown:,} of {number:,}")
        elif done < number:
            self.count.set_text(f"{done:,} of {number:,} read")
        else:
            self.count.set_text(f"{number:,} {'file' if number == 1 else 'files'}" if number else "")

    def _conversation_menu(self, keys: Sequence[str], at: QPoint) -> None:
        menu = Menu(self)
        menu.addAction(self._action("pencil", "Rename…", lambda: self.rename_asked.emit(keys[0])))
        menu.addAction(self._action("download", "Save as Markdown…", lambda: self.save_asked.emit(keys[0])))
        menu.addAction(self._action("trash-2", "Delete…", lambda: self.delete_asked.emit(keys[0])))
        menu.show_at(at)

    def _document_menu(self, keys: Sequence[str], at: QPoint) -> None:
        menu = self.document_menu(list(keys))
        menu.show_at(at)

    def document_menu(self, keys: list[str]) -> Menu:
        """What can be done with some documents."""
        found = [self._documents.document(key) for key in keys]
        chosen: list[Document] = [document for document in found if document is not None]
        menu = Menu(self)
        if len(chosen) == 1:
            menu.addAction(self._action("book-open", "Open", lambda: self.document_opened.emit(keys[0])))
        ready = [document.id for document in chosen if document.askable]
        if ready:
            text = "Ask only this document" if len(ready) == 1 else f"Ask only these {len(ready)} documents"
            menu.addAction(self._action("message-square-text", text, lambda: self.scope_chosen.emit(ready)))
        put_menu(menu, self.theme, self._collecting, [document.id for document in chosen])
        failed = [document.id for document in chosen if document.status == "failed"]
        if failed:
            menu.addAction(self._action("refresh-cw", "Try again", lambda: self.retry_asked.emit(failed)))
        if not menu.isEmpty():
            menu.addSeparator()
        text = "Remove…" if len(chosen) == 1 else f"Remove {len(chosen)} documents…"
        menu.addAction(self._action("trash-2", text, lambda: self.removal_asked.emit(keys)))
        return menu

    def _action(self, picture: str, text: str, work: object) -> QAction:
        action = QAction(icon(picture, self.theme.colour("ink2")), text, self)
        action.triggered.connect(work)
        return action


class Brand(QWidget):
    """The mark and the name."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setFixedSize(theme.px(96), theme.px(Size.TOOL))
        self.setAccessibleName("Carrel")
        theme.changed.connect(lambda: self.setFixedSize(theme.px(96), theme.px(Size.TOOL)))

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        side = self._theme.px(Size.ICON_LARGE)
        mark = QRectF(0, (self.height() - side) / 2, side, side)
        paint_icon(painter, "carrel", mark, self._theme.colour("accent"))
        painter.setFont(self._theme.font("brand"))
        rest = QRectF(side + Space.SMALL, 0, self.width() - side - Space.SMALL, self.height())
        line_of_text(painter, rest, "Carrel", self._theme.colour("ink"))


class FindBox(QLineEdit):
    """Filters what the desk shows; the shortcut stands in it while it is empty."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self.setPlaceholderText("Find anything")
        self.setAccessibleName("Find conversations, documents and passages")
        self.setAcceptDrops(False)
        self._restyle()
        theme.changed.connect(self._restyle)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setFont(self._theme.font("small"))
        wide = painter.fontMetrics().horizontalAdvance("Ctrl K") + 2 * 5
        words = self.fontMetrics().horizontalAdvance(self.placeholderText())
        if self.text() or words + wide + 32 > self.width():
            return
        tall = self._theme.px(18)
        key = QRectF(self.width() - wide - 9, (self.height() - tall) / 2, wide, tall)
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            key.moveLeft(9)
        rounded(painter, key, 4, None, self._theme.colour("line"))
        line_of_text(painter, key, "Ctrl K", self._theme.colour("ink3"), centred=True)

    def _restyle(self) -> None:
        self.setFixedHeight(self._theme.px(Size.ROW))


class Foot(QWidget):
    """Where the words go: nowhere, or to who listens at an address."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.LARGE + Space.HAIR, Space.HAIR, Space.SMALL, Space.HAIR)
        self.line = Line(theme, OFFLINE, role="caption", colour="ink3")
        row.addWidget(self.line)

    def show_address(self, address: str | None) -> None:
        """None: no listener is on."""
        # Without its scheme it fits into the desk; the settings show it whole, to be copied.
        place = address.partition("://")[2] if address else ""
        self.line.set_text(f"Tools may ask at {place}" if place else OFFLINE)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        dot = QRectF(Space.SMALL, self.height() / 2 - 3.5, 7, 7)
        if self.layoutDirection() == Qt.LayoutDirection.RightToLeft:
            dot.moveLeft(self.width() - dot.right())
        rounded(painter, dot, 3.5, self._theme.colour("accent"))
