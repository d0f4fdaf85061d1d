"""The settings dialog: few, each with a sentence, each taking effect at once."""

from typing import cast

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QFrame, QGridLayout, QHBoxLayout, QScrollArea, QVBoxLayout, QWidget

from app.errors import SettingError
from app.records import Model, Problem
from app.settings import Settings
from app.ui.bridge import Bridge
from app.ui.controls import Button, Line, Segments, Switch
from app.ui.dialogs import Sheet
from app.ui.documents.following import Following
from app.ui.settings.folders import FoldersSection
from app.ui.theme import Choice, Size, Space, Theme
from app.ui.words import Words

_WIDTH = 520


class SettingsDialog(Sheet):
    """Colours, text size, the model, the folders that are followed, and whether other tools may ask.

    Signals:
        model_asked: choose another model file.
        address_changed: where the listener listens now, or None.
        style_chosen: the Style of answers from now on.
    """

    model_asked = Signal()
    address_changed = Signal(object)
    style_chosen = Signal(str)

    def __init__(
        self,
        theme: Theme,
        settings: Settings,
        bridge: Bridge,
        following: Following,
        *,
        model: str,
        address: str | None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(theme, "Settings", parent)
        self._settings = settings
        self._bridge = bridge
        self._rulers: list[QFrame] = []
        self.setFixedWidth(theme.px(_WIDTH))
        self.colours = Segments(
            theme,
            "Colours",
            (("system", "System"), ("light", "Light"), ("dark", "Dark")),
            settings.text("theme"),
        )
        self.colours.chosen.connect(self._choose_colours)
        self.smaller = Button(theme, kind="tool", icon="minus", name="Smaller text")
        self.larger = Button(theme, kind="tool", icon="plus", name="Larger text")
        self.scale = Line(theme, role="control")
        self.smaller.clicked.connect(lambda: theme.set_scale(theme.scale - 0.1))
        self.larger.clicked.connect(lambda: theme.set_scale(theme.scale + 0.1))
        self.model = Line(theme, model, role="caption", colour="ink3", elide=Qt.TextElideMode.ElideMiddle)
        self.choose = Button(theme, "Choose a file…")
        self.choose.clicked.connect(self.model_asked)
        self.answers = Segments(
            theme,
            "Answers",
            (("auto", "Automatic"), ("quote", "Quoted"), ("write", "Written")),
            settings.text("answer_style"),
        )
        self.answers.chosen.connect(self._choose_style)
        self.listen = Switch(theme, "Let other tools on this computer ask")
        self.listen.setChecked(address is not None)
        self.listen.clicked.connect(self._switch_listener)
        self.address = Line(theme, role="caption", colour="ink3")
        self.copy = Button(theme, kind="tool", icon="copy", name="Copy the address")
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.address.text))
        self.folders = FoldersSection(theme, following)
        self.folders.resized.connect(self.fit)
        following.warned.connect(self._show_problem)
        self._build()
        self._show_address(address)
        theme.changed.connect(self._restyle)
        self._restyle()
        done = self.add_button("Done", primary=True)
        done.clicked.connect(self.accept)
        done.setFocus()

    def _build(self) -> None:
        grid = QGridLayout()
        grid.setHorizontalSpacing(Space.LARGE)
        grid.setVerticalSpacing(Space.MEDIUM)
        grid.setColumnStretch(0, 1)
        self._row(grid, 0, "Colours", None, self.colours)
        sizes = QHBoxLayout()
        sizes.setSpacing(Space.HAIR)
        for part in (self.smaller, self.scale, self.larger):
            sizes.addWidget(part)
        held = QWidget()
        held.setLayout(sizes)
        sizes.setContentsMargins(0, 0, 0, 0)
        self._row(grid, 1, "Text size", "Ctrl + and Ctrl − anywhere", held)
        self._row(grid, 2, "Chat model", self.model, self.choose)
        self._row(grid, 3, "Answers", "Quotes, or written text", self.answers)
        grid.addWidget(self._ruler(), 4, 0, 1, 2)
        grid.addWidget(self.folders, 5, 0, 1, 2)
        grid.addWidget(self._ruler(), 6, 0, 1, 2)
        self._row(grid, 7, "Let other tools ask", self._address_row(), self.listen)
        about = Words(
            self.theme,
            "With this on, programs on this computer can use Carrel's API with a token"
            " (carrel token makes one). Nothing is reachable from other computers.",
            "caption",
            "ink3",
        )
        grid.addWidget(about, 8, 0, 1, 2)
        self.problem = Words(self.theme, "", "caption", "warn")
        self.problem.hide()
        grid.setContentsMargins(0, 0, 0, 0)
        self._page = QWidget()
        self._page.setLayout(grid)
        self._page.setAutoFillBackground(False)
        self.view = QScrollArea()
        self.view.setWidget(self._page)
        self.view.setWidgetResizable(True)
        self.view.setFrameShape(QFrame.Shape.NoFrame)
        self.view.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.view.viewport().setAutoFillBackground(False)
        self.body.addWidget(self.view)
        self.body.addWidget(self.problem)

    def fit(self) -> None:
        """Be as high as the content is, or the screen; then the content scrolls."""
        grid = self._page.layout()
        if grid is None:
            return
        grid.activate()
        self.view.setFixedHeight(0)
        super().fit()
        wanted = grid.totalHeightForWidth(self.width() - 2 * Space.WIDE)
        room = self.screen().availableGeometry().height() - self.height() - 2 * Space.WIDE
        self.view.setFixedHeight(max(min(wanted, room), self.theme.px(Size.ROW)))
        super().fit()

    def _row(
        self, grid: QGridLayout, row: int, title: str, below: str | QWidget | None, part: QWidget
    ) -> None:
        text = QVBoxLayout()
        text.setSpacing(0)
        text.addWidget(Line(self.theme, title, role="button"))
        if isinstance(below, str):
            text.addWidget(Line(self.theme, below, role="caption", colour="ink3"))
        elif below is not None:
            text.addWidget(below)
        grid.addLayout(text, row, 0)
        grid.addWidget(part, row, 1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)

    def _ruler(self) -> QFrame:
        line = QFrame()
        line.setFixedHeight(1)
        line.setAutoFillBackground(True)
        self._rulers.append(line)
        return line

    def _address_row(self) -> QWidget:
        held = QWidget()
        row = QHBoxLayout(held)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.HAIR)
        row.addWidget(self.address)
        row.addWidget(self.copy)
        row.addStretch(1)
        return held

    def show_model(self, model: Model) -> None:
        """The chat model is another one now."""
        if model.kind == "chat":
            self.model.set_text(model.path)

    def _choose_colours(self, choice: str) -> None:
        if self._keep("theme", choice):
            self.theme.choose(cast(Choice, choice))

    def _choose_style(self, choice: str) -> None:
        if self._keep("answer_style", choice):
            self.style_chosen.emit(choice)

    def _switch_listener(self) -> None:
        on = self.listen.isChecked()
        self.listen.setEnabled(False)
        work = self._bridge.client.listen(on, self._settings.number("listen_port"))
        self._bridge.request(work, self._listening, self._not_listening, owner=self)

    def _listening(self, address: str | None) -> None:
        self.listen.setEnabled(True)
        self.listen.setChecked(address is not None)
        self._keep("listen", address is not None)
        self._show_address(address)
        self.address_changed.emit(address)

    def _not_listening(self, problem: Problem) -> None:
        self.listen.setEnabled(True)
        self.listen.setChecked(not self.listen.isChecked())
        self._show_problem(problem.message)

    def _show_address(self, address: str | None) -> None:
        self.address.set_text(address or "Off")
        self.copy.setVisible(address is not None)

    def _keep(self, name: str, value: object) -> bool:
        try:
            self._settings.choose(name, value)
        except (SettingError, OSError) as error:
            self._show_problem(f"This could not be kept: {error}")
            return False
        self.problem.hide()
        return True

    def _show_problem(self, text: str) -> None:
        self.problem.set_words(text)
        self.problem.show()
        self.fit()

    def _restyle(self) -> None:
        self.scale.set_text(f"{round(self.theme.scale * 100)} %")
        for line in self._rulers:
            palette = line.palette()
            palette.setColor(line.backgroundRole(), self.theme.colour("line"))
            line.setPalette(palette)
        self.setFixedWidth(self.theme.px(_WIDTH))
        self.fit()
