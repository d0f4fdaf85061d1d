"""What a model noted about sections of documents: a question asked again computes none of it anew.

A note is found by what it was made of (the model, what was asked, the text of the section), so that an
edited document has only its changed sections read again. It is text about a document: when a document or
a conversation is deleted, all of the notes go, file and all.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from app.cache.store import Store
from app.errors import StorageError

_log = logging.getLogger(__name__)
_SIZE_LIMIT = 32 * 2**20
_LIFETIME_S = 30 * 24 * 3600.0


class Noted(msgspec.Struct, frozen=True):
    """A sentence of a note, and which of the section's passages (from 0) it rests on."""

    text: str
    passage: int


class NoteCache:
    """Notes by what they were made of. Thread-safe; never an error: what it cannot do is a miss."""

    def __init__(
        self, folder: Path, *, lifetime: float = _LIFETIME_S, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the cache in `folder`; `lifetime` in seconds. A damaged one is begun anew.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._clears = 0
        self._changing = threading.Lock()
        self._store = Store(folder, lifetime=lifetime, size_limit=_SIZE_LIMIT, durable=False, clock=clock)

    @property
    def clears(self) -> int:
        """How often it was cleared: what was read before a clearing is not to be kept behind it."""
        return self._clears

    def get(self, parts: Sequence[str]) -> tuple[Noted, ...] | None:
        """The note that was made of these texts; None where it is not known (any more)."""
        try:
            value = self._store.get(_key(parts))
            return None if value is None else msgspec.json.decode(value, type=tuple[Noted, ...])
        except (StorageError, msgspec.MsgspecError, UnicodeDecodeError):
            _log.warning("a note could not be read", exc_info=True)
            return None

    def put(self, parts: Sequence[str], note: Sequence[Noted], clears: int | None = None) -> None:
        """Keep the note that was made of these texts.

        Args:
            clears: as they were when the texts were read: it is kept only if they still are so.
        """
        with self._changing:
            if clears is not None and clears != self._clears:
                return
            try:
                self._store.put([(_key(parts), msgspec.json.encode(tuple(note)))])
            except StorageError:
                _log.warning("a note could not be kept", exc_info=True)

    def clear(self) -> None:
        """Forget all of them; nothing that can be read of them stays on the disk."""
        with self._changing:
            self._clears += 1
            try:
                self._store.clear()
            except StorageError:
                _log.warning("the notes could not be cleared", exc_info=True)

    def close(self) -> None:
        self._store.close()


def _key(parts: Sequence[str]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()
