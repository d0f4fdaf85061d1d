"""Runs the window: Qt from its first line to its last."""

import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import cast

import shiboken6
from PySide6.QtCore import Qt, QtMsgType, qInstallMessageHandler
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication

from app.client.client import Client
from app.paths import Profile
from app.settings import Settings
from app.ui import signals
from app.ui.bridge import Bridge, Submit, problem_of
from app.ui.documents.sample import Sample
from app.ui.icons import application_icon
from app.ui.state import StateFile
from app.ui.theme import Choice, Theme
from app.ui.window import Window

log = logging.getLogger(__name__)

STATE_FILE = "ui-state.json"


def run(
    client: Client,
    submit: Submit,
    *,
    settings: Settings,
    profile: Profile,
    sample: Sample | None = None,
    started: Callable[[], None] | None = None,
) -> int:
    """Show the window and return the exit code when it was closed.

    The window shows before the gateway is ready: what it asks of the client simply waits.

    Args:
        client: used only on the loop that `submit` runs coroutines on.
        submit: any thread; returns a future of the coroutine.
        sample: a document and a question to try it with, offered on an empty desk.
        started: called on the GUI thread once the window is on the screen.
    """
    qInstallMessageHandler(_log_qt)
    application = cast(QApplication, QApplication.instance() or QApplication(sys.argv[:1]))
    application.setApplicationName("Carrel")
    application.setApplicationDisplayName("Carrel")
    QGuiApplication.setDesktopFileName("carrel")
    application.setWindowIcon(application_icon())
    application.setAttribute(Qt.ApplicationAttribute.AA_DontShowIconsInMenus, on=False)
    state = StateFile(Path(profile.root) / STATE_FILE)
    theme = Theme(application, cast(Choice, settings.text("theme")), state.state.text_scale)
    bridge = Bridge(client, submit)
    window = Window(theme, bridge, settings, state, sample)
    previous = sys.excepthook
    sys.excepthook = _hook(bridge, previous)
    try:
        window.show()
        bridge.follow()
        if started is not None:
            started()
        with signals.closing(window.close):
            return application.exec()
    finally:
        sys.excepthook = previous
        bridge.close()
        window.close()
        # Now and here: left to the garbage collector, they could be taken down by another thread.
        for part in (window, bridge, theme):
            shiboken6.delete(part)


def _hook(
    bridge: Bridge, previous: Callable[[type[BaseException], BaseException, TracebackType | None], object]
) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """An exception in a slot is a bug: logged with a trace, shown, and the window goes on."""

    def hook(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if issubclass(kind, Exception) and threading.current_thread() is threading.main_thread():
            bridge.trouble.emit(problem_of(error))
        else:
            previous(kind, error, trace)

    return hook


def _log_qt(kind: QtMsgType, _context: object, message: str) -> None:
    level = {
        QtMsgType.QtDebugMsg: logging.DEBUG,
        QtMsgType.QtInfoMsg: logging.INFO,
        QtMsgType.QtWarningMsg: logging.INFO,
    }.get(kind, logging.ERROR)
    log.log(level, "Qt: %s", message)
