"""The chip that says which model answers, and the menu behind it."""

from pathlib import Path, PurePath

from PySide6.QtCore import QPoint, Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QWidget

from app.records import Model, Problem
from app.ui.controls import Button
from app.ui.files import MODELS, choose_files
from app.ui.icons import icon
from app.ui.menu import Menu
from app.ui.theme import Theme


class ModelChip(Button):
    """Shows the chat model.

    Signals:
        chosen: the path of a GGUF file the user picked.
    """

    chosen = Signal(str)

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(theme, "Loading the model…", kind="pill", parent=parent)
        self.models: dict[str, Model] = {}
        self._busy = False
        self.clicked.connect(self._open_menu)

    @property
    def usable(self) -> bool:
        """Whether questions can be answered now or once the model is loaded."""
        chat = self.models.get("chat")
        return chat is None or chat.problem is None

    def show_model(self, model: Model) -> None:
        self.models[model.kind] = model
        if model.kind == "chat":
            self._busy = False
            self._show()

    def show_loading(self, path: str) -> None:
        """A model was chosen and is on its way."""
        self._busy = True
        self.set_icon(None)
        self.setText(f"Loading {PurePath(path).stem}…")

    def show_failed(self, _problem: Problem) -> None:
        """The chosen model did not load; the old one stays."""
        self._busy = False
        self._show()

    def choose_file(self) -> None:
        """Let the user pick a model file."""
        chat = self.models.get("chat")
        folder = str(Path(chat.path).parent) if chat and chat.path else str(Path.home())
        choose_files(
            self.theme,
            self.window(),
            "Choose a model",
            MODELS,
            then=self._picked,
            folder=folder,
            several=False,
        )

    def menu(self) -> Menu:
        """What is loaded, in figures, and the way to another."""
        menu = Menu(self)
        for kind, title in (("chat", "Answers"), ("embedding", "Search"), ("reranking", "Order")):
            model = self.models.get(kind)
            if model is None:
                continue
            head = QAction(f"{title}: {model.name}", menu)
            head.setEnabled(False)
            menu.addAction(head)
            detail = QAction(_details(model), menu)
            detail.setEnabled(False)
            menu.addAction(detail)
            menu.addSeparator()
        choose = QAction(icon("folder-open", self.theme.colour("ink2")), "Choose a model file…", menu)
        choose.triggered.connect(self.choose_file)
        choose.setEnabled(not self._busy)
        menu.addAction(choose)
        return menu

    def _picked(self, paths: list[str]) -> None:
        if paths:
            self.chosen.emit(paths[0])

    def _show(self) -> None:
        chat = self.models.get("chat")
        if chat is None:
            return
        if chat.problem is not None:
            self.set_icon("triangle-alert")
            self.setText("No model")
            self.setToolTip(chat.problem.message)
        elif chat.resting:
            self.set_icon(None)
            self.setText(f"{chat.name} · resting")
            self.setToolTip("Nobody has asked for a while: the next question loads it again")
        elif not chat.loaded:
            self.set_icon(None)
            self.setText(f"Loading {chat.name}…")
            self.setToolTip("Questions wait until the model is loaded")
        else:
            self.set_icon(None)
            self.setText(f"{chat.name} · {placement(chat)}")
            self.setToolTip("\n".join(filter(None, (chat.name, _details(chat), chat.placement))))
        self.setAccessibleName(f"Model: {self.text()}")

    def _open_menu(self) -> None:
        menu = self.menu()
        below = self.mapToGlobal(QPoint(self.width() - menu.sizeHint().width(), self.height() + 4))
        menu.show_at(below)


def placement(model: Model) -> str:
    """Where a model's layers are."""
    if model.layers_offloaded <= 0 or model.backend.upper().startswith("CPU"):
        return "CPU"
    if model.layers_offloaded >= model.layers:
        return "GPU"
    return f"{model.layers_offloaded} of {model.layers} layers on GPU"


def _details(model: Model) -> str:
    if model.problem is not None:
        return model.problem.message
    if model.resting:
        return "resting; the next question loads it again"
    if not model.loaded:
        return "loading"
    where = placement(model)
    device = f" ({model.backend})" if model.backend != where else ""
    size = f"{model.size / 1e6:,.0f} MB" if model.size < 1e9 else f"{model.size / 1e9:.1f} GB"
    return f"{size} · {model.context_length:,} tokens of context · {where}{device}"
