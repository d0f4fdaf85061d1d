import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication

from app.events import AnswerRated
from app.records import Problem, Rating
from app.ui.chat.rating import RatingButtons


@pytest.fixture
def buttons(qtbot, theme) -> RatingButtons:
    made = RatingButtons(theme)
    qtbot.addWidget(made)
    made.show()
    return made


@pytest.fixture
def talk(qtbot, window, client, fakes):
    """A conversation in the window, and its one turn."""
    conversation = client.talk("Notice", ("How long?", lambda q: fakes.an_answer(q, "Three months.")))
    window.room.open(conversation)
    qtbot.waitUntil(lambda: bool(window.room.talk.turns))
    return window.room.talk.turns[0]


def test_a_thumb_that_is_pressed_is_filled_and_says_so(qtbot, buttons):
    with qtbot.waitSignal(buttons.rated) as rated:
        qtbot.mouseClick(buttons.up, Qt.MouseButton.LeftButton)

    assert rated.args[0].thumb == "up"
    assert buttons.up.icon_name == "thumbs-up-filled"
    assert buttons.up.accessibleName() == "Good answer, chosen"
    assert buttons.down.icon_name == "thumbs-down"


def test_the_same_thumb_again_takes_the_rating_back(qtbot, buttons):
    buttons.show_rating(Rating("up"))

    with qtbot.waitSignal(buttons.rated) as rated:
        qtbot.mouseClick(buttons.up, Qt.MouseButton.LeftButton)

    assert rated.args[0] is None
    assert buttons.up.icon_name == "thumbs-up"


def test_a_thumb_down_counts_at_once_and_asks_why(qtbot, buttons):
    given = []
    buttons.rated.connect(given.append)

    qtbot.mouseClick(buttons.down, Qt.MouseButton.LeftButton)
    assert given == [Rating("down")]
    assert buttons.reasons.isVisible()
    buttons.reasons.picks["incomplete"].click()
    qtbot.keyClicks(buttons.reasons.comment, " The garage. ")
    qtbot.keyClick(buttons.reasons.comment, Qt.Key.Key_Return)

    assert given[1:] == [Rating("down", ("incomplete",), "The garage.")]
    assert not buttons.reasons.isVisible()


def test_leaving_the_pane_keeps_the_thumb_and_nothing_else(qtbot, buttons):
    given = []
    buttons.rated.connect(given.append)
    qtbot.mouseClick(buttons.down, Qt.MouseButton.LeftButton)
    buttons.reasons.picks["incorrect"].click()

    qtbot.keyClick(buttons.reasons, Qt.Key.Key_Escape)

    assert given == [Rating("down")]
    assert buttons.rating == Rating("down")
    buttons.reasons.show_under(buttons.down)
    assert not any(pick.isChecked() for pick in buttons.reasons.picks.values())


def test_the_keyboard_reaches_everything_in_the_pane(qtbot, buttons):
    buttons.down.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(buttons.down, Qt.Key.Key_Return)
    pane = buttons.reasons
    stops = [*pane.picks.values(), pane.comment, pane.send]

    assert QApplication.focusWidget() is stops[0]
    for stop in stops[1:]:
        qtbot.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        assert QApplication.focusWidget() is stop


def test_a_rating_in_the_window_is_stored(qtbot, talk, client):
    talk.rating.up.click()

    qtbot.waitUntil(lambda: client._answer(talk.answer_id)[1].rating is not None)
    assert client._answer(talk.answer_id)[1].rating.thumb == "up"
    talk.rating.up.click()
    qtbot.waitUntil(lambda: client._answer(talk.answer_id)[1].rating is None)


def test_a_rating_given_in_another_window_shows_here(qtbot, window, bridge, talk):
    bridge.answer_rated.emit(AnswerRated("c", talk.answer_id, Rating("down")))

    assert talk.rating.down.icon_name == "thumbs-down-filled"


def test_a_rating_that_could_not_be_stored_goes_back_to_what_is(qtbot, window, client, talk, monkeypatch):
    async def refuse(*_args, **_named):
        from app.errors import ReportedError

        raise ReportedError(Problem("storage_failed", "The disk is full."), 500)

    monkeypatch.setattr(client, "rate", refuse)

    talk.rating.up.click()

    qtbot.waitUntil(lambda: talk.rating.rating is None)
    assert talk.rating.up.icon_name == "thumbs-up"


def test_an_answer_that_is_still_being_written_cannot_be_rated(window, talk, client, fakes):
    question = client._answer(talk.answer_id)[0].messages[0]
    talk.show_message(fakes.an_answer(question, "Thr", state="running"))

    assert not talk.rating.isVisibleTo(talk)
