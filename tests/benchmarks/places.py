"""Where the benchmarks find what they measure, and where they keep what they make."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / ".cache" / "benchmarks"


def say(line: str) -> None:
    """Tell the person at the terminal what happens; the table alone goes to stdout."""
    print(line, file=sys.stderr, flush=True)
