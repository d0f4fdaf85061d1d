"""Small questions to the user: confirm something, type a name.

None of them blocks the program: each says what to do with the answer.
"""

from collections.abc import Callable

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter, QPaintEvent, QShowEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from app.ui.controls import Button
from app.ui.paint import rounded
from app.ui.theme import Space, Theme
from app.ui.words import Words

_WIDTH = 420


class Sheet(QDialog):
    """A dialog in the window's look: a heading, a body, and buttons at the end."""

    def __init__(self, theme: Theme, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.setWindowTitle(title)
        self.setModal(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.body = QVBoxLayout()
        self.body.setSpacing(Space.MEDIUM)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(Space.SMALL)
        self.buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.WIDE, Space.WIDE, Space.WIDE, Space.LARGE + Space.HAIR)
        column.setSpacing(Space.LARGE + Space.HAIR)
        self.heading = Words(theme, title, "question")
        column.addWidget(self.heading)
        column.addLayout(self.body, 1)
        column.addLayout(self.buttons)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.fit()

    def fit(self) -> None:
        """Be as high as the content is at this width."""
        layout = self.layout()
        if layout is not None:
            layout.activate()
            self.setFixedHeight(
                max(layout.totalHeightForWidth(self.width()), layout.totalMinimumSize().height())
            )

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        # Not every desktop draws a frame around a dialog.
        rounded(QPainter(self), QRectF(self.rect()), 0, None, self.theme.colour("line"))

    def add_button(self, text: str, *, primary: bool = False) -> Button:
        button = Button(self.theme, text, kind="primary" if primary else "plain")
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.buttons.addWidget(button)
        return button


def confirm(
    theme: Theme, title: str, text: str, action: str, parent: QWidget, *, then: Callable[[], object]
) -> Sheet:
    """Ask before something that cannot be undone; `then` is called on a yes. Enter alone is no."""
    sheet = Sheet(theme, title, parent)
    sheet.setFixedWidth(theme.px(_WIDTH))
    sheet.body.addWidget(Words(theme, text, "control", "ink2"))
    no = sheet.add_button("Cancel")
    no.clicked.connect(sheet.reject)
    yes = sheet.add_button(action, primary=True)
    yes.setObjectName("yes")
    yes.clicked.connect(sheet.accept)
    no.setFocus()
    sheet.accepted.connect(then)
    sheet.open()
    return sheet


def ask_text(
    theme: Theme, title: str, text: str, action: str, parent: QWidget, *, then: Callable[[str], object]
) -> Sheet:
    """Let the user edit a line; `then` is called with it, stripped and never empty."""
    sheet = Sheet(theme, title, parent)
    sheet.setFixedWidth(theme.px(_WIDTH))
    field = QLineEdit(text)
    field.setAccessibleName(title)
    field.setMaxLength(200)
    field.selectAll()
    sheet.body.addWidget(field)
    sheet.add_button("Cancel").clicked.connect(sheet.reject)
    yes = sheet.add_button(action, primary=True)
    yes.setObjectName("yes")
    yes.clicked.connect(sheet.accept)
    field.returnPressed.connect(sheet.accept)
    field.setFocus()

    def accepted() -> None:
        if typed := field.text().strip():
            then(typed)

    sheet.accepted.connect(accepted)
    sheet.open()
    return sheet
