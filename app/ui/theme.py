"""The look, once: colours, type, spacing, radii, and how they reach Qt.

Every colour, size and radius of the window stands here and nowhere else (a test reads the other
files). `Theme` follows the system's light or dark scheme, or the setting, and says when it
changed; widgets ask it for a colour or font when they paint. Sizes are logical pixels at 100 %
text size; `px` gives them at the size the user reads at.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Literal

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QFont,
    QFontDatabase,
    QGuiApplication,
    QImage,
    QPainter,
    QPalette,
    QTextCharFormat,
)
from PySide6.QtWidgets import QApplication, QStyleFactory, QToolTip

from app.paths import resource
from app.ui.stylesheet import stylesheet

Choice = Literal["system", "light", "dark"]


@dataclass(frozen=True, slots=True)
class Colours:
    """One scheme. Names say what the colour is for, not how it looks."""

    paper: str
    desk: str
    sheet: str
    line: str
    ink: str
    ink2: str
    ink3: str
    accent: str
    accent_pressed: str
    on_accent: str
    soft: str
    hover: str
    mark: str
    warn: str
    warn_soft: str
    handle: str
    shadow: str
    # A page of paper is white in the dark, too, and so is what is marked on it.
    page: str = "#FFFFFF"
    page_ink: str = "#26231E"
    page_mark: str = "#FBE8A6"


LIGHT = Colours(
    paper="#F7F5F0",
    desk="#EFECE4",
    sheet="#FFFFFF",
    line="#DFDACE",
    ink="#1F1D1A",
    ink2="#5B564D",
    ink3="#6F6A60",
    accent="#1F5F4A",
    accent_pressed="#184B3B",
    on_accent="#FFFFFF",
    soft="#DDEBE4",
    hover="#E6E2D7",
    mark="#FBE8A6",
    warn="#A84E17",
    warn_soft="#F8EBDF",
    handle="#C9C3B4",
    shadow="#282010",
)
DARK = Colours(
    paper="#1B1A18",
    desk="#151412",
    sheet="#242321",
    line="#35322D",
    ink="#ECE8DF",
    ink2="#B8B2A6",
    ink3="#9C968A",
    accent="#74C4A3",
    accent_pressed="#8BD3B5",
    on_accent="#10221B",
    soft="#22372E",
    hover="#23211E",
    mark="#5C4C18",
    warn="#E3A06E",
    warn_soft="#2B221B",
    handle="#45413A",
    shadow="#000000",
)


@dataclass(frozen=True, slots=True)
class Face:
    """Size and line height in logical pixels, and weight, of one role of text."""

    size: int
    line: int
    weight: QFont.Weight = QFont.Weight.Normal
    mono: bool = False


FACES: dict[str, Face] = {
    "control": Face(13, 20),
    "button": Face(13, 20, QFont.Weight.Medium),
    "title": Face(14, 20, QFont.Weight.DemiBold),
    "brand": Face(15, 20, QFont.Weight.DemiBold),
    "label": Face(11, 16, QFont.Weight.DemiBold),
    "small": Face(11, 16),
    "tag": Face(11, 16, QFont.Weight.Medium),
    "caption": Face(12, 18),
    "card": Face(12, 17),
    "card title": Face(12, 17, QFont.Weight.DemiBold),
    "question": Face(17, 26, QFont.Weight.DemiBold),
    "greeting": Face(22, 30, QFont.Weight.DemiBold),
    "answer": Face(15, 25),
    "code": Face(13, 20, mono=True),
}
FAMILY = "Inter"
MONO = "JetBrains Mono"


class Space(IntEnum):
    """The 4 px grid. Text scale does not change it."""

    HAIR = 4
    SMALL = 8
    MEDIUM = 12
    LARGE = 16
    WIDE = 24
    VAST = 40


class Radius(IntEnum):
    """Of corners."""

    CHIP = 5
    ROW = 6
    CARD = 8
    SEND = 9
    PILL = 13
    COMPOSER = 14


class Size(IntEnum):
    """Of parts. Those that hold text grow with it (through `Theme.px`)."""

    BORDER = 1
    RING = 2
    ICON = 16
    ICON_LARGE = 20
    CHIP = 18
    PILL = 26
    TOOL = 28
    ROW = 32
    BAR = 52
    FOOT = 44
    COLUMN = 640
    COMPOSER = 672
    DESK = 264
    READER = 440
    PROGRESS = 3
    TRACE = 6
    TRACE_WIDTH = 160
    WINDOW_WIDTH = 1440
    WINDOW_HEIGHT = 900
    LEAST_WIDTH = 720
    LEAST_HEIGHT = 520
    NARROW = 900


# The light face is asked for by its own family name: a font that steps in for another script would
# otherwise be looked for among light ones, which few scripts have.
_LIGHTER = {
    QFont.Weight.Normal: ("Inter Light", QFont.Weight.Normal),
    QFont.Weight.Medium: (FAMILY, QFont.Weight.Normal),
    QFont.Weight.DemiBold: (FAMILY, QFont.Weight.Medium),
    QFont.Weight.Bold: (FAMILY, QFont.Weight.DemiBold),
}
LEAST_SCALE, MOST_SCALE = 0.8, 2.0


class Theme(QObject):
    """The scheme in force. GUI thread only.

    Signals:
        changed: colours or text size are others now; the application is restyled already.
    """

    changed = Signal()

    def __init__(self, application: QApplication, choice: Choice = "system", scale: float = 1.0) -> None:
        super().__init__()
        self._application = application
        self._choice: Choice = choice
        self._scale = _within(scale)
        self._colours = LIGHT
        self._cache: dict[str, QColor] = {}
        self._fonts: dict[str, QFont] = {}
        _load_fonts()
        self._swells = _swells()
        application.setStyle(QStyleFactory.create("Fusion"))
        application.styleHints().colorSchemeChanged.connect(self._follow)
        self._apply_choice()
        self._install()

    @property
    def dark(self) -> bool:
        return self._colours is DARK

    @property
    def choice(self) -> Choice:
        return self._choice

    @property
    def scale(self) -> float:
        """Text size as a factor of the designed one."""
        return self._scale

    @property
    def colours(self) -> Colours:
        return self._colours

    def choose(self, choice: Choice) -> None:
        """Follow the system, or stay light or dark."""
        if choice != self._choice:
            self._choice = choice
            self._apply_choice()
            self._install()

    def set_scale(self, scale: float) -> None:
        """Set the text size; held between 80 % and 200 %."""
        scale = _within(scale)
        if scale != self._scale:
            self._scale = scale
            self._install()

    def colour(self, name: str, opacity: float = 1.0) -> QColor:
        """The colour of a token, for example `ink2`."""
        found = self._cache.get(name)
        if found is None:
            found = self._cache[name] = QColor(getattr(self._colours, name))
        if opacity == 1.0:
            return found
        faded = QColor(found)
        faded.setAlphaF(opacity)
        return faded

    def font(self, role: str) -> QFont:
        """The font of a role, at the text size in force, with figures of one width."""
        if role not in self._fonts:
            self._fonts[role] = self._made(FACES[role])
        return QFont(self._fonts[role])

    def _made(self, face: Face) -> QFont:
        family, weight = self.face(face.weight)
        font = QFont(MONO if face.mono else family)
        font.setPixelSize(round(face.size * self._scale))
        font.setWeight(weight)
        font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
        font.setFeature(QFont.Tag("tnum"), 1)
        if face.mono:
            # Code is shown as it is written: no arrows made of "->".
            font.setFeature(QFont.Tag("calt"), 0)
        return font

    def face(self, designed: QFont.Weight) -> tuple[str, QFont.Weight]:
        """The family and weight that look as designed in the scheme in force (see `_swells`)."""
        if self.dark and self._swells and designed in _LIGHTER:
            return _LIGHTER[designed]
        return FAMILY, designed

    def embolden(self, style: QTextCharFormat) -> None:
        """Give words of a text document the weight of emphasis."""
        family, weight = self.face(QFont.Weight.DemiBold)
        style.setFontFamilies([family])
        style.setFontWeight(weight)

    def line(self, role: str) -> int:
        """The line height of a role in logical pixels, at the text size in force."""
        return round(FACES[role].line * self._scale)

    def px(self, size: int) -> int:
        """A size that holds text, at the text size in force."""
        return round(size * self._scale)

    def _apply_choice(self) -> None:
        # Told to Qt as well, so that what the system draws (title bar, file dialog) agrees.
        hints = self._application.styleHints()
        if self._choice == "system":
            hints.unsetColorScheme()
        else:
            hints.setColorScheme(Qt.ColorScheme.Dark if self._choice == "dark" else Qt.ColorScheme.Light)

    def _follow(self) -> None:
        before = self._colours
        if self._wanted() is not before:
            self._install()

    def _wanted(self) -> Colours:
        if self._choice == "system":
            return DARK if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else LIGHT
        return DARK if self._choice == "dark" else LIGHT

    def _install(self) -> None:
        self._colours = self._wanted()
        self._cache.clear()
        self._fonts.clear()
        self._application.setPalette(self._palette())
        self._application.setFont(self.font("control"))
        QToolTip.setFont(self.font("caption"))
        self._application.setStyleSheet(
            stylesheet(
                {field.name: getattr(self._colours, field.name) for field in fields(Colours)},
                {f"radius_{radius.name.lower()}": int(radius) for radius in Radius},
                resource("icons", "combo.svg").as_posix(),
            )
        )
        self.changed.emit()

    def _palette(self) -> QPalette:
        roles = QPalette.ColorRole
        palette = QPalette()
        for role, name in {
            roles.Window: "paper",
            roles.Base: "sheet",
            roles.AlternateBase: "desk",
            roles.Button: "sheet",
            roles.ToolTipBase: "ink",
            roles.ToolTipText: "paper",
            roles.WindowText: "ink",
            roles.Text: "ink",
            roles.ButtonText: "ink",
            roles.BrightText: "on_accent",
            roles.PlaceholderText: "ink3",
            roles.Highlight: "accent",
            roles.HighlightedText: "on_accent",
            roles.Link: "accent",
            roles.LinkVisited: "accent",
            roles.Accent: "accent",
            roles.Light: "sheet",
            roles.Midlight: "line",
            roles.Mid: "line",
            roles.Dark: "handle",
            roles.Shadow: "shadow",
        }.items():
            palette.setColor(role, self.colour(name))
        for role in (roles.WindowText, roles.Text, roles.ButtonText):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.colour("ink3"))
        return palette


def _within(scale: float) -> float:
    return min(MOST_SCALE, max(LEAST_SCALE, round(scale, 2)))


def _swells() -> bool:
    """Whether light words on dark come out clearly heavier than dark words on light here.

    Where Qt blends glyphs with gamma (X11, Wayland) they do, by about 30 %. One weight less
    then looks as the design means it.
    """
    font = QFont(FAMILY)
    font.setPixelSize(15)
    weights = []
    for ink, paper in (("#000000", "#ffffff"), ("#ffffff", "#000000")):
        image = QImage(96, 24, QImage.Format.Format_RGB32)
        image.fill(QColor(paper))
        painter = QPainter(image)
        painter.setFont(font)
        painter.setPen(QColor(ink))
        painter.drawText(2, 17, "hamburgefons")
        painter.end()
        grey = image.convertToFormat(QImage.Format.Format_Grayscale8)
        total = sum(bytes(grey.constBits()))
        weights.append(total if paper == "#000000" else 255 * 96 * 24 - total)
    return weights[0] > 0 and weights[1] / weights[0] > 1.15


def _load_fonts() -> None:
    if FAMILY in QFontDatabase.families() and MONO in QFontDatabase.families():
        return
    for file in sorted(resource("fonts").iterdir()):
        if file.suffix in {".otf", ".ttf"}:
            QFontDatabase.addApplicationFont(str(file))
