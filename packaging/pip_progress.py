"""Runs pip and tells how far it is, in one calm line.

pip's own output goes to a log; from it the line is made: which package is being fetched, and while
llama.cpp compiles (ninja prints "[66/193] …") the share that is done and the time that is left.
On a terminal the line is rewritten in place, elsewhere a new one is printed every 20 seconds.
Standard library only.
"""

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TextIO

_EVERY_ELSEWHERE = 20.0
_EVERY_TERMINAL = 0.5
# What compiling llama.cpp took on 2 cores, in core-seconds: the first guess, before any step is done.
_CORE_SECONDS = 900

_STEP = re.compile(r"^\s*\[(\d+)/(\d+)\]")
_FETCHED = re.compile(r"^(?:Collecting|Processing|Requirement already satisfied:) (\S+)")


class Progress:
    """What pip is doing, from the lines it prints. Knows no clock: times (s) are handed in."""

    def __init__(self, doing: str, packages: int, cores: int) -> None:
        self.doing = doing
        self._packages = packages
        self._cores = cores
        self._fetched = 0
        self._now = ""
        self._compiling_since: float | None = None
        self._done = 0
        self._steps = 0

    def read(self, line: str, at: float) -> bool:
        """Take one line in; True when another stage begins, which is worth telling at once."""
        if step := _STEP.match(line):
            began = self._compiling_since is None
            if began:
                self._compiling_since = at
            self._done, self._steps = int(step[1]), int(step[2])
            return began
        if found := _FETCHED.match(line):
            self._fetched += 1
            self._now = re.split(r"[=<>!~;\[ ]", found[1].rsplit("/", 1)[-1])[0]
            return False
        if line.startswith("Installing collected packages"):
            self._compiling_since = None
            self._now = "unpacking"
            return self._packages > 1
        return False

    def line(self, at: float) -> str:
        """The sentence of this moment."""
        if self._compiling_since is not None:
            share = self._done / self._steps
            return f"Compiling llama.cpp: {share:.0%} ({self._done} of {self._steps}), {self._left(at)}"
        if self._now == "unpacking":
            return f"{self.doing}: unpacking"
        if self._now and self._packages > 1:
            known = min(self._fetched, self._packages)
            return f"{self.doing}: {known} of about {self._packages} packages fetched ({self._now})"
        return f"{self.doing} …"

    def _left(self, at: float) -> str:
        guess = _CORE_SECONDS / self._cores
        spent = at - self._compiling_since if self._compiling_since is not None else 0.0
        share = self._done / self._steps
        # The measured pace counts for more the further the work has come.
        paced = spent * (1 - share) / share if share > 0 else guess
        left = (1 - share) * guess * (1 - share) + share * paced
        if left < 45:
            return "less than a minute left"
        minutes = round(left / 60)
        return f"about {max(minutes, 1)} minute{'s' if minutes > 1 else ''} left"


def run(command: list[str], environment: dict[str, str], log: Path, *, doing: str, packages: int) -> int:
    """Run `command`, its output appended to `log`; returns its exit code."""
    progress = Progress(doing, packages, _cores())
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    with (
        log.open("a", encoding="utf-8", buffering=1) as kept,
        subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # a group of its own: with pip end the compilers it started
        ) as child,
    ):
        assert child.stdout is not None
        threading.Thread(target=_pump, args=(child.stdout, lines), daemon=True).start()
        teller = _Teller(sys.stdout)
        try:
            while True:
                at = time.monotonic()
                try:
                    line = lines.get(timeout=_EVERY_TERMINAL)
                except queue.Empty:
                    teller.tell(progress.line(at), at)
                    continue
                if line is None:
                    break
                kept.write(line)
                new_stage = progress.read(line, at)
                teller.tell(progress.line(at), at, at_once=new_stage)
        except KeyboardInterrupt:
            _end(child)
            raise
        finally:
            teller.close()
        return child.wait()


def telling_lines(log: Path, count: int) -> list[str]:
    """The last lines of the log, without pip's chatter about links it passed over."""
    lines = log.read_text("utf-8", "replace").splitlines()
    kept = [
        line
        for line in lines
        if line.strip() and not re.match(r"\s*(Link requires|Skipping link|WARNING: Location)", line)
    ]
    return kept[-count:]


class _Teller:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._last = ""
        self._told_at = time.monotonic()

    def tell(self, line: str, at: float, *, at_once: bool = False) -> None:
        every = _EVERY_TERMINAL if self._terminal else _EVERY_ELSEWHERE
        if line == self._last or (at - self._told_at < every and not at_once):
            return
        self._stream.write(f"\r\x1b[K{line}" if self._terminal else f"{line}\n")
        self._stream.flush()
        self._last, self._told_at = line, at

    def close(self) -> None:
        if self._terminal and self._last:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _end(child: "subprocess.Popen[str]") -> None:
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
    else:
        child.terminate()


def _pump(stream: TextIO, lines: "queue.SimpleQueue[str | None]") -> None:
    for line in stream:
        lines.put(line)
    lines.put(None)


def _cores() -> int:
    return os.cpu_count() or 1
