import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontDatabase, QFontInfo

import app.ui
from app.ui.theme import DARK, FACES, FAMILY, LIGHT, MONO, Colours, Theme

ROOM = Path(app.ui.__file__).parent
# What is written on what, anywhere in the window.
WRITTEN = [
    *(
        (ink, ground)
        for ink in ("ink", "ink2", "ink3", "warn", "accent")
        for ground in ("paper", "desk", "sheet")
    ),
    ("ink", "hover"),
    ("ink2", "hover"),
    ("ink", "soft"),
    ("ink2", "soft"),
    ("accent", "soft"),
    ("on_accent", "accent"),
    ("on_accent", "accent_pressed"),
    ("ink", "mark"),
    ("ink", "warn_soft"),
    ("ink3", "warn_soft"),
    ("warn", "warn_soft"),
    ("page_ink", "page"),
    ("page_ink", "page_mark"),
    ("paper", "ink"),
]


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    parts = [part / 255 for part in QColor(colour).getRgb()[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), WRITTEN)
def test_words_reach_the_contrast_of_aa(scheme: Colours, ink: str, ground: str):
    assert contrast(getattr(scheme, ink), getattr(scheme, ground)) >= 4.5


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_that_carry_meaning_reach_the_contrast_of_graphics(scheme: Colours):
    for ground in (scheme.paper, scheme.desk, scheme.sheet):
        assert contrast(scheme.accent, ground) >= 3
        assert contrast(scheme.warn, ground) >= 3


def test_colours_stand_in_the_theme_and_nowhere_else():
    colour = re.compile(
        r"""["']#[0-9a-fA-F]{3,8}["']|#[0-9a-fA-F]{6}\b|\brgba?\(|GlobalColor\.(?!transparent)"""
    )
    found = [
        f"{file.relative_to(ROOM)}:{number}"
        for file in ROOM.rglob("*.py")
        if file.name != "theme.py"
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        if colour.search(line)
    ]
    assert found == []


def test_sizes_of_type_stand_in_the_theme_and_nowhere_else():
    size = re.compile(r"setPointSize|setPixelSize|font-size|font:|font-family|QFont\(")
    found = [
        str(file.relative_to(ROOM))
        for file in ROOM.rglob("*.py")
        if file.name != "theme.py" and size.search(file.read_text("utf-8"))
    ]
    assert found == []


def test_no_type_is_smaller_than_11_pixels():
    assert min(face.size for face in FACES.values()) == 11


def test_no_file_of_the_room_is_longer_than_400_lines():
    long = {file.name for file in ROOM.rglob("*.py") if len(file.read_text("utf-8").splitlines()) > 400}
    assert long == set()


def test_the_fonts_come_with_the_program(theme: Theme):
    assert {FAMILY, MONO} <= set(QFontDatabase.families())
    assert QFontInfo(theme.font("answer")).family() == FAMILY
    assert QFontInfo(theme.font("code")).family() == MONO


def test_the_setting_decides_and_system_gives_the_decision_back(qtbot, theme: Theme):
    with qtbot.waitSignal(theme.changed):
        theme.choose("dark")
    assert theme.dark
    assert theme.colour("paper") == QColor(DARK.paper)

    theme.choose("light")
    assert not theme.dark


def test_the_window_follows_the_system_while_it_runs(qtbot, qapp, theme: Theme, monkeypatch):
    # X11 without a desktop has no scheme to switch: what the system says is put in its mouth.
    said = SimpleNamespace(colorScheme=lambda: Qt.ColorScheme.Dark)
    theme.choose("system")
    monkeypatch.setattr("app.ui.theme.QGuiApplication", SimpleNamespace(styleHints=lambda: said))

    with qtbot.waitSignal(theme.changed):
        qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Dark)
    assert theme.dark

    said.colorScheme = lambda: Qt.ColorScheme.Light
    with qtbot.waitSignal(theme.changed):
        qapp.styleHints().colorSchemeChanged.emit(Qt.ColorScheme.Light)
    assert not theme.dark


def test_text_grows_to_twice_its_size_and_no_further(theme: Theme):
    theme.set_scale(9.0)

    assert theme.scale == 2.0
    assert theme.font("answer").pixelSize() == 30
    assert theme.line("answer") == 50
    assert theme.px(32) == 64
