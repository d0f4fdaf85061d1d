"""What became of model files that were tried out, remembered by what is in them.

A verdict is about one content (SHA-256), one kind of use, one build of llama.cpp and one device:
another build may crash where this one does not, or the other way round.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from app.errors import ModelCrashedError, ModelFileError, ModelTimeoutError
from app.records import ModelKind
from app.serving.notebook import Notebook

Outcome = Literal["proven", "refused", "crashed", "timed_out"]

# How a process is ended from outside: for want of memory, at shutdown, or as a file's disk failed.
_FROM_OUTSIDE = frozenset(("SIGKILL", "SIGTERM", "SIGHUP", "SIGINT", "SIGQUIT", "SIGXCPU", "SIGBUS"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one model file.

    Attributes:
        reason: refused: the sentence for the user; crashed: the signal's name, or the exit code.
    """

    outcome: Outcome
    reason: str = ""

    @property
    def lasting(self) -> bool:
        """Whether it would be the same again, whatever else the machine does meanwhile."""
        return self.outcome != "timed_out" and self.reason not in _FROM_OUTSIDE

    def check(self, name: str) -> None:
        """Pass a proven file.

        Args:
            name: of the file, for the sentence.

        Raises:
            ModelFileError: refused.
            ModelCrashedError: crashed.
            ModelTimeoutError: timed_out.
        """
        if self.outcome == "refused":
            raise ModelFileError(self.reason)
        if self.outcome == "crashed" and not self.lasting:
            raise ModelCrashedError(
                f"The system ended the process that tried {name} out, as it does when memory is short."
                " Close other programs and choose the model again, or choose a smaller one."
            )
        if self.outcome == "crashed":
            raise ModelCrashedError(
                f"{name} crashed the process that tried it out ({self.reason}), so it is not loaded:"
                " it would end Carrel, too. The file may be damaged, or not made for this version."
            )
        if self.outcome == "timed_out":
            raise ModelTimeoutError(
                f"{name} could not be tried out in time, so it is not loaded."
                " If the computer was busy, choose the model again."
            )


class _Entry(msgspec.Struct, frozen=True):
    build: str
    outcome: Outcome
    reason: str
    at: float  # seconds since the epoch


class Verdicts:
    """The verdicts of one profile and one build of llama.cpp. Thread-safe."""

    def __init__(self, file: Path, build: str) -> None:
        """`file` is JSON; damaged or unwritable, it is done without: files are tried out again."""
        self._kept = Notebook(file, dict[str, _Entry])
        self._build = build

    def find(self, sha256: str, kind: ModelKind, device: str) -> Verdict | None:
        """The verdict about a content, if this build gave one."""
        entry = (self._kept.read() or {}).get(_key(sha256, kind, device))
        if entry is None or entry.build != self._build:
            return None
        return Verdict(entry.outcome, entry.reason)

    def keep(self, sha256: str, kind: ModelKind, device: str, verdict: Verdict) -> None:
        """Remember a verdict, in place of an older one."""
        entry = _Entry(self._build, verdict.outcome, verdict.reason, time.time())
        self._kept.change(lambda entries: {**(entries or {}), _key(sha256, kind, device): entry})


def _key(sha256: str, kind: ModelKind, device: str) -> str:
    return f"{kind} {device} {sha256}"
