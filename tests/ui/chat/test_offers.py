import dataclasses

import pytest
from PySide6.QtWidgets import QApplication

from app.records import Manner, Timings, Usage
from app.ui.chat.turn import Turn

QUESTION = "How long is the notice period?"
NOTHING = "Nothing in your documents matches this question."
QUOTE = "“Three months.”"
NEAREST = f"The closest passage in your documents says: {QUOTE}"


@pytest.fixture
def turn(qtbot, theme):
    made = Turn(theme, QUESTION)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def answered(fakes):
    """An answer to the question, its one citation given by its text."""

    def answered(text: str, cited: str | None = None, source: int | None = 1, **changed):
        sources = (fakes.a_source(1, fakes.a_document()),) if source and cited else ()
        question = fakes.Message("q", "c", None, "user", "complete", QUESTION, 0.0)
        marks = ((cited, source),) if cited else ()
        changed = {"citations": fakes.cited(text, *marks), "sources": sources} | changed
        return fakes.an_answer(question, text, **changed)

    return answered


def test_where_nothing_was_found_an_answer_without_documents_is_offered(qtbot, turn, answered):
    turn.show_message(answered(NOTHING, usage=None))
    with qtbot.waitSignal(turn.again_asked) as asked:
        turn.offers.alone.click()
    assert asked.args == [QUESTION, Manner(without_documents=True)]


def test_so_it_is_where_only_the_nearest_passage_is_shown(turn, answered):
    turn.show_message(answered(NEAREST, QUOTE, usage=Usage(0, 0)))
    assert turn.offers.alone.isVisible()
    turn.show_message(answered(QUOTE, QUOTE, usage=Usage(0, 0)))
    assert not turn.offers.isVisible()


def test_an_answer_of_the_model_alone_says_so_above_and_is_not_dotted(qtbot, turn, answered):
    text = "It is three months, as far as I know."
    turn.show_message(answered(text, text, None, usage=Usage(20, 9)))
    assert turn.alone.isVisible()
    assert "not from your documents" in turn.alone.words
    assert turn.answer.citations == ()
    assert turn.meta.passages.text == "no documents read"
    with qtbot.waitSignal(turn.again_asked) as asked:
        turn.offers.documents.click()
    assert asked.args == [QUESTION, None]


def test_a_turn_that_was_asked_without_documents_says_so_from_the_first_word(qtbot, theme):
    turn = Turn(theme, QUESTION, Manner(without_documents=True))
    qtbot.addWidget(turn)
    turn.show()
    assert turn.alone.isVisible()
    assert turn.waiting.text == "Thinking…"


def test_passages_left_out_to_save_time_are_offered_with_what_they_take(qtbot, turn, answered):
    timings = Timings(total_ms=10.0, unread_ms=38_000.0)
    turn.show_message(answered(QUOTE, QUOTE, timings=timings))
    assert turn.offers.everything.text() == "Read all (about 40 s)"
    with qtbot.waitSignal(turn.again_asked) as asked:
        turn.offers.everything.click()
    assert asked.args == [QUESTION, Manner(read_all=True)]


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(300.0, "about 1 s"), (4_200.0, "about 4 s"), (61_000.0, "about 60 s"), (200_000.0, "about 3 min")],
)
def test_times_are_rounded_to_what_one_can_plan_with(turn, answered, milliseconds, words):
    turn.show_message(answered(QUOTE, QUOTE, timings=Timings(unread_ms=milliseconds)))
    assert words in turn.offers.everything.text()


@pytest.mark.parametrize(
    ("usage", "words", "style"),
    [(Usage(0, 0), "In your documents’ own words", "write"), (Usage(80, 9), "", "quote")],
)
def test_the_style_is_shown_and_the_other_one_is_a_click_away(qtbot, turn, answered, usage, words, style):
    turn.show_message(answered(QUOTE, QUOTE, usage=usage))
    assert turn.meta.own_words.text == words
    with qtbot.waitSignal(turn.again_asked) as asked:
        turn.restyle.click()
    assert asked.args == [QUESTION, Manner(style=style)]


def test_where_there_is_room_for_one_thing_the_style_is_said(turn, answered):
    turn.show_message(answered(QUOTE, QUOTE, usage=Usage(0, 0)))
    turn.resize(330, 500)
    QApplication.processEvents()
    assert turn.meta.own_words.isVisible()
    assert not turn.meta.passages.isVisible()


def test_of_an_answer_that_was_stopped_nothing_is_offered(turn, answered):
    stopped = dataclasses.replace(answered(QUOTE, QUOTE), state="stopped")
    turn.show_message(stopped)
    assert turn.restyle.isHidden()
    assert turn.offers.isHidden()


def test_the_window_asks_again_as_it_was_told_and_in_the_style_of_the_settings(qtbot, window, client, fakes):
    client.script = fakes.answering(["Three months."])
    window.room.ask(QUESTION)
    qtbot.waitUntil(lambda: not window.room.asking)
    window.room.set_style("quote")
    window.room.ask(QUESTION)
    qtbot.waitUntil(lambda: not window.room.asking)
    window.room.talk.turns[-1].again_asked.emit(QUESTION, Manner(without_documents=True))
    qtbot.waitUntil(lambda: len(client.manners) == 3 and not window.room.asking)
    assert client.manners == [Manner(style="auto"), Manner(style="quote"), Manner(without_documents=True)]
