"""A conversation about documents: the first token of the next question against that of the first one.

Each start is a process of its own (`talked.py`), a whole Carrel with its own profile.
"""

import json
import sys
import tempfile
from pathlib import Path

import processes
from bench import Bench
from places import CACHE
from results import Figures, Result


def measure(bench: Bench) -> list[Result]:
    """Each round: one process asks two questions; another goes on with the conversation after it."""
    figures = Figures()
    for number in bench.numbers():
        with tempfile.TemporaryDirectory() as made:
            talk = _start(number, "begin", Path(made))
            again = _start(number, "go on", Path(made))
        figures.add("talk.next", talk["next_ms"], talk["first_ms"])
        figures.add("talk.restart", again["first_ms"], talk["first_ms"])
        figures.add("talk.first_tokens", talk["first_tokens"])
        figures.add("talk.next_tokens", talk["next_tokens"])
        figures.add("talk.restart_tokens", again["first_tokens"])
    return figures.results()


def _start(number: int, what: str, folder: Path) -> dict[str, float]:
    """Run one process to its end; what it tells."""
    told = json.dumps({"round": number, "what": what, "folder": str(folder)})
    command = [sys.executable, str(Path(__file__).with_name("talked.py")), told]
    with processes.running(command, log=CACHE / "talk.log") as process:
        out, _ = process.communicate(timeout=600)
    if process.returncode:
        raise RuntimeError(f"A conversation failed; its log is {CACHE / 'talk.log'}.")
    return json.loads(out.splitlines()[-1])
