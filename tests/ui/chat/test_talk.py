import time

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication

from app.ui.chat.talk import Talk


@pytest.fixture
def talk(qtbot, theme) -> Talk:
    made = Talk(theme)
    qtbot.addWidget(made)
    made.resize(720, 500)
    made.show()
    qtbot.waitExposed(made)
    return made


def messages(fakes, number: int, words: str = "An answer. "):
    found = []
    for turn in range(number):
        question = fakes.Message(f"q{turn}", "c", None, "user", "complete", f"Question {turn}?", float(turn))
        found += [question, fakes.an_answer(question, words * 8)]
    return tuple(found)


def wheel(talk: Talk, by: int) -> None:
    at = QPointF(100, 100)
    event = QWheelEvent(
        at,
        talk.viewport().mapToGlobal(at),
        QPoint(0, 0),
        QPoint(0, by),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(talk.viewport(), event)


def test_a_new_question_goes_to_the_top_and_its_answer_moves_nothing(qtbot, talk, fakes):
    talk.show_messages(messages(fakes, 4))
    turn = talk.begin("A new one?")
    bar = talk.verticalScrollBar()
    qtbot.waitUntil(lambda: 0 < turn.y() == bar.value())
    turn.append("Some words.")
    turn.append(" And more of them.")
    QApplication.processEvents()
    assert bar.value() == turn.y()


def test_an_answer_that_outgrows_the_view_is_followed(qtbot, talk):
    turn = talk.begin("A long one?")
    turn.append("A line of the answer.\n\n" * 60)
    bar = talk.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())


def test_a_user_who_scrolled_away_is_left_alone(qtbot, talk):
    turn = talk.begin("A long one?")
    turn.append("A line of the answer.\n\n" * 60)
    bar = talk.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0 and bar.value() == bar.maximum())
    wheel(talk, 720)
    QApplication.processEvents()
    qtbot.waitUntil(lambda: bar.value() < bar.maximum())
    left_at = bar.value()
    qtbot.wait(20)
    turn.append("Another line.\n\n" * 20)
    QApplication.processEvents()
    assert bar.value() == left_at


def test_of_a_long_conversation_the_last_turns_show_first(qtbot, talk, fakes):
    talk.show_messages(messages(fakes, 55))
    assert talk.turns[0].question == "Question 49?"
    assert talk.more.isVisibleTo(talk)
    talk.more.click()
    assert talk.turns[0].question == "Question 43?"
    while talk.more.isVisibleTo(talk):
        talk.more.click()
    assert [turn.question for turn in talk.turns] == [f"Question {number}?" for number in range(55)]


def test_the_column_is_never_wider_than_its_measure(talk, theme, fakes):
    talk.resize(1_600, 500)
    talk.show_messages(messages(fakes, 1))
    QApplication.processEvents()
    assert talk.turns[0].width() == 640


def test_a_question_without_an_answer_says_so(talk, fakes):
    question = fakes.Message("q", "c", None, "user", "complete", "Lost?", 0.0)
    talk.show_messages((question,))
    assert "before the answer began" in talk.turns[0].ending.words


def test_scrolling_to_the_beginning_brings_what_was_before_and_stays_there(qtbot, talk, fakes):
    talk.show_messages(messages(fakes, 30))
    bar = talk.verticalScrollBar()
    qtbot.waitUntil(lambda: bar.value() > 0)
    while bar.value() > 0 and len(talk.turns) == 6:
        wheel(talk, 1_200)
    qtbot.waitUntil(lambda: len(talk.turns) == 12)
    sixth = talk.turns[6]
    qtbot.waitUntil(lambda: abs(bar.value() - sixth.y()) < 80)


def test_opening_a_long_conversation_does_not_hold_up_the_window(talk, fakes):
    found = messages(fakes, 200)
    before = time.thread_time()
    talk.show_messages(found)
    assert time.thread_time() - before < 0.1
