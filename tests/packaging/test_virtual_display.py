import shutil
import subprocess
import sys

import pytest
import virtual_display

pytestmark = pytest.mark.skipif(shutil.which("Xvfb") is None, reason="there is no Xvfb here")
SCRIPT = virtual_display.__file__


def test_two_displays_at_once_do_not_meet():
    with virtual_display.virtual_display() as one, virtual_display.virtual_display() as two:
        assert one["DISPLAY"] != two["DISPLAY"]


def test_the_command_sees_the_display_and_its_exit_code_comes_back():
    script = "import os, sys; sys.exit(7 if os.environ['DISPLAY'].startswith(':') else 1)"

    done = subprocess.run([sys.executable, SCRIPT, sys.executable, "-c", script], check=False)

    assert done.returncode == 7
