"""How fast this machine computes an embedding model, measured where it may end the process."""

import subprocess
import sys
from pathlib import Path

_CHILD = Path(__file__).resolve().with_name("embed_timed.py")
_LIMIT_S = 60.0


def measured(model: Path) -> float | None:
    """Milliseconds for one passage; None: it cannot be computed here.

    In the processor's tiles, if it has any, unless that ends the process.
    """
    for tiles in ("tiles", "no tiles"):
        command = [sys.executable, str(_CHILD), str(model), tiles]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_LIMIT_S)
        except subprocess.TimeoutExpired:
            continue
        if done.returncode == 0:
            return float(done.stdout)
    return None
