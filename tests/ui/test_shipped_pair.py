"""PySide6 and CPython as they are shipped together.

PySide6 6.12.0 on CPython 3.11 aborts the process after a few hundred emissions; the bound in
pyproject.toml rests on this test. It runs in a child, so that an abort is a failure and not the
end of the test run.
"""

import subprocess
import sys

import pytest

EMITTING = """
from PySide6.QtCore import QObject, Signal

class Sender(QObject):
    fired = Signal(int, bool, str)

heard = 0
def hear(number, flag, text):
    global heard
    heard += 1

sender = Sender()
sender.fired.connect(hear)
for number in range(200_000):
    sender.fired.emit(number, number % 2 == 0, "text")
assert heard == 200_000, heard
print("whole")
"""

CONNECTING = """
from PySide6.QtCore import QObject, Signal

class Sender(QObject):
    fired = Signal(bool)

heard = 0
def hear(flag):
    global heard
    heard += 1

sender = Sender()
for number in range(10_000):
    sender.fired.connect(hear)
    sender.fired.emit(True)
    sender.fired.disconnect(hear)
sender.fired.emit(True)
assert heard == 10_000, heard
print("whole")
"""


@pytest.mark.parametrize("script", [EMITTING, CONNECTING], ids=["200,000 emissions", "10,000 connections"])
def test_the_shipped_pair_survives_signals_in_great_number(script):
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.returncode, done.stdout.strip()) == (0, "whole"), done.stderr
