"""The window, first or second: it shows before anything slow is imported or opened."""

import logging
import os
import sys
import threading
from pathlib import Path

from app.cli.sample import Sample
from app.errors import AppError, DisplayError, StorageError
from app.main.reach import prepare, reach
from app.main.side import Side
from app.paths import Profile

_log = logging.getLogger(__name__)

_OPENS_WITHIN_S = 30.0


def show(profile: Profile, model: Path | None, *, verbose: bool) -> int:
    """Show the window until it is closed; returns the exit code.

    Where another Carrel has a window open on this profile, that one is brought to the front
    instead; where it has none, this window works through the other Carrel.

    Raises:
        DisplayError: there is no display.
        AppError: the profile cannot be reached. One that cannot be opened is shown in the window.
    """
    if not _display():
        raise DisplayError("There is no display here for a window. `carrel --help` lists what works without.")
    prepare(profile, model, verbose=verbose)
    side = reach(profile, model, window=True)
    try:
        if not side.owner and side.submit(side.client.show_window()).result():
            return 0
        return _run(profile, side)
    finally:
        side.close()


def _run(profile: Profile, side: Side) -> int:
    from app.ui import application  # noqa: PLC0415 - after the display was looked for: Qt takes its time

    opening = threading.Thread(target=_open, args=(side,), name="opening")
    try:
        return application.run(
            side.client,
            side.submit,
            settings=side.settings,
            profile=profile,
            sample=_sample(),
            started=opening.start,
        )
    finally:
        if opening.ident is not None:
            opening.join(_OPENS_WITHIN_S)


def _open(side: Side) -> None:
    try:
        side.open(listen=True)
    except AppError as error:
        # The window asks and asks again, and is told the reason each time.
        _log.error("not opened: %s", error.message, extra={"code": error.code})


def _sample() -> tuple[Path, str] | None:
    try:
        sample = Sample.bundled()
    except StorageError as error:
        _log.warning("%s", error.message)
        return None
    return sample.document, sample.question


def _display() -> bool:
    """Whether there is a display. Qt ends the whole process where it finds none."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"))
