"""Vectors of texts, kept for 15 minutes: a file added twice, or a question asked again, costs nothing."""

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.cache.store import Store
from app.errors import StorageError

Vector = NDArray[np.float32]

_log = logging.getLogger(__name__)
_SIZE_LIMIT = 256 * 2**20
_DIGEST = 8


class EmbeddingCache:
    """Vectors by embedder and text. Thread-safe; never an error: what it cannot do is a miss."""

    def __init__(
        self, folder: Path, *, lifetime: float = 900.0, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the cache in `folder`; `lifetime` in seconds. A damaged one is begun anew.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._store = Store(folder, lifetime=lifetime, size_limit=_SIZE_LIMIT, durable=False, clock=clock)

    def get(self, model_sha256: str, texts: Sequence[str]) -> list[Vector | None]:
        """The vector of each text, shape (dimension,), or None where it is not known (any more)."""
        try:
            return [self._one(_key(model_sha256, text)) for text in texts]
        except StorageError:
            _log.warning("the embedding cache could not be read", exc_info=True)
            return [None] * len(texts)

    def put(self, model_sha256: str, texts: Sequence[str], vectors: Sequence[Vector] | Vector) -> None:
        """Keep the vectors, row i of text i, shape (len(texts), dimension)."""
        entries = []
        for text, vector in zip(texts, vectors, strict=True):
            key = _key(model_sha256, text)
            data = np.ascontiguousarray(vector, "<f4").tobytes()
            entries.append((key, _digest(key, data) + data))
        try:
            self._store.put(entries)
        except StorageError:
            _log.warning("the embedding cache could not be written", exc_info=True)

    def close(self) -> None:
        self._store.close()

    def _one(self, key: str) -> Vector | None:
        value = self._store.get(key)
        if not isinstance(value, bytes):
            return None
        digest, data = value[:_DIGEST], value[_DIGEST:]
        if digest != _digest(key, data) or not data or len(data) % 4:
            return None
        return np.frombuffer(data, "<f4").astype(np.float32)


def _key(model_sha256: str, text: str) -> str:
    return f"{model_sha256}:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _digest(key: str, data: bytes) -> bytes:
    """Ties the vector to its key: a damaged or swapped row is a miss."""
    return hashlib.blake2b(data, digest_size=_DIGEST, key=hashlib.sha256(key.encode()).digest()).digest()
