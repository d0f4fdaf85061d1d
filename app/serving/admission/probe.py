"""Trying out a model file where it can do no harm: in a short-lived child of the same program.

llama.cpp runs in our process, and a file that only looks like a model can end it. So a file that
is not proven is first loaded in a child, with a time limit; see `trial` for what it does there.
"""

import contextlib
import errno
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from app.confinement import processes, spawn
from app.errors import ModelError, ModelTooLargeError
from app.records import ModelKind
from app.serving.admission import trial
from app.serving.admission.verdicts import Verdict

_log = logging.getLogger(__name__)

LIMIT_SECONDS = 29.0
"""How long one file may take, the start of the child included: with its end, 30 at most."""

_EXIT_SECONDS = 5.0
_LARGEST_ANSWER = 1 << 16
_TOLD_CHARACTERS = 2_000
_CLOSED = "Carrel is closing."


class Probe:
    """Tries out one file at a time. Thread-safe; who comes second waits."""

    def __init__(self, *, threads: int = 0, seconds: float = LIMIT_SECONDS, warm: bool = False) -> None:
        """Nothing is started yet.

        Args:
            threads: to compute with; 0: all physical cores.
            seconds: how long one file may take.
            warm: keep the child for the next file, until one ends it. Quicker for many files, but
                an earlier one may be to blame for what ends it.
        """
        self._threads, self._seconds, self._warm = threads, seconds, warm
        self._turn = threading.Lock()
        self._lock = threading.Lock()  # of what follows
        self._child: _Child | None = None
        self._closed = False

    def try_out(
        self,
        path: Path,
        kind: ModelKind,
        *,
        gpu_layers: int = 0,
        on_gpu: bool = False,
        tiles: bool = False,
    ) -> Verdict:
        """Load `path` fully, let it give one token (or one vector), free it. Blocks meanwhile.

        Args:
            gpu_layers: as for `Engine`.
            on_gpu: whether there is a GPU to put them on.
            tiles: as for `NativeModel`; of a chat model they are not used.

        Raises:
            ModelTooLargeError: there is not enough memory for it now.
            ModelError: it could not be tried out, for a reason that is not the file's.
        """
        wanted = trial.Wanted(str(path), kind, gpu_layers, self._threads, on_gpu, tiles)
        with self._turn:
            begun = time.monotonic()
            try:
                answer = self._start().ask(wanted, begun + self._seconds)
                verdict = self._verdict(answer, path)
            except OSError as error:
                raise ModelError(f"{path.name} could not be tried out: {error.strerror}.") from error
            finally:
                if not self._warm:
                    self._end()
        figures = {"file": path.name, "outcome": verdict.outcome, "reason": verdict.reason}
        _log.info("model tried out", extra=figures | {"ms": round((time.monotonic() - begun) * 1000)})
        return verdict

    def close(self) -> None:
        """End the child; whoever waits for a verdict is told. Idempotent."""
        with self._lock:
            self._closed = True
            if self._child is not None:
                self._child.kill()
        with self._turn:
            self._end()

    def _start(self) -> "_Child":
        child = self._child or _Child()
        with self._lock:
            self._child = child
            if not self._closed:
                return child
        self._end()
        raise ModelError(_CLOSED)

    def _end(self) -> None:
        with self._lock:
            child, self._child = self._child, None
        if child is not None:
            child.end()

    def _verdict(self, answer: "trial.Found | _Death", path: Path) -> Verdict:
        if isinstance(answer, trial.Proven):
            return Verdict("proven")
        if isinstance(answer, trial.Refused):
            return Verdict("refused", answer.message)
        if isinstance(answer, trial.TooLarge):
            raise ModelTooLargeError(answer.message)
        if isinstance(answer, trial.Undecided):
            raise ModelError(answer.message)
        self._end()
        if self._closed:
            raise ModelError(_CLOSED)
        if answer.timed_out:
            return Verdict("timed_out")
        told = {"file": path.name, "reason": answer.reason, "told": answer.told}
        _log.warning("a model ended the process that tried it out", extra=told)
        return Verdict("crashed", answer.reason)


@dataclass(frozen=True, slots=True)
class _Death:
    """How the child ended without an answer: its signal or exit code, and its last words."""

    timed_out: bool = False
    reason: str = ""
    told: str = ""


class _Child:
    """One spawned process, the pipe to it, and the file that takes its last words."""

    def __init__(self) -> None:
        handle, name = tempfile.mkstemp(prefix="carrel-probe-")
        os.close(handle)
        self._output = Path(name)
        self._ready = False
        self._pipe, theirs = spawn.Pipe()
        self._process = spawn.Process(
            target=trial.serve, args=(theirs, name), daemon=True, name="carrel-probe"
        )
        try:
            with processes:
                self._process.start()
        except BaseException:
            self._pipe.close()
            self._output.unlink()
            raise
        finally:
            theirs.close()

    def ask(self, wanted: trial.Wanted, deadline: float) -> "trial.Found | _Death":
        """Have a file tried out; `deadline` is on the monotonic clock.

        Raises:
            OSError: the child ended before it could be asked: that is no fault of the file's.
        """
        if not self._ready_by(deadline):
            self.kill()
            return _Death(timed_out=True)
        try:
            self._pipe.send_bytes(trial.encode(wanted))
            if not self._answers_by(deadline):
                self.kill()
                return _Death(timed_out=True)
            return trial.decode_found(self._pipe.recv_bytes(_LARGEST_ANSWER))
        except msgspec.MsgspecError:
            self.kill()
            return _Death(reason="an answer that makes no sense", told=self._told())
        except (EOFError, OSError):
            return _Death(reason=self._reason(), told=self._told())

    def kill(self) -> None:
        """End the process and whatever it started. From any thread, any number of times."""
        pid = self._process.pid
        if sys.platform != "win32" and pid is not None and self._process.exitcode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):  # has no group yet
                os.killpg(pid, signal.SIGKILL)
        self._process.kill()

    def end(self) -> None:
        self.kill()
        self._pipe.close()
        with processes:
            self._process.join(_EXIT_SECONDS)
        self._output.unlink(missing_ok=True)

    def _ready_by(self, deadline: float) -> bool:
        if not self._ready and not self._answers_by(deadline):
            return False
        if not self._ready:
            with contextlib.suppress(EOFError):
                self._ready = self._pipe.recv_bytes(_LARGEST_ANSWER) == trial.READY
        if not self._ready:
            raise ChildProcessError(errno.ECHILD, "the program could not be started a second time")
        return True

    def _answers_by(self, deadline: float) -> bool:
        return self._pipe.poll(max(0.0, deadline - time.monotonic()))

    def _reason(self) -> str:
        with processes:
            self._process.join(_EXIT_SECONDS)
            code = self._process.exitcode
        if code is not None and code < 0:
            with contextlib.suppress(ValueError):  # a signal that has no name
                return signal.Signals(-code).name
        return f"exit code {code}"

    def _told(self) -> str:
        with contextlib.suppress(OSError):
            return self._output.read_text("utf-8", "replace")[-_TOLD_CHARACTERS:]
        return ""
