import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import check_package
import pytest
import x11_windows
from check_package import CheckError
from virtual_display import virtual_display

needs_display = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="there is no Xvfb here")
WINDOW = """
from PySide6.QtWidgets import QApplication, QWidget
application = QApplication([])
window = QWidget()
window.setWindowTitle("Carrel")
window.resize({width}, 300)
window.show()
application.exec()
"""


@pytest.fixture
def program(tmp_path: Path):
    """Makes a stand-in for the packaged program out of a few lines of Python."""

    def make(script: str) -> Path:
        file = tmp_path / "carrel"
        file.write_text(f"#!{sys.executable}\n{script}")
        file.chmod(0o700)
        return file

    return make


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("import sys; print('no citation'); sys.exit(1)", "ended with code 1"),
        ("print('Written to the record.')", "something else than JSON"),
        ("print('{\"passed\": false}')", "does not say that it passed"),
        ('print(\'{"passed": true, "runtime": {"packaged": "false"}}\')', "in a checkout"),
    ],
)
def test_a_verification_that_did_not_pass_in_the_package_is_refused(program, script, reason):
    with pytest.raises(CheckError, match=reason):
        check_package.check_verify(program(script), dict(os.environ))


def test_a_verification_that_passed_hands_on_its_record(program):
    passing = program('print(\'{"passed": true, "runtime": {"packaged": "true"}}\')')

    assert check_package.check_verify(passing, dict(os.environ))["passed"] is True


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_libraries_from_outside_the_package_are_named(tmp_path):
    import numpy.linalg  # noqa: F401 - maps libraries of this environment

    assert any("numpy" in path for path in check_package.foreign_files(os.getpid(), tmp_path))
    assert check_package.foreign_files(os.getpid(), Path("/")) == []


@needs_display
def test_a_window_that_ends_at_once_is_told_with_its_last_words(program):
    with virtual_display() as display, pytest.raises(CheckError, match="no Qt here"):
        check_package.check_window(
            program("import sys; sys.exit('no Qt here')"), {**os.environ, **display}, display["DISPLAY"]
        )


@needs_display
@pytest.mark.parametrize("width", [500, 640])
def test_a_window_is_seen_with_its_title_and_its_size(width):
    with virtual_display() as display:
        environment = {**os.environ, **display, "QT_QPA_PLATFORM": "xcb"}
        with subprocess.Popen([sys.executable, "-c", WINDOW.format(width=width)], env=environment) as child:
            try:
                assert _first_window(display["DISPLAY"]) == x11_windows.Window("Carrel", width, 300)
            finally:
                child.terminate()


def test_a_display_that_is_not_there_is_an_error():
    with pytest.raises(x11_windows.DisplayError):
        x11_windows.shown(":4711")


def _first_window(display: str) -> x11_windows.Window | None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        for window in x11_windows.shown(display):
            if window.title:
                return window
    return None
