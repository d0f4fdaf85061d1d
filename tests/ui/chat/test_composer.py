import pytest
from PySide6.QtCore import QMimeData, Qt

from app.ui.chat.composer import ALL_DOCUMENTS, Chip, Composer


@pytest.fixture
def composer(qtbot, theme) -> Composer:
    made = Composer(theme)
    qtbot.addWidget(made)
    made.resize(600, 160)
    made.show()
    return made


def test_enter_sends_the_question_and_clears_the_box(qtbot, composer):
    qtbot.keyClicks(composer.question, "  Who signed it?  ")

    with qtbot.waitSignal(composer.asked) as asked:
        qtbot.keyClick(composer.question, Qt.Key.Key_Return)

    assert asked.args == ["Who signed it?"]
    assert composer.question.toPlainText() == ""


def test_shift_enter_makes_a_line(qtbot, composer):
    qtbot.keyClicks(composer.question, "one")
    with qtbot.assertNotEmitted(composer.asked):
        qtbot.keyClick(composer.question, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    qtbot.keyClicks(composer.question, "two")
    assert composer.question.toPlainText() == "one\ntwo"


def test_nothing_is_not_a_question(qtbot, composer):
    qtbot.keyClicks(composer.question, "   ")
    with qtbot.assertNotEmitted(composer.asked):
        qtbot.keyClick(composer.question, Qt.Key.Key_Return)
    assert not composer.send.isEnabled()


def test_the_button_stops_while_an_answer_is_on_its_way(qtbot, composer):
    composer.set_running(True)
    assert composer.send.accessibleName() == "Stop"
    with qtbot.waitSignal(composer.stop_asked):
        composer.send.click()


def test_what_is_typed_meanwhile_is_kept(qtbot, composer):
    composer.set_running(True)
    qtbot.keyClicks(composer.question, "Next?")
    with qtbot.assertNotEmitted(composer.asked):
        qtbot.keyClick(composer.question, Qt.Key.Key_Return)
    assert composer.question.toPlainText() == "Next?"


def test_a_question_comes_back_only_into_an_empty_box(qtbot, composer):
    composer.give_back("First")
    assert composer.question.toPlainText() == "First"
    composer.give_back("Second")
    assert composer.question.toPlainText() == "First"


def test_up_asks_for_the_last_question_only_in_an_empty_box(qtbot, composer):
    with qtbot.waitSignal(composer.recall_asked):
        qtbot.keyClick(composer.question, Qt.Key.Key_Up)

    qtbot.keyClicks(composer.question, "Who")
    with qtbot.assertNotEmitted(composer.recall_asked):
        qtbot.keyClick(composer.question, Qt.Key.Key_Up)


def test_the_box_grows_with_its_lines_and_then_scrolls(composer):
    one = composer.question.height()
    composer.question.setPlainText("a\nb\nc")
    three = composer.question.height()
    composer.question.setPlainText("\n".join("abcdefghijklmnop"))
    assert one < three < composer.question.height() < one * 10


def test_pasted_things_become_words(composer):
    data = QMimeData()
    data.setHtml("<b>bold</b><img src='file:///etc/passwd'>")
    data.setText("bold")
    composer.question.insertFromMimeData(data)
    assert composer.question.toPlainText() == "bold"


def test_the_scope_is_named_and_can_be_taken_back(qtbot, composer):
    assert composer.scope.text() == ALL_DOCUMENTS
    composer.set_limits([Chip("type:pdf", "PDFs", ""), Chip("time", "2023", "Files of 2023")])
    assert [chip.text() for chip in composer.chips] == ["PDFs", "2023"]
    assert composer.chips[1].accessibleName() == "2023, remove this limit"
    with qtbot.waitSignal(composer.limit_removed) as removed:
        composer.chips[1].click()
    assert removed.args == ["time"]
    composer.set_limits([])
    assert composer.scope.text() == ALL_DOCUMENTS


def test_chips_are_reached_with_the_keyboard_between_the_box_and_the_buttons(qtbot, composer):
    composer.set_limits([Chip("type:pdf", "PDFs", ""), Chip("time", "2023", "")])
    qtbot.waitUntil(lambda: all(chip.isVisible() for chip in composer.chips))
    composer.question.setFocus()
    reached = []
    for _ in range(3):
        qtbot.keyClick(composer.window().focusWidget() or composer.question, Qt.Key.Key_Tab)
        reached.append(composer.window().focusWidget())

    assert reached == [*composer.chips, composer.scope]
    with qtbot.waitSignal(composer.limit_removed):
        qtbot.keyClick(composer.chips[0], Qt.Key.Key_Return)
