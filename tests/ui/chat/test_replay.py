import asyncio

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import QApplication, QFileDialog

from app.events import Failed
from app.records import Problem
from app.ui.chat.replay import Replay
from app.ui.menu import Menu

TEXT = "Three months."


@pytest.fixture
def turn(qtbot, window, client, fakes):
    """An answer in the window, from one passage that was read."""
    source = fakes.a_source(1, fakes.a_document("Lease.pdf"))
    marks = fakes.cited(TEXT, (TEXT, 1))
    conversation = client.talk(
        "Notice",
        ("How long?", lambda q: fakes.an_answer(q, TEXT, sources=(source,), citations=marks, model="small")),
    )
    window.room.open(conversation)
    qtbot.waitUntil(lambda: bool(window.room.talk.turns))
    client.script = fakes.answering(["Two ", "months."], ("Two months.", None), sources=[source], found=1)
    return window.room.talk.turns[0]


@pytest.fixture
def entries(turn, qtbot):
    """The texts of the menu of an answer, and the actions under them."""

    def shown():
        event = QContextMenuEvent(
            QContextMenuEvent.Reason.Keyboard,
            turn.answer.rect().center(),
            turn.answer.mapToGlobal(turn.answer.rect().center()),
        )
        QApplication.sendEvent(turn.answer, event)
        menu = turn.answer.findChildren(Menu)[-1]
        return {action.text(): action for action in menu.actions() if action.text()}, menu

    return shown


def sheet_of(window) -> Replay:
    return window.findChildren(Replay)[-1]


def test_the_menu_of_an_answer_runs_its_prompt_again_and_both_are_shown(qtbot, window, client, turn, entries):
    actions, menu = entries()
    actions["Ask this model again"].trigger()
    menu.close()
    sheet = sheet_of(window)

    qtbot.waitUntil(lambda: "supported" in sheet.now.figures.words)

    assert client.replayed == [(turn.answer_id, None)]
    assert sheet.before.title.text == "Before · small"
    assert sheet.before.answer.plain_text() == "Three months. [1]"
    assert sheet.before.figures.words.startswith("1 of 1 sentence supported · first word 0.90 s")
    assert sheet.now.answer.plain_text() == "Two months. (not in your documents)"
    assert sheet.now.figures.words.startswith("0 of 1 sentence supported")
    sheet.reject()


def test_another_model_is_picked_first(qtbot, window, client, turn, entries):
    actions, menu = entries()
    actions["Ask again with another model…"].trigger()
    menu.close()
    dialog = window.findChildren(QFileDialog)[-1]
    dialog.filesSelected.emit(["/models/large.gguf"])
    dialog.close()

    qtbot.waitUntil(lambda: client.replayed == [(turn.answer_id, "/models/large.gguf")])
    sheet_of(window).reject()


def test_a_failure_is_told_in_the_sheet(qtbot, window, client, turn):
    async def refuse(_client, _question, _conversation):
        yield Failed(Problem("model_file_invalid", "It is no model."), "t")

    client.script = refuse
    turn.replay_asked.emit(turn._message, False)
    sheet = sheet_of(window)

    qtbot.waitUntil(lambda: sheet.now.figures.words == "It is no model.")
    assert sheet.before.answer.plain_text() == "Three months. [1]"
    sheet.reject()


def test_closing_the_sheet_leaves_what_is_being_written(qtbot, window, client, fakes, turn):
    left = asyncio.Event()

    async def endless(_client, _question, _conversation):
        try:
            await asyncio.Event().wait()
            yield
        finally:
            left.set()

    client.script = endless
    turn.replay_asked.emit(turn._message, False)
    sheet = sheet_of(window)
    qtbot.waitUntil(lambda: bool(client.replayed))

    qtbot.keyClick(sheet, Qt.Key.Key_Escape)

    qtbot.waitUntil(left.is_set)


def test_an_answer_for_which_nothing_was_read_is_not_offered_again(
    qtbot, window, client, fakes, turn, entries
):
    question = client._answer(turn.answer_id)[0].messages[0]
    turn.show_message(fakes.an_answer(question, "Nothing was found."))

    actions, menu = entries()
    menu.close()

    assert set(actions) == {"Copy", "Select all"}
