"""Which models are at work right now, in a file: what is left of it tells of a process that died.

A model that is being loaded or is answering leaves a mark, and takes it away when it is done. A
mark that is found at a start means that the process before ended there, whoever ended it (the
model, the system, the user). Such ends are counted for each model, in a row; a run with the model
that is closed as it should be breaks the row.
"""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from app.errors import ModelQuarantinedError
from app.records import Problem
from app.serving.notebook import Notebook

Phase = Literal["loading", "answering"]

QUARANTINE_AFTER = 3
"""Ends in a row after which a model is loaded only when it is asked for."""


@dataclass(frozen=True, slots=True)
class Left:
    """A model that was at work when the process before this one ended.

    Attributes:
        device: where it ran, "CPU" or the name of a GPU.
        times: how often in a row.
    """

    path: Path
    name: str
    phase: Phase
    device: str
    times: int

    @property
    def notice(self) -> Problem:
        """What the user should know. Who ended the process is not known, and not said."""
        doing = "was being loaded" if self.phase == "loading" else "was answering"
        again = f" ({self.times} times in a row now)" if self.times > 1 else ""
        message = f"Carrel ended unexpectedly while {self.name} {doing}{again}.{_way_out(self.device)}"
        return Problem("ended_unexpectedly", message)


class _Entry(msgspec.Struct, frozen=True):
    path: str
    name: str
    phase: Phase
    device: str


class _Row(msgspec.Struct, frozen=True):
    times: int
    device: str


class _Page(msgspec.Struct, frozen=True):
    at_work: tuple[_Entry, ...] = ()
    rows: dict[str, _Row] = {}  # by the model's path


class Breadcrumb:
    """The marks of one profile. Thread-safe."""

    def __init__(self, file: Path) -> None:
        """Nothing is read yet. A file that is damaged or cannot be written is done without."""
        self._kept = Notebook(file, _Page)
        self._lock = threading.Lock()
        self._marks: list[Mark] = []
        self._rows: dict[str, _Row] = {}
        self._worked: set[str] = set()  # paths
        self._closed = False

    def pick_up(self) -> tuple[Left, ...]:
        """What the process before left behind: counted, and cleared away. Call once, first."""
        page = self._kept.read() or _Page()
        found = {entry.path: entry for entry in page.at_work}
        with self._lock:
            self._rows = dict(page.rows)
            for entry in found.values():
                before = self._rows.get(entry.path)
                self._rows[entry.path] = _Row(1 + (before.times if before else 0), entry.device)
            if found:
                self._write()
            return tuple(
                Left(Path(path), entry.name, entry.phase, entry.device, self._rows[path].times)
                for path, entry in found.items()
            )

    def check(self, path: Path, name: str) -> None:
        """Pass a model that may be loaded without being asked for.

        Raises:
            ModelQuarantinedError: the process ended with it too often in a row.
        """
        with self._lock:
            row = self._rows.get(str(path))
        if row is not None and row.times >= QUARANTINE_AFTER:
            raise ModelQuarantinedError(
                f"Carrel ended unexpectedly {row.times} times in a row while {name} was at work, so it is no"
                f" longer loaded by itself. To use it all the same, choose it again.{_way_out(row.device)}"
            )

    def trust(self, path: Path) -> None:
        """Begin to count anew: the user asked for this model."""
        with self._lock:
            if self._rows.pop(str(path), None) is not None:
                self._write()

    def mark(self, path: Path, name: str, phase: Phase, device: str) -> "Mark":
        """A mark for one model in one phase, not set yet. `name` is for people."""
        return Mark(self, _Entry(str(path), name, phase, device))

    def close(self) -> None:
        """End the run well: no mark is left, or set any more, and no model that worked is suspect."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            broken = self._worked.intersection(self._rows)
            for path in broken:
                del self._rows[path]
            if broken or self._marks:
                self._marks.clear()
                self._write()

    def put(self, mark: "Mark") -> None:
        """Set a mark; on the disk when this returns, as a driver that hangs may take all down."""
        with self._lock:
            if not self._closed:
                self._marks.append(mark)
                self._worked.add(mark.entry.path)
                self._write(durable=True)

    def take(self, mark: "Mark") -> None:
        """Take a mark away."""
        with self._lock:
            if mark in self._marks:
                self._marks.remove(mark)
                self._write()

    def _write(self, *, durable: bool = False) -> None:
        page = _Page(tuple(mark.entry for mark in self._marks), dict(self._rows))
        empty = not page.at_work and not page.rows
        self._kept.change(lambda _: None if empty else page, durable=durable)


class Mark:
    """The mark of one model in one phase. Used by one thread."""

    def __init__(self, breadcrumb: Breadcrumb, entry: _Entry) -> None:
        self.entry = entry
        self._breadcrumb = breadcrumb
        self._shown = False

    def show(self, busy: bool) -> None:
        """Set the mark, or take it away. Costs nothing where it is so already."""
        if busy != self._shown:
            self._shown = busy
            (self._breadcrumb.put if busy else self._breadcrumb.take)(self)

    def __enter__(self) -> None:
        self.show(True)

    def __exit__(self, *_: object) -> None:
        self.show(False)


def _way_out(device: str) -> str:
    if device == "CPU":
        return ""
    return " If the graphics card is to blame, `carrel settings gpu_layers 0` lets it run on the processor."
