"""The command `carrel`, and the program that its command line is lent.

Parsing children may import this module again: what takes long to import is imported where it is
used.
"""

import contextlib
import logging
import multiprocessing
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from app import log
from app.paths import Profile

if TYPE_CHECKING:
    from app.cli.program import Desk

_log = logging.getLogger(__name__)


def main() -> int:
    """Run the command line of this process; returns its exit code."""
    multiprocessing.freeze_support()
    from app.cli import commands  # noqa: PLC0415 - see the module's docstring

    log.configure(None)
    code = commands.run(Carrel())
    if threading.active_count() > 1:
        # Something native still runs; taking the interpreter down under it could crash.
        _log.info("ended while %s still ran", [thread.name for thread in threading.enumerate()])
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        os._exit(code)
    return code


class Carrel:
    """The program (cli.program.Program)."""

    @contextlib.contextmanager
    def open(self, profile: Profile, *, model: Path | None, verbose: bool) -> "Iterator[Desk]":
        """Open `profile` for one command."""
        from app.cli.program import Desk  # noqa: PLC0415 - see the module's docstring
        from app.main.reach import prepare, reach  # noqa: PLC0415 - as above

        prepare(profile, model, verbose=verbose)
        side = reach(profile, model)
        try:
            side.open()
            yield Desk(side.client, side.submit, owner=side.owner)
            side.let_others_finish()
        finally:
            side.close()

    def window(self, profile: Profile, *, model: Path | None, verbose: bool) -> int:
        """Show the window until it is closed."""
        from app.main import window  # noqa: PLC0415 - see the module's docstring

        return window.show(profile, model, verbose=verbose)
