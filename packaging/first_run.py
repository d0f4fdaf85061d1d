"""What `make run` starts: the window, or the same job in the terminal where there is no display.

The same job means: the sample document is added, the sample question asked, and the cited answer
streams. Standard library only; runs with the Python of .venv.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "resources" / "sample"


def command(environment: dict[str, str], platform: str = sys.platform) -> tuple[str, list[str]]:
    """A line to say first (may be empty), and the arguments after `carrel`."""
    if platform != "linux" or environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"):
        return "", []
    sample = json.loads((SAMPLE / "sample.json").read_text("utf-8"))
    line = f"There is no display, so here is the same job in the terminal: {sample['question']}"
    return line, ["ask", sample["question"], str(SAMPLE / sample["document"])]


def main() -> int:
    line, arguments = command(dict(os.environ))
    if line:
        print(line, flush=True)
    # Through -m: finds the program also where the console script's folder is not known.
    started = [sys.executable, "-m", "app", *arguments]
    child = subprocess.Popen(started, cwd=ROOT)
    while True:
        try:
            return child.wait()
        except KeyboardInterrupt:
            continue  # the program got it, too, and ends in its own way


if __name__ == "__main__":
    sys.exit(main())
