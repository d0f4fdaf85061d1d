"""The folders that are followed, in the settings: how each of them is, and following another."""

from PySide6.QtCore import QSize, Qt, QTimer, Signal
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.records import WatchedFolder
from app.ui.controls import Button, Line
from app.ui.documents.following import Following, state_of
from app.ui.files import choose_folder
from app.ui.icons import paint_icon
from app.ui.theme import Size, Space, Theme
from app.ui.words import Words

_ROWS_IN_SIGHT = 3
_EXPLAINED = (
    "Files in these folders are in the library, and stay what they are there: new, changed, moved"
    " and deleted ones. Dropping a folder on the window follows it."
)


class FoldersSection(QWidget):
    """A heading with a button, and a list that scrolls when it is long.

    Signals:
        resized: it needs another height now.
    """

    resized = Signal()

    def __init__(self, theme: Theme, following: Following) -> None:
        super().__init__()
        self.theme = theme
        self._following = following
        self.rows: list[FolderRow] = []
        self.add = Button(theme, "Follow a folder…")
        self.add.clicked.connect(self._choose)
        self.about = Words(theme, _EXPLAINED, "caption", "ink3")
        self._list = QWidget()
        self._list.setAutoFillBackground(False)
        self._lines = QVBoxLayout(self._list)
        self._lines.setContentsMargins(0, 0, 0, 0)
        self._lines.setSpacing(0)
        self.view = QScrollArea()
        self.view.setWidget(self._list)
        self.view.setWidgetResizable(True)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.viewport().setAutoFillBackground(False)
        self._build()
        following.changed.connect(self._show)
        theme.changed.connect(self._show)
        self._show()

    def _build(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        head = QHBoxLayout()
        head.addWidget(Line(self.theme, "Folders", role="button"), 1)
        head.addWidget(self.add)
        column.addLayout(head)
        column.addWidget(self.view)
        column.addWidget(self.about)

    def _show(self) -> None:
        """Show the folders as they are now; rows that stay keep the focus."""
        folders = self._following.folders
        if [row.folder.id for row in self.rows] == [folder.id for folder in folders]:
            for row, folder in zip(self.rows, folders, strict=True):
                row.show_folder(folder)
        else:
            for row in self.rows:
                self._lines.removeWidget(row)
                row.deleteLater()
            self.rows = [FolderRow(self.theme, folder) for folder in folders]
            for row in self.rows:
                row.left.connect(self._following.leave)
                self._lines.addWidget(row)
        tall = self.theme.px(Size.ROW) + 2 * Space.SMALL
        self.view.setFixedHeight(min(len(folders), _ROWS_IN_SIGHT) * tall)
        self.view.setVisible(bool(folders))
        # Once the layouts have heard of it.
        QTimer.singleShot(0, self, self.resized.emit)

    def _choose(self) -> None:
        choose_folder(self.theme, self, "Follow a folder", then=lambda path: self._following.follow([path]))


class FolderRow(QWidget):
    """One folder: its path, how it is followed, and a button to leave it.

    Signals:
        left: the id of the folder that is to be followed no more.
    """

    left = Signal(str)

    def __init__(self, theme: Theme, folder: WatchedFolder) -> None:
        super().__init__()
        self.theme = theme
        self.folder = folder
        self.path = Line(theme, folder.path, role="control", elide=Qt.TextElideMode.ElideMiddle)
        self.state = Line(theme, role="caption", colour="ink3")
        self.leave = Button(theme, kind="tool", icon="x", name="Follow no more; the documents stay")
        self.leave.clicked.connect(lambda: self.left.emit(self.folder.id))
        text = QVBoxLayout()
        text.setSpacing(0)
        text.addStretch(1)
        text.addWidget(self.path)
        text.addWidget(self.state)
        text.addStretch(1)
        row = QHBoxLayout(self)
        row.setContentsMargins(theme.px(Size.ICON) + Space.MEDIUM, 0, Space.SMALL, 0)
        row.setSpacing(Space.SMALL)
        row.addLayout(text, 1)
        row.addWidget(self.leave)
        self.setFixedHeight(self.sizeHint().height())
        theme.changed.connect(lambda: self.setFixedHeight(self.sizeHint().height()))
        self.show_folder(folder)

    def show_folder(self, folder: WatchedFolder) -> None:
        """How the folder is now."""
        self.folder = folder
        said, warn = state_of(folder)
        self.state.set_text(said, "warn" if warn else "ink3")
        refused = "\n".join(
            f"{addition.name}: {addition.problem.message}" for addition in folder.refused if addition.problem
        )
        patterns = [*folder.include, *(f"not {pattern}" for pattern in folder.exclude)]
        only = f"Only {', '.join(patterns)}" if patterns else ""
        problem = folder.problem.message if folder.problem else ""
        self.setToolTip("\n".join(part for part in (problem, only, refused) if part))
        self.setAccessibleName(f"{folder.path}, {said}")
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(200, self.theme.px(Size.ROW) + 2 * Space.SMALL)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        side = self.theme.px(Size.ICON)
        left = 0 if self.layoutDirection() == Qt.LayoutDirection.LeftToRight else self.width() - side
        at = self.rect().adjusted(left, (self.height() - side) // 2, 0, 0)
        at.setSize(QSize(side, side))
        colour = "ink3" if self.folder.state == "missing" else "accent"
        paint_icon(painter, "folder", at.toRectF(), self.theme.colour(colour))
