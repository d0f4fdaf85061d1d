"""An answer and the one that the same prompt gets now, side by side."""

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.client.figures import figures
from app.records import Citation, Message, Problem, Source
from app.ui.asking import Ask
from app.ui.chat.answer import AnswerView
from app.ui.controls import Line
from app.ui.dialogs import Sheet
from app.ui.theme import Space, Theme
from app.ui.words import Words

_WIDTH, _HEIGHT = 860, 300
# What stands above and below the answers, and the least that is left for them.
_AROUND, _LEAST_HEIGHT = 270, 96
_EDGE = 48
_NOTE = "The same prompt, with the passages that were read then. Nothing of this is kept."


class Replay(Sheet):
    """Shows both answers; the new one as it comes. Closing the sheet stops it."""

    def __init__(self, theme: Theme, before: Message, ask: Ask, parent: QWidget) -> None:
        super().__init__(theme, "Asked again", parent)
        self._ask = ask
        self.setFixedWidth(min(theme.px(_WIDTH), parent.width() - _EDGE))
        self.body.addWidget(Words(theme, _NOTE, "control", "ink2"))
        tall = max(_LEAST_HEIGHT, min(theme.px(_HEIGHT), parent.height() - theme.px(_AROUND)))
        self.before = Side(theme, before.sources, tall)
        self.now = Side(theme, before.sources, tall)
        row = QHBoxLayout()
        row.setSpacing(Space.WIDE)
        row.addWidget(self.before, 1)
        row.addWidget(self.now, 1)
        self.body.addLayout(row)
        self.shut = self.add_button("Close")
        self.shut.clicked.connect(self.reject)
        self.before.show_message("Before", before)
        self.now.wait("Answering again…")
        ask.text.connect(self.now.append)
        ask.checked.connect(self.now.check)
        ask.finished.connect(self._finished)
        ask.failed.connect(lambda problem, _trace, _message: self.now.fail(problem))
        self.finished.connect(lambda _result: ask.stop())
        self.shut.setFocus()

    def _finished(self, message: Message | None) -> None:
        if message is not None:
            self.now.show_message("Now", message)


class Side(QWidget):
    """One of the two answers: who gave it, what it says, how it checks and how fast it was."""

    def __init__(self, theme: Theme, sources: tuple[Source, ...], tall: int) -> None:
        super().__init__()
        self._sources = sources
        self.title = Line(theme, role="label", colour="ink3")
        self.waiting = Line(theme, role="answer", colour="ink3")
        self.answer = AnswerView(theme, self._name_of)
        self.figures = Words(theme, "", "caption", "ink3")
        page = QWidget()
        inside = QVBoxLayout(page)
        inside.setContentsMargins(0, 0, Space.SMALL, 0)
        inside.addWidget(self.waiting)
        inside.addWidget(self.answer)
        inside.addStretch(1)
        self.pane = _Page(page, tall)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.SMALL)
        column.addWidget(self.title)
        column.addWidget(self.pane)
        column.addWidget(self.figures)
        self.waiting.hide()

    def wait(self, text: str) -> None:
        """Nothing is there yet."""
        self.title.set_text("Now")
        self.waiting.set_text(text)
        self.waiting.show()
        self.answer.hide()

    def append(self, text: str) -> None:
        self.waiting.hide()
        self.answer.show()
        self.answer.append(text)

    def check(self, citations: tuple[Citation, ...]) -> None:
        self.answer.check(citations)

    def show_message(self, title: str, message: Message) -> None:
        """An answer that has ended."""
        self.title.set_text(f"{title} · {message.model}" if message.model else title)
        self.answer.show_answer(message.text, message.citations)
        self.answer.setVisible(bool(message.text))
        self.waiting.set_text("" if message.text else "The model gave no answer.")
        self.waiting.setVisible(not message.text)
        self.figures.set_words(figures(message))

    def fail(self, problem: Problem) -> None:
        """There is none; what came of it stays."""
        self.waiting.hide()
        self.figures.set_words(problem.message)

    def _name_of(self, number: int) -> str:
        return next((s.passage.document_name for s in self._sources if s.number == number), "")


class _Page(QScrollArea):
    """Scrolls an answer that is longer than there is room; the sheet keeps its height meanwhile."""

    def __init__(self, page: QWidget, tall: int) -> None:
        super().__init__()
        self._tall = tall
        self.setWidget(page)
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.viewport().setAutoFillBackground(False)
        page.setAutoFillBackground(False)
        self.setFixedHeight(tall)

    def sizeHint(self) -> QSize:
        return QSize(200, self._tall)
