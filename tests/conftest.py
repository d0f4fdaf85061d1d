"""What every test may ask for: a profile of its own, the sample document, the bundled models.

And for tests/end2end and tests/faults the whole program as its users start it: real processes.
"""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from hypothesis import settings

from app import paths

# No test may open a window on somebody's screen; the variable is read when Qt starts.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# A busy machine is no failure. Where a change is judged, the same cases are tried each time; new ones
# are looked for wherever else the tests run.
settings.register_profile("carrel", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("carrel")

ROOT = Path(__file__).resolve().parents[1]
_LONGEST_S = 120


@dataclass(frozen=True, slots=True)
class SampleQuestion:
    """The sample document and what is known about it."""

    document: Path
    question: str
    expected: tuple[str, ...]
    page: int

    def answered_by(self, text: str) -> bool:
        return any(fact.lower() in text.lower() for fact in self.expected)


@pytest.fixture
def profile(tmp_path: Path) -> paths.Profile:
    """An empty profile; its folders are made."""
    made = paths.Profile(tmp_path / "profile")
    made.create()
    return made


@pytest.fixture(scope="session")
def processor_wait() -> Callable[[], float]:
    """Seconds the calling thread was ready to run and had no processor, where the system tells.

    A stall of ours is told apart by it from a machine that does other things.
    """

    def wait() -> float:
        try:
            return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
        except OSError:
            return 0.0

    return wait


@pytest.fixture(scope="session")
def sample() -> SampleQuestion:
    """The lease that comes with the program."""
    found = json.loads(paths.resource("sample", "sample.json").read_text("utf-8"))
    return SampleQuestion(
        paths.resource("sample", found["document"]),
        found["question"],
        tuple(found["expected"]),
        found["page"],
    )


@pytest.fixture(scope="session")
def bundled_models() -> Path:
    """The folder of the bundled models. Without them a test fails: it must not pass unnoticed."""
    folder = paths.resource("models")
    if not (folder / "manifest.json").is_file():
        pytest.fail(
            f"The bundled models are not prepared in {folder}: run `make models` first.", pytrace=False
        )
    return folder


@dataclass
class Running:
    """A Carrel in the background; its stdout is read line by line as it comes."""

    process: "subprocess.Popen[str]"
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _grown: threading.Condition = field(default_factory=threading.Condition)

    def read(self, stream: IO[str], into: list[str]) -> None:
        for line in stream:
            with self._grown:
                into.append(line)
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()

    def wait_for(self, wanted: Callable[[str], bool], *, within: float = 60) -> str:
        """The first line of stdout that is `wanted`."""

        def found() -> str | None:
            return next((line for line in list(self.lines) if wanted(line)), None)

        with self._grown:
            self._grown.wait_for(lambda: found() or self.process.poll() is not None, timeout=within)
        line = found()
        assert line is not None, f"not printed; stdout {self.lines}, stderr {self.errors}"
        return line

    def wait_for_event(self, name: str, *, within: float = 60) -> dict:
        return json.loads(self.wait_for(lambda line: f'"event":"{name}"' in line, within=within))

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)

    def stop(self, number: int = signal.SIGINT, *, within: float = 15) -> int:
        self.process.send_signal(number)
        return self.process.wait(timeout=within)


@pytest.fixture
def environment(profile: paths.Profile, bundled_models: Path) -> dict[str, str]:
    """What the processes of a test get: its profile, and nothing of the developer's."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CARREL", "QT_", "XDG_"))
    }
    return kept | {"CARREL_PROFILE": str(profile.root), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def carrel(environment, tmp_path) -> Callable[..., "subprocess.CompletedProcess[str]"]:
    """Run one command line to its end."""

    def run(*line: object, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "app", *map(str, line)],
            capture_output=True,
            text=True,
            timeout=_LONGEST_S,
            env=environment | more,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    return run


@pytest.fixture
def start(environment, tmp_path) -> Iterator[Callable[..., Running]]:
    """Start one command line in the background; it is killed at the end of the test."""
    started: list[Running] = []

    def start(*line: object, **more: str) -> Running:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *map(str, line)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            env=environment | more,
            cwd=tmp_path,
        )
        running = Running(process)
        started.append(running)
        for stream, into in ((process.stdout, running.lines), (process.stderr, running.errors)):
            threading.Thread(target=running.read, args=(stream, into), daemon=True).start()
        return running

    yield start
    for running in started:
        if running.process.poll() is None:
            running.kill()


@dataclass(frozen=True)
class Served:
    """A Carrel that listens, and a token for it."""

    running: Running
    address: str
    token: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token}"}


@pytest.fixture
def serving(start, carrel) -> Served:
    """`carrel serve` in the background, on a free port."""
    running = start("serve", "--json", "--port", 0)
    address = json.loads(running.wait_for(lambda line: "address" in line))["address"]
    done = carrel("token")
    assert done.returncode == 0, done.stderr
    return Served(running, address, done.stdout.strip())


@pytest.fixture
def events() -> Callable[[str], list[dict]]:
    """The JSON lines of a command's stdout."""

    def read(out: str) -> list[dict]:
        return [json.loads(line) for line in out.splitlines()]

    return read
