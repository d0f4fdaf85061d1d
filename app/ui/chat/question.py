"""The question of a turn as its heading; a very long one is folded."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from app.ui.controls import Button
from app.ui.theme import Space, Theme
from app.ui.words import Words

# About eight lines of a heading. What is cut is worth a button only if it is more than a few words.
_SHOWN, _SHOWN_LINES = 360, 6
_SPARED, _SPARED_LINES = 480, 8
_LONGEST = 2_000


class QuestionHeading(QWidget):
    """Shows a question, of a very long one the beginning, with a button for the rest.

    Signals:
        unfolded: it is higher now.
    """

    unfolded = Signal()

    def __init__(self, theme: Theme, question: str) -> None:
        super().__init__()
        self._question = question
        folded = _folded(question)
        self.text = Words(theme, folded, "question")
        self.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.text.setAccessibleName(f"Question: {folded}")
        self.more = Button(theme, "Show the whole question", kind="quiet", icon="chevron-down")
        self.more.clicked.connect(self._unfold)
        self.more.setVisible(folded != question)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.HAIR)
        column.addWidget(self.text)
        column.addWidget(self.more, 0, Qt.AlignmentFlag.AlignLeading)

    def _unfold(self) -> None:
        whole = _at_most(self._question)
        self.text.set_words(whole)
        self.text.setAccessibleName(f"Question: {whole}")
        self.more.hide()
        self.unfolded.emit()


def _folded(question: str) -> str:
    lines = question.splitlines()
    if len(question) <= _SPARED and len(lines) <= _SPARED_LINES:
        return question
    return "\n".join(lines[:_SHOWN_LINES])[:_SHOWN].rstrip() + " …"


def _at_most(question: str) -> str:
    """A pasted book is asked whole, but not laid out whole: that would stall the window for seconds."""
    if len(question) <= _LONGEST:
        return question
    return f"{question[:_LONGEST].rstrip()} … ({len(question):,} characters)"
