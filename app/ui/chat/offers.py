"""What can be done about an answer: asked again without documents, with more of them, or in them again."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QWidget

from app.records import Manner, Message
from app.ui.controls import Button
from app.ui.theme import Space, Theme

_MINUTE_S = 60


class Offers(QWidget):
    """A button or two; hidden where there is nothing to offer.

    Signals:
        chosen: a Manner, to ask the question again in.
    """

    chosen = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.alone = Button(theme, "Answer without documents")
        self.alone.clicked.connect(lambda: self.chosen.emit(Manner(without_documents=True)))
        self.documents = Button(theme, "Search your documents", icon="search")
        self.documents.clicked.connect(lambda: self.chosen.emit(None))
        self.everything = Button(theme, "Read all", icon="book-open")
        self.everything.clicked.connect(lambda: self.chosen.emit(Manner(read_all=True)))
        row = QHBoxLayout(self)
        row.setContentsMargins(0, Space.HAIR, 0, 0)
        row.setSpacing(Space.SMALL)
        for button in self.buttons:
            row.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        row.addStretch(1)
        self.hide()

    @property
    def buttons(self) -> tuple[Button, ...]:
        """All of them, in their order."""
        return (self.alone, self.documents, self.everything)

    def show_message(self, message: Message) -> None:
        """Offer what fits an answer that has ended."""
        ended = message.state == "complete"
        unread = message.timings.unread_ms if message.timings else 0.0
        self.alone.setVisible(ended and (message.unfounded or message.nearest))
        self.documents.setVisible(ended and message.undocumented)
        self.everything.setVisible(ended and unread > 0)
        self.everything.setText(f"Read all ({_about(unread / 1000)})")
        self.setVisible(any(not button.isHidden() for button in self.buttons))


def _about(seconds: float) -> str:
    """A time that a person can plan with: "about 40 s", "about 3 min"."""
    if seconds < 1:
        return "about 1 s"
    if seconds < 10:
        return f"about {seconds:.0f} s"
    if seconds < _MINUTE_S * 1.5:
        return f"about {round(seconds, -1):.0f} s"
    return f"about {seconds / _MINUTE_S:.0f} min"
