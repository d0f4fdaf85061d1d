"""What models have read, kept on disk: a conversation that comes back is not read again.

One file a sequence: its tokens and what the model remembers of them, valid only for the same
model file, the same build of llama.cpp and the same kind of context (the key). The folder is
bounded in bytes; what was not used for longest goes first. A damaged file is as good as none:
llama.cpp trusts what it is given, so a checksum is verified before.
"""

import hashlib
import json
import logging
import os
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.serving.kv_cache import shared_prefix

_log = logging.getLogger(__name__)

LIMIT = 2 << 30
"""Bytes that the folder may hold."""

SLICE = 4 << 20
"""Bytes of a file that are read and checked at a time."""

PENDING = 4
"""States that may wait to be written: each is held in memory until then."""

_MAGIC = b"CARREL-KV-4\n"
_LONGEST_HEADER = 4_096  # bytes
_STALE = 30 * 24 * 3600.0  # seconds without use after which a file goes
_SUFFIX = ".kv"
_READERS = 2  # threads that read and check a file somebody waits for: checking takes most of the time
_UNREADABLE = (OSError, ValueError, KeyError, RecursionError)  # what reading a damaged file raises


@dataclass(frozen=True, slots=True)
class Saved:
    """One file. `shared`: how many of its tokens begin the prompt it was found for."""

    path: Path
    tokens: tuple[int, ...]
    shared: int = 0


class StateStore:
    """The states of one model in a folder it shares with others. All methods are thread-safe.

    Files are written on a thread of its own; whoever saves does not wait for the disk.
    """

    def __init__(self, folder: Path, *, key: str, limit: int = LIMIT) -> None:
        """Read which states there are. `key` names all that a state depends on besides its tokens."""
        self._folder, self._key, self._limit = folder, key, limit
        self._lock = threading.Lock()
        self._saved: dict[Path, Saved] = {}
        self._writer = ThreadPoolExecutor(1, "save-state")
        self._writing: set[Future[None]] = set()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._sweep()
        except OSError as error:
            _log.warning("what the model has read cannot be kept in %s: %s", folder, error)

    def find(self, prompt: Sequence[int], *, whole: bool = False) -> Saved | None:
        """The state that shares the longest beginning with `prompt`.

        Args:
            whole: only a state all of whose tokens begin the prompt (it cannot be cut).
        """
        with self._lock:
            known = tuple(self._saved.values())
        best = None
        for saved in known:
            shared = shared_prefix(saved.tokens, prompt)
            if shared > (best.shared if best else 0) and not (whole and shared < len(saved.tokens)):
                best = Saved(saved.path, saved.tokens, shared)
        return best

    def load(self, saved: Saved) -> memoryview | None:
        """The state itself; None if the file is gone or damaged (it is removed then)."""
        body = memoryview(b"")
        try:
            with saved.path.open("rb") as file:
                header, begin = _header(file.read(_LONGEST_HEADER + len(_MAGIC)))
            body, digest = _read(saved.path, begin, self._key, len(saved.tokens))
            whole = digest == header["sha256"]
            os.utime(saved.path)
        except _UNREADABLE as error:
            _log.warning("a saved state cannot be read: %s", error)
            whole = False
        except RuntimeError:  # the interpreter is going, its pools take nothing any more
            return None
        if whole:
            return body[4 * len(saved.tokens) :]
        self.drop(saved)
        return None

    def save(self, tokens: Sequence[int], state: bytes | memoryview) -> None:
        """Keep `state`, which is of `tokens`. Returns at once; a failure costs only the time saved.

        So does a disk that is too slow: while PENDING others wait to be written, this one is let go.
        """
        with self._lock:
            if len(self._writing) >= PENDING:
                _log.info("what the model has read is not kept: the disk does not keep up")
                return
        try:
            task = self._writer.submit(self._write, tuple(tokens), state)
        except RuntimeError:  # the interpreter is going, its pools take nothing any more
            self._write(tuple(tokens), state)
            return
        with self._lock:
            self._writing.add(task)
        task.add_done_callback(self._written)

    def drop(self, saved: Saved) -> None:
        """Remove one."""
        with self._lock:
            self._saved.pop(saved.path, None)
        with suppress(OSError):
            saved.path.unlink()

    def clear(self) -> None:
        """Remove all, those of other models, too: a document they were read from was deleted."""
        self.flush()
        with self._lock:
            self._saved.clear()
        clear(self._folder)

    def flush(self) -> None:
        """Wait until all that was saved is written."""
        with self._lock:
            writing = tuple(self._writing)
        for task in writing:
            task.result()

    def close(self) -> None:
        """Wait until all that was saved is written, and end the thread. Idempotent."""
        self._writer.shutdown(wait=True)

    def _written(self, task: Future[None]) -> None:
        with self._lock:
            self._writing.discard(task)

    def _write(self, tokens: tuple[int, ...], state: bytes | memoryview) -> None:
        body = np.asarray(tokens, "<u4").tobytes() + state
        digest = _digest(self._key, len(tokens), _slices(memoryview(body)))
        header = {"key": self._key, "tokens": len(tokens), "sha256": digest}
        path = self._folder / f"{digest[:32]}{_SUFFIX}"
        try:
            handle, name = tempfile.mkstemp(dir=self._folder, prefix="saving-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(_MAGIC + json.dumps(header).encode() + b"\n")
                    file.write(body)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            _log.warning("what the model has read could not be kept: %s", error)
            return
        with self._lock:
            shorter = [
                saved
                for saved in self._saved.values()
                if saved.path != path and tokens[: len(saved.tokens)] == saved.tokens
            ]
            self._saved[path] = Saved(path, tokens)
        for saved in shorter:  # the same conversation, a turn ago
            self.drop(saved)
        self._shrink()

    def _sweep(self) -> None:
        """Learn what is there; remove what is damaged, half written or was not used for long."""
        for path in sorted(self._folder.iterdir()):
            try:
                stale = path.suffix != _SUFFIX or time.time() - path.stat().st_mtime > _STALE
                found = None if stale else _read_tokens(path)
            except _UNREADABLE:
                stale, found = True, None
            if stale:
                with suppress(OSError):
                    path.unlink()
            elif found is not None and found[0] == self._key:
                self._saved[path] = Saved(path, found[1])
        self._shrink()

    def _shrink(self) -> None:
        files = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with suppress(OSError):
                status = path.stat()
                files.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files):
            if total <= self._limit:
                break
            self.drop(Saved(path, ()))
            total -= size


def clear(folder: Path) -> None:
    """Remove every state in `folder`. For where no store is open on it."""
    for path in folder.glob("*"):
        with suppress(OSError):
            path.unlink()


def _digest(key: str, tokens: int, slices: Iterable[bytes]) -> str:
    """The checksum of a file: of its body's slices, and of what its header says about it."""
    return hashlib.sha256(json.dumps([key, tokens]).encode() + b"".join(slices)).hexdigest()


def _slices(body: memoryview) -> Iterator[bytes]:
    """The checksum of each slice of a body."""
    return (hashlib.sha256(body[at : at + SLICE]).digest() for at in range(0, len(body), SLICE))


def _read(path: Path, begin: int, key: str, tokens: int) -> tuple[memoryview, str]:
    """What a file holds from byte `begin` on, read once and copied never, and its checksum.

    Raises:
        OSError, ValueError: it cannot be read, or became shorter meanwhile.
    """
    body = np.empty(path.stat().st_size - begin, np.uint8).data

    def checked(at: int) -> bytes:
        part = body[at : at + SLICE]
        with path.open("rb", buffering=0) as file:
            file.seek(begin + at)
            if file.readinto(part) != len(part):
                raise ValueError("it is cut short")
        return hashlib.sha256(part).digest()

    with ThreadPoolExecutor(_READERS, "load-state") as readers:
        return body, _digest(key, tokens, readers.map(checked, range(0, len(body), SLICE)))


def _read_tokens(path: Path) -> tuple[str, tuple[int, ...]]:
    """The key of a file, and its tokens.

    Raises:
        OSError, ValueError, KeyError, RecursionError: it cannot be read, or is damaged.
    """
    with path.open("rb") as file:
        header, begin = _header(file.read(_LONGEST_HEADER + len(_MAGIC)))
        count = int(str(header["tokens"]))
        # Looked at before it is read: a damaged count may ask for more memory than there is.
        if not 0 < 4 * count <= path.stat().st_size - begin:
            raise ValueError("it is cut short")
        file.seek(begin)
        tokens = np.frombuffer(file.read(4 * count), "<u4")
    return str(header["key"]), tuple(tokens.tolist())


def _header(beginning: bytes) -> tuple[dict[str, object], int]:
    """The header of a file, and where what comes after it begins.

    Raises:
        ValueError: it is none.
    """
    end = beginning.find(b"\n", len(_MAGIC))
    if not beginning.startswith(_MAGIC) or end < 0:
        raise ValueError("it is no saved state")
    header = json.loads(beginning[len(_MAGIC) : end])
    if not isinstance(header, dict):
        raise ValueError("its header is damaged")  # noqa: TRY004 - one kind of error for whoever reads
    return header, end + 1
