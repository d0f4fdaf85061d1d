"""After a restart: a conversation that an engine kept on disk goes on, against reading it from nothing.

Each start is a process of its own (`restarted.py`).
"""

import json
import sys
import tempfile
from pathlib import Path

import processes
from bench import Bench, in_turns
from places import CACHE
from results import Figures, Result


def measure(bench: Bench) -> list[Result]:
    """Each round: one process has the conversation; others go on with it, with and without its folder."""
    figures = Figures()
    for number in bench.numbers():
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            _start(bench, number, "begin", folder)
            seen = {}
            for side in in_turns(("go on", "from nothing"), number):
                seen[side] = _start(bench, number, "go on", folder if side == "go on" else None)
        kept, nothing = seen["go on"], seen["from nothing"]
        # Strict: the load counts on our side only.
        figures.add("restart.first", kept["load_ms"] + kept["first_ms"], nothing["first_ms"])
        figures.add("restart.load", kept["load_ms"])
    return figures.results()


def _start(bench: Bench, number: int, what: str, folder: Path | None) -> dict[str, float]:
    """Run one process to its end; the milliseconds it tells."""
    told = {
        "model": str(bench.models.chat.path),
        "sha256": bench.models.chat.sha256,  # known to the program, too, from its last start
        "threads": bench.threads,
        "seed": 60_000 + 10 * number,
        "what": what,
        "folder": None if folder is None else str(folder),
    }
    command = [sys.executable, str(Path(__file__).with_name("restarted.py")), json.dumps(told)]
    with processes.running(command, log=CACHE / "restart.log") as process:
        out, _ = process.communicate(timeout=300)
    if process.returncode:
        raise RuntimeError(f"A restarted engine failed; its log is {CACHE / 'restart.log'}.")
    return json.loads(out)
