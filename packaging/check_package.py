"""Proves that a built package runs without Python and without .venv.

`python packaging/check_package.py dist/carrel` starts the program with an empty home and next to no
environment: its window must open on a virtual display, nothing of the checkout may be loaded, and
its own `verify` must pass.
"""

import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import x11_windows
from virtual_display import virtual_display

_WINDOW_LIMIT = 60.0  # seconds until the window must be there
_CLOSE_LIMIT = 30.0
_VERIFY_LIMIT = 600.0
_TITLE = "Carrel"
_SMALLEST = 400  # pixels: less is a splash or a tooltip, not the window


class CheckError(Exception):
    """The package does not do what it must; the message says what."""


def check_window(program: Path, environment: dict[str, str], display: str) -> float:
    """Start the window, wait until it is on the screen, end it; returns the seconds that took.

    Raises:
        CheckError: no window in time, files of a virtual environment in use, or it does not end.
    """
    begun = time.monotonic()
    with subprocess.Popen(
        [str(program)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as child:
        try:
            while not _open(display):
                if child.poll() is not None:
                    raise CheckError(f"It ended with code {child.returncode}:\n{_said(child)}")
                if time.monotonic() - begun > _WINDOW_LIMIT:
                    raise CheckError(f"There was no window after {_WINDOW_LIMIT:.0f} s.")
                time.sleep(0.05)
            took = time.monotonic() - begun
            foreign = foreign_files(child.pid, program.parent)
            if foreign:
                raise CheckError("It uses files from outside the package: " + ", ".join(foreign))
            child.send_signal(signal.SIGTERM)
            child.wait(_CLOSE_LIMIT)
        except subprocess.TimeoutExpired as error:
            raise CheckError(f"The window did not close within {_CLOSE_LIMIT:.0f} s.") from error
        finally:
            if child.poll() is None:
                child.kill()
    return took


def foreign_files(pid: int, package: Path) -> list[str]:
    """Python's and Carrel's own files that the process has mapped from outside the package."""
    try:
        text = Path(f"/proc/{pid}/maps").read_text("utf-8", "replace")
    except OSError:
        return []  # not Linux
    mapped = {line.split(None, 5)[5] for line in text.splitlines() if len(line.split(None, 5)) == 6}
    ours = ("site-packages", "libpython", "libllama", "libggml", "libQt6", "pyside6")
    inside = str(package.resolve())
    return sorted(
        path for path in mapped if any(name in path.lower() for name in ours) and not path.startswith(inside)
    )


def check_verify(program: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Run the package's own `verify`; returns its record.

    Raises:
        CheckError: it fails, takes too long, or its record does not say that the package passed.
    """
    command = [str(program), "verify", "--json"]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_VERIFY_LIMIT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CheckError(f"`verify` took longer than {_VERIFY_LIMIT:.0f} s.") from error
    if done.returncode:
        raise CheckError(f"`verify` ended with code {done.returncode}:\n{done.stdout}{done.stderr}")
    try:
        record = json.loads(done.stdout)
    except ValueError as error:
        raise CheckError(f"`verify --json` printed something else than JSON:\n{done.stdout[:500]}") from error
    if not isinstance(record, dict) or record.get("passed") is not True:
        raise CheckError("The record of `verify` does not say that it passed.")
    if record.get("runtime", {}).get("packaged") != "true":
        raise CheckError("`verify` ran in a checkout and not in the package.")
    return record


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    program = Path(arguments[0]).resolve() / "carrel"
    try:
        with tempfile.TemporaryDirectory(prefix="carrel-") as home, virtual_display() as display:
            environment = {"HOME": home, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
            if display is None:
                print("There is no Xvfb here, so the window was not tried.")
            else:
                with_display = {**environment, **display}
                took = check_window(program, with_display, display["DISPLAY"])
                print(f"The packaged window opened after {took:.2f} s.", flush=True)
            check_verify(program, environment)
            print("The packaged `carrel verify` passed.", flush=True)
    except (CheckError, OSError) as error:
        print(f"The package is not right. {error}", file=sys.stderr)
        return 1
    return 0


def _open(display: str) -> bool:
    shown = x11_windows.shown(display)
    return any(_TITLE in window.title and window.width >= _SMALLEST for window in shown)


def _said(child: "subprocess.Popen[str]") -> str:
    return child.stdout.read()[-3000:] if child.stdout is not None else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
