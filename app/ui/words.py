"""Several lines of plain text on the line grid."""

import html

from PySide6.QtCore import Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QLabel

from app.ui.theme import Theme


class Words(QLabel):
    """Plain text that wraps, in a role and colour of the theme.

    A label lays plain text out with the font's own line spacing. So the text is given to it as
    markup made here, escaped: nothing in it is ever read as markup of its own.
    """

    def __init__(self, theme: Theme, text: str = "", role: str = "control", colour: str = "ink") -> None:
        super().__init__()
        self.theme = theme
        self._role = role
        self._colour = colour
        self._words = ""
        self.setTextFormat(Qt.TextFormat.RichText)
        self.setWordWrap(True)
        theme.changed.connect(self._restyle)
        self._restyle()
        self.set_words(text)

    @property
    def words(self) -> str:
        return self._words

    def set_words(self, text: str) -> None:
        self._words = text
        self.setAccessibleName(text)
        self._show()

    def _show(self) -> None:
        line = self.theme.line(self._role)
        body = html.escape(self._words).replace("\n", "<br>")
        style = f"line-height:{line}px; -qt-line-height-type:fixed; white-space:pre-wrap"
        self.setText(f'<p style="{style}">{body}</p>' if body else "")

    def _restyle(self) -> None:
        self.setFont(self.theme.font(self._role))
        palette = QPalette(self.palette())
        palette.setColor(QPalette.ColorRole.WindowText, self.theme.colour(self._colour))
        self.setPalette(palette)
        self._show()
