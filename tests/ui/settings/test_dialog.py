import json

import pytest
from PySide6.QtCore import Qt

from app.ui.settings.dialog import SettingsDialog


@pytest.fixture
def dialog(qtbot, theme, settings, bridge, window) -> SettingsDialog:
    made = SettingsDialog(
        theme,
        settings,
        bridge,
        window.shelf.following,
        model="/models/chat.gguf",
        address=None,
        parent=window,
    )
    made.open()
    yield made
    made.close()


def test_colours_change_at_once_and_are_kept(dialog, theme, settings):
    dialog.colours.pick("dark")
    assert theme.dark
    assert json.loads(settings.path.read_text("utf-8"))["theme"] == "dark"


def test_segments_are_moved_by_arrow_keys(qtbot, dialog, settings):
    dialog.colours.setFocus()
    qtbot.keyClick(dialog.colours, Qt.Key.Key_Right)
    assert settings.text("theme") == "light"
    qtbot.keyClick(dialog.colours, Qt.Key.Key_Left)
    assert settings.text("theme") == "system"


def test_the_listener_is_switched_and_its_address_shown(qtbot, dialog, client, settings):
    dialog.listen.click()
    qtbot.waitUntil(lambda: dialog.address.text == "http://127.0.0.1:11711")
    assert settings.flag("listen")
    assert dialog.copy.isVisible()
    dialog.listen.click()
    qtbot.waitUntil(lambda: dialog.address.text == "Off")
    assert not settings.flag("listen")


def test_a_listener_that_cannot_be_switched_goes_back_and_says_why(qtbot, dialog, client, settings):
    client.reachable = False
    dialog.listen.click()
    qtbot.waitUntil(dialog.problem.isVisible)
    assert not dialog.listen.isChecked()
    assert not settings.flag("listen")
    assert "does not answer" in dialog.problem.words


def test_a_setting_that_cannot_be_written_says_so(dialog, settings, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("no space left on device")

    monkeypatch.setattr(settings, "choose", full)
    dialog.colours.pick("dark")
    assert "no space left" in dialog.problem.words
    assert dialog.problem.isVisible()


def test_text_size_steps_by_a_tenth(dialog, theme):
    dialog.larger.click()
    assert theme.scale == 1.1
    assert dialog.scale.text == "110 %"


def test_the_window_says_who_may_ask(qtbot, window, client):
    window.open_settings()
    found = window.findChild(SettingsDialog)
    found.listen.click()
    qtbot.waitUntil(lambda: "127.0.0.1:11711" in window.desk.foot.line.text)


def test_the_style_of_answers_is_kept_and_told(qtbot, dialog, settings):
    with qtbot.waitSignal(dialog.style_chosen) as chosen:
        dialog.answers.pick("quote")
    assert chosen.args == ["quote"]
    assert settings.text("answer_style") == "quote"


def test_a_dialog_that_is_taller_than_the_screen_scrolls(qtbot, dialog, theme):
    whole = dialog.height()
    assert dialog.view.verticalScrollBar().maximum() == 0

    theme.set_scale(2.0)

    qtbot.waitUntil(lambda: dialog.view.verticalScrollBar().maximum() > 0)
    assert whole < dialog.height() <= dialog.screen().availableGeometry().height()
    theme.set_scale(1.0)
    qtbot.waitUntil(lambda: dialog.height() == whole)
