"""The window as the program runs it, in a process of its own: Qt has one application a process."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
PROGRAM = """
import importlib.util, sys, threading, time
from pathlib import Path
spec = importlib.util.spec_from_file_location("fakes", sys.argv[1])
fakes = importlib.util.module_from_spec(spec)
sys.modules["fakes"] = fakes
spec.loader.exec_module(fakes)
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from app.paths import Profile
from app.settings import Settings
from app.ui import application

loop = fakes.LoopThread()
client = fakes.FakeClient()
client.loop = loop.loop
client.script = fakes.answering(["Yes."])
{before}
profile = Profile(Path(sys.argv[2]))

def started():
    window = next(w for w in QApplication.topLevelWidgets() if w.isVisible())
    print("shown", window.windowTitle(), flush=True)
    {step}

code = application.run(
    client, loop.submit, settings=Settings(profile.settings), profile=profile, sample=None, started=started
)
print("code", code, flush=True)
loop.close()
"""


def run(tmp_path: Path, step: str, before: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-c",
            PROGRAM.replace("{step}", step).replace("{before}", before),
            str(HERE / "conftest.py"),
            str(tmp_path / "profile"),
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_window_shows_and_closes_cleanly(tmp_path):
    done = run(tmp_path, "QTimer.singleShot(300, window.close)")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["shown Carrel", "code 0"]
    assert (tmp_path / "profile" / "ui-state.json").is_file()
    assert "Traceback" not in done.stderr


def test_closing_while_an_answer_is_on_its_way_is_clean(tmp_path):
    step = (
        "client.script = fakes.answering(['Yes. '] * 500, before_end=fakes.asyncio.Event().wait);"
        " window.room.ask('Is it?'); QTimer.singleShot(400, window.close)"
    )
    done = run(tmp_path, step)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "code 0"


def test_an_exception_in_a_slot_is_shown_and_the_window_goes_on(tmp_path):
    step = (
        "QTimer.singleShot(100, lambda: 1 / 0);"
        " say = lambda: print(window.banner.isVisible(), window.banner.text.words[:26], flush=True);"
        " QTimer.singleShot(500, say);"
        " QTimer.singleShot(700, window.close)"
    )
    done = run(tmp_path, step)
    assert done.stdout.splitlines() == ["shown Carrel", "True Something went wrong insid", "code 0"]


def test_the_window_opens_while_nothing_answers_yet(tmp_path):
    step = (
        "QTimer.singleShot(600, lambda: print(window.banner.isVisible(), flush=True));"
        " QTimer.singleShot(800, window.close)"
    )
    done = run(tmp_path, step, before="client.reachable = False")
    assert done.stdout.splitlines() == ["shown Carrel", "True", "code 0"]
