"""Whether a model file may be loaded into this process.

The files that come with the program may, by their hash. Any other has to be proven: by a verdict
that is remembered, or by being tried out now. A file whose size and time are as they were is taken
for the one that was read before; whether it is, is looked at afterwards, in the background.
"""

import contextlib
import dataclasses
import functools
import hashlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import app
from app.errors import AppError, ModelFileError
from app.records import ModelKind, Problem
from app.serving import catalogue, gguf, llama
from app.serving.admission.probe import Probe
from app.serving.admission.verdicts import Verdict, Verdicts

_log = logging.getLogger(__name__)

CPU = "CPU"
_TILES = "AMX"  # the device of a verdict about them

# The start of the program has the disk and the processor to itself; a short command ends before.
_VERIFY_AFTER_S = 2.0
_NICE = 19


@dataclass(frozen=True, slots=True)
class Admitted:
    """A file that may be loaded, and how.

    Attributes:
        gpu_layers: as for `Engine`; 0 where the GPU was tried and ended the process.
        device: where its layers go: "CPU", or the name of a GPU.
        notice: what the user should know about that.
        tiles: as for `NativeModel`: it was tried out with them and lived.
    """

    sha256: str
    gpu_layers: int
    device: str
    notice: Problem | None = None
    tiles: bool = False


@dataclass(frozen=True, slots=True)
class _Case:
    path: Path
    kind: ModelKind
    sha256: str
    stamp: tuple[Path, int, int]  # from before the file was read
    asked: bool


class Admission:
    """Decides for every model file before it is loaded. Thread-safe."""

    def __init__(
        self,
        *,
        hashes: Path,
        verdicts: Path,
        trusted: frozenset[str],
        on_notice: Callable[[Problem], None],
        probe: Probe,
        verify_after: float = _VERIFY_AFTER_S,
    ) -> None:
        """Nothing is read yet.

        Args:
            hashes, verdicts: JSON files that keep what was found; damaged or unwritable, they are
                done without.
            trusted: SHA-256 of files that need no proof: those of the program's own.
            on_notice: called with what the user should read once; on a thread of this.
            probe: closed with this.
            verify_after: seconds until a remembered hash is looked at.
        """
        self._hashes = catalogue.hashes(hashes)
        self._verdicts_file = verdicts
        self._trusted = trusted
        self._on_notice = on_notice
        self._probe = probe
        self._verify_after = verify_after
        self._closed = threading.Event()
        self._verifying: list[threading.Thread] = []
        self._lock = threading.Lock()

    def admit(self, path: Path, kind: ModelKind, *, gpu_layers: int, asked: bool) -> Admitted:
        """Let a file pass, or refuse it. Blocks while a file that is not known is read and tried out.

        Args:
            gpu_layers: as for `Engine`.
            asked: the user asked for this file just now: what the machine may have been to blame
                for is tried again.

        Raises:
            ModelFileError: it is no model that can be loaded.
            ModelCrashedError: it ends the process that loads it.
            ModelTimeoutError: it could not be tried out in time.
            ModelTooLargeError: there is not enough memory to try it out.
            ModelError: it could not be tried out at all.
        """
        stamp = catalogue.stamp(path)
        case = _Case(path, kind, self._hash(path), stamp, asked)
        device = _device(gpu_layers)
        if self._has_tiles_for(case):
            return Admitted(case.sha256, gpu_layers, device, tiles=True)
        if case.sha256 in self._trusted:
            return Admitted(case.sha256, gpu_layers, device)
        verdict = self._judge(case, gpu_layers, device)
        fell = verdict.outcome in ("crashed", "timed_out")
        if fell and device != CPU and self._judge(case, 0, CPU).outcome == "proven":
            return Admitted(case.sha256, 0, CPU, _refused_by(device, path))
        verdict.check(path.name)
        return Admitted(case.sha256, gpu_layers, device)

    def close(self) -> None:
        """End what is being tried out or looked at; whoever waits for it is told. Idempotent."""
        self._closed.set()
        self._probe.close()
        with self._lock:
            verifying, self._verifying = self._verifying, []
        for thread in verifying:
            thread.join()

    def _hash(self, path: Path) -> str:
        known = catalogue.known_hash(path, self._hashes)
        if known is None:
            gguf.read_header(path)  # a film of 20 GB is not read whole to be refused
            return catalogue.file_hash(path, self._hashes)
        thread = threading.Thread(target=self._verify, args=(path, known), name="verify-model", daemon=True)
        with self._lock:
            thread.start()
            self._verifying = [*(it for it in self._verifying if it.is_alive()), thread]
        return known

    def _has_tiles_for(self, case: "_Case") -> bool:
        # Not for chat models: it takes their memory twice, and loading them twice as long.
        if case.kind == "chat" or not llama.has_tiles():
            return False
        try:
            # Asked for or not: what the machine may have been to blame for is tried again.
            return self._judge(dataclasses.replace(case, asked=True), 0, _TILES).outcome == "proven"
        except AppError as error:
            _log.info("tiles could not be tried out: %s", error.message)
            return False

    def _judge(self, case: "_Case", gpu_layers: int, device: str) -> Verdict:
        found = self._verdicts.find(case.sha256, case.kind, device)
        if found is not None and (found.lasting or not case.asked):
            return found
        verdict = self._probe.try_out(
            case.path,
            case.kind,
            gpu_layers=gpu_layers,
            on_gpu=device not in (CPU, _TILES),
            tiles=device == _TILES,
        )
        if catalogue.stamp(case.path) != case.stamp:
            raise ModelFileError(f"{case.path.name} was changed while it was tried out; choose it again.")
        self._verdicts.keep(case.sha256, case.kind, device, verdict)
        return verdict

    @functools.cached_property
    def _verdicts(self) -> Verdicts:
        # Which build this is, it says only once it is prepared, which may take a while.
        return Verdicts(self._verdicts_file, f"carrel {app.__version__}, {llama.build()}")

    # A thread for each file.

    def _verify(self, path: Path, expected: str) -> None:
        if self._closed.wait(self._verify_after):
            return
        if sys.platform == "linux":  # elsewhere this would be the whole process
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
        digest = hashlib.sha256()
        try:
            for block in catalogue.blocks(path):
                if self._closed.is_set():
                    return
                digest.update(block)
        except AppError as error:
            _log.info("a model could not be looked at: %s", error.message)
            return
        if digest.hexdigest() != expected:
            catalogue.forget_hash(path, self._hashes)
            _log.warning("a model file was changed without a trace", extra={"file": path.name})
            self._on_notice(
                Problem(
                    "model_changed",
                    f"{path.name} no longer holds what was tried out, though its size and date are the same."
                    " It is tried out again before it is loaded the next time.",
                )
            )


def _device(gpu_layers: int) -> str:
    return next((device.name for device in llama.devices() if device.gpu and gpu_layers != 0), CPU)


def _refused_by(device: str, path: Path) -> Problem:
    return Problem(
        "gpu_refused",
        f"{path.name} could not be tried out on {device}; it runs on the processor instead, more slowly.",
    )
