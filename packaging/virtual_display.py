"""Runs a command on a virtual X display: `python packaging/virtual_display.py COMMAND…`.

Xvfb picks a free display by itself, so runs side by side never meet. Where there is no Xvfb (a Mac,
Windows) the command runs as it is. Standard library only.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

_START_LIMIT = 20.0  # seconds


class DisplayError(Exception):
    """Xvfb is there and does not start."""


@contextlib.contextmanager
def virtual_display(size: str = "1600x1000x24") -> Iterator[dict[str, str] | None]:
    """Variables that send windows to a fresh virtual display, or None where there is no Xvfb.

    Raises:
        DisplayError: Xvfb did not start.
    """
    program = shutil.which("Xvfb")
    if program is None:
        yield None
        return
    reading, writing = os.pipe()
    # Without -noreset the server starts over, deaf for a moment, whenever its last client leaves.
    command = [program, "-displayfd", str(writing), "-screen", "0", size, "-nolisten", "tcp", "-noreset"]
    server = subprocess.Popen(
        command,
        pass_fds=(writing,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C ends the command first, then this
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as answer:
            number = answer.readline().strip()
        if not number:
            raise DisplayError(f"Xvfb ended with code {server.wait(_START_LIMIT)} instead of starting.")
        yield {"DISPLAY": f":{number}"}
    finally:
        server.terminate()
        server.wait(_START_LIMIT)


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    environment = dict(os.environ)
    try:
        with virtual_display() as display:
            if display is not None:
                environment.update(display)
                environment.pop("WAYLAND_DISPLAY", None)
            child = subprocess.Popen(command, env=environment)
            while True:
                try:
                    return child.wait()
                except KeyboardInterrupt:
                    continue  # the child got it, too, and ends in its own way
    except DisplayError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
