"""Small questions to the user: confirm something, type a name."""

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QLineEdit, QVBoxLayout, QWidget

from app.ui.controls import Button
from app.ui.theme import Space, Theme

_WIDTH = 420


class Sheet(QDialog):
    """A dialog in the window's look: a heading, a body, and buttons at the end."""

    def __init__(self, theme: Theme, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.theme = theme
        self.setWindowTitle(title)
        self.setModal(True)
        self.body = QVBoxLayout()
        self.body.setSpacing(Space.MEDIUM)
        self.buttons = QHBoxLayout()
        self.buttons.setSpacing(Space.SMALL)
        self.buttons.addStretch(1)
        column = QVBoxLayout(self)
        column.setContentsMargins(Space.WIDE, Space.WIDE, Space.WIDE, Space.LARGE + Space.HAIR)
        column.setSpacing(Space.LARGE + Space.HAIR)
        self.heading = words(theme, title, "question")
        column.addWidget(self.heading)
        column.addLayout(self.body, 1)
        column.addLayout(self.buttons)

    def add_button(self, text: str, *, primary: bool = False) -> Button:
        button = Button(self.theme, text, kind="primary" if primary else "plain")
        button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.buttons.addWidget(button)
        return button


def words(theme: Theme, text: str, role: str = "control", colour: str = "ink") -> QLabel:
    """Plain text of several lines; never read as markup."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)

    def restyle() -> None:
        label.setFont(theme.font(role))
        palette = QPalette(label.palette())
        palette.setColor(QPalette.ColorRole.WindowText, theme.colour(colour))
        label.setPalette(palette)

    restyle()
    theme.changed.connect(restyle)
    label.destroyed.connect(lambda: theme.changed.disconnect(restyle))
    return label


def confirm(theme: Theme, title: str, text: str, action: str, parent: QWidget | None = None) -> bool:
    """Ask before something that cannot be undone. Enter does not confirm by itself."""
    sheet = Sheet(theme, title, parent)
    sheet.setFixedWidth(theme.px(_WIDTH))
    sheet.body.addWidget(words(theme, text, "control", "ink2"))
    no = sheet.add_button("Cancel")
    no.clicked.connect(sheet.reject)
    sheet.add_button(action, primary=True).clicked.connect(sheet.accept)
    no.setFocus()
    return sheet.exec() == QDialog.DialogCode.Accepted


def ask_text(theme: Theme, title: str, text: str, action: str, parent: QWidget | None = None) -> str | None:
    """Let the user edit a line; None if they thought better of it."""
    sheet = Sheet(theme, title, parent)
    sheet.setFixedWidth(theme.px(_WIDTH))
    field = QLineEdit(text)
    field.setAccessibleName(title)
    field.setMaxLength(200)
    field.selectAll()
    sheet.body.addWidget(field)
    sheet.add_button("Cancel").clicked.connect(sheet.reject)
    sheet.add_button(action, primary=True).clicked.connect(sheet.accept)
    field.returnPressed.connect(sheet.accept)
    field.setFocus()
    typed = field.text().strip() if sheet.exec() == QDialog.DialogCode.Accepted else ""
    return typed or None
