"""The column of turns, and how it scrolls.

A new question goes to the top of the view and its answer grows below it, so nothing that is being
read moves. Only when the answer outgrows the view, and the user has not scrolled away, does the
view follow its end.
"""

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QWheelEvent
from PySide6.QtWidgets import QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.records import Manner, Message
from app.ui.chat.turn import Turn
from app.ui.controls import Button
from app.ui.places import Place
from app.ui.theme import Size, Space, Theme

# About 10 ms each to build: more at once would be felt.
_SHOWN_AT_ONCE = 6


class Talk(QScrollArea):
    """Signals:

    place_opened: the Place of a chip or card.
    retry_asked: ask this question again.
    rated: the id of an answer and its Rating, or None.
    replay_asked: run the prompt of this Message again; True: on a model to be picked.
    again_asked: ask it again in a Manner, or (None) as the settings have it.
    """

    place_opened = Signal(object)
    retry_asked = Signal(str)
    again_asked = Signal(str, object)
    model_asked = Signal()
    link_pressed = Signal(str)
    rated = Signal(str, object)
    replay_asked = Signal(object, bool)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.theme = theme
        self.turns: list[Turn] = []
        self._earlier: list[tuple[Message, Message | None]] = []
        self._following = True
        self._bringing = False
        self._at_top: Turn | None = None
        self._place: Place | None = None
        self.setWidgetResizable(True)
        self.setFrameShape(QScrollArea.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setAccessibleName("Conversation")
        self.viewport().setAutoFillBackground(False)
        self._content = QWidget()
        self._content.setAutoFillBackground(False)
        outer = QHBoxLayout(self._content)
        outer.setContentsMargins(Space.VAST, Space.WIDE, Space.VAST, 0)
        outer.addStretch(1)
        self._column = QWidget()
        outer.addWidget(self._column, 1_000)
        outer.addStretch(1)
        self._outer = outer
        self._list = QVBoxLayout(self._column)
        self._list.setContentsMargins(0, 0, 0, 0)
        self._list.setSpacing(0)
        self.more = Button(theme, "Show earlier questions", kind="quiet", icon="arrow-up")
        self.more.clicked.connect(self._show_earlier)
        self.more.hide()
        self._list.addWidget(self.more, 0, Qt.AlignmentFlag.AlignHCenter)
        self._list.addStretch(1)
        self.setWidget(self._content)
        bar = self.verticalScrollBar()
        bar.rangeChanged.connect(self._range_changed)
        bar.actionTriggered.connect(self._scrolled_by_user)
        bar.valueChanged.connect(self._reached)
        theme.changed.connect(self._restyle)
        self._restyle()

    def clear(self) -> None:
        """No conversation."""
        for turn in self.turns:
            self._list.removeWidget(turn)
            turn.hide()
            turn.deleteLater()
        self.turns = []
        self._earlier = []
        self.more.hide()

    def show_messages(self, messages: tuple[Message, ...]) -> None:
        """A conversation from its beginning; of a long one the last turns first."""
        self.clear()
        pairs = _pairs(messages)
        self._earlier, shown = pairs[:-_SHOWN_AT_ONCE], pairs[-_SHOWN_AT_ONCE:]
        for question, answer in shown:
            self._insert(self._turn_of(question, answer), len(self.turns))
        self.more.setVisible(bool(self._earlier))
        self._arrange()
        self._following = False
        self._pin()

    def begin(self, question: str, manner: Manner | None = None) -> Turn:
        """A new turn at the end, brought to the top of the view."""
        turn = Turn(self.theme, question, manner)
        self._insert(turn, len(self.turns))
        self._arrange()
        self._following = True
        self._pin()
        return turn

    def remove(self, turn: Turn) -> None:
        if turn in self.turns:
            self.turns.remove(turn)
            self._list.removeWidget(turn)
            turn.hide()
            turn.deleteLater()
            self._arrange()

    def show_open(self, place: Place | None) -> None:
        """Mark the chip and card of the place that the reader shows."""
        self._place = place
        for turn in self.turns:
            turn.show_open(place)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        side = Space.VAST if self.width() > 600 else Space.WIDE
        # The scroll bar takes its width from the margin: the column does not move when it appears.
        bar = self.width() - self.viewport().width()
        self._outer.setContentsMargins(side, Space.WIDE, side - bar, 0)
        self._arrange()

    def wheelEvent(self, event: QWheelEvent) -> None:
        self._scrolled_by_user()
        super().wheelEvent(event)

    def _insert(self, turn: Turn, at: int) -> None:
        turn.place_opened.connect(self.place_opened)
        turn.retry_asked.connect(self.retry_asked)
        turn.again_asked.connect(self.again_asked)
        turn.model_asked.connect(self.model_asked)
        turn.link_pressed.connect(self.link_pressed)
        turn.rated.connect(self.rated)
        turn.replay_asked.connect(self.replay_asked)
        self.turns.insert(at, turn)
        self._list.insertWidget(at + 1, turn)
        turn.show_open(self._place)
        turn.stops_changed.connect(self._order)
        self._order()

    def _order(self) -> None:
        """The Tab key goes through the turns before it comes to the composer."""
        before: QWidget = self.more
        for turn in self.turns:
            for stop in turn.stops:
                QWidget.setTabOrder(before, stop)
                before = stop

    def _turn_of(self, question: Message, answer: Message | None) -> Turn:
        turn = Turn(self.theme, question.text)
        if answer is not None:
            turn.show_message(answer)
        else:
            turn.stopped_early()
        return turn

    def _show_earlier(self) -> None:
        bar = self.verticalScrollBar()
        from_end = bar.maximum() - bar.value()
        shown, self._earlier = self._earlier[-_SHOWN_AT_ONCE:], self._earlier[:-_SHOWN_AT_ONCE]
        for at, (question, answer) in enumerate(shown):
            self._insert(self._turn_of(question, answer), at)
        self.more.setVisible(bool(self._earlier))
        self._at_top = None
        self._following = False

        def stay() -> None:
            self._bringing = False
            bar.setValue(bar.maximum() - from_end)

        QTimer.singleShot(0, self, stay)

    def _reached(self, value: int) -> None:
        """Scrolled to the beginning of what is shown: bring what was before it."""
        if value == 0 and self._earlier and self._at_top is None and not self._bringing:
            self._bringing = True
            QTimer.singleShot(0, self, self._show_earlier)

    def _arrange(self) -> None:
        """Keep room under the last turn, so that its question can stand at the top."""
        for turn in self.turns[:-1]:
            turn.setMinimumHeight(0)
        if self.turns:
            self.turns[-1].setMinimumHeight(max(0, self.viewport().height() - Space.WIDE))

    def _pin(self) -> None:
        """Keep the last turn's question at the top of the view while what is around it settles."""
        self._at_top = self.turns[-1] if self.turns else None
        self._to_top()
        QTimer.singleShot(0, self, self._to_top)

    def _to_top(self) -> None:
        if self._at_top is not None:
            self._outer.activate()
            self.verticalScrollBar().setValue(self._at_top.y())

    def _range_changed(self, _low: int, high: int) -> None:
        outgrown = bool(self.turns) and self.turns[-1].content_height > self.viewport().height()
        if self._following and outgrown:
            self._at_top = None
            self.verticalScrollBar().setValue(high)
        else:
            self._to_top()

    def _scrolled_by_user(self) -> None:
        self._at_top = None
        QTimer.singleShot(0, self, self._see_whether_at_end)

    def _see_whether_at_end(self) -> None:
        bar = self.verticalScrollBar()
        self._following = bar.value() >= bar.maximum() - 4

    def _restyle(self) -> None:
        self._column.setMaximumWidth(self.theme.px(Size.COLUMN))


def _pairs(messages: tuple[Message, ...]) -> list[tuple[Message, Message | None]]:
    """Each question with its answer; of several answers to one the last."""
    answers = {message.parent_id: message for message in messages if message.role == "assistant"}
    return [(message, answers.get(message.id)) for message in messages if message.role == "user"]
