"""Sessions: a bearer token that lives 24 hours after its last use.

Only the SHA-256 of a token is stored: who reads the file holds no token. A session is never
evicted to make room.
"""

import hashlib
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from app.cache.store import Store
from app.records import Session

_TOKEN_BYTES = 32
# A use renews the session, but not more often than this: each renewal waits for the disk.
_RENEWAL_SECONDS = 60.0


class Sessions:
    """The sessions of one profile. Thread-safe."""

    def __init__(
        self, folder: Path, lifetime: float = 24 * 3600.0, *, clock: Callable[[], float] = time.time
    ) -> None:
        """Open the sessions in `folder`; `lifetime` in seconds. If damaged, they all end.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._clock = clock
        self._store = Store(folder, lifetime=lifetime, size_limit=None, durable=True, clock=clock)

    def create(self, user_id: str) -> Session:
        """Open a session; its token is shown here and never again.

        Raises:
            StorageError: it cannot be stored.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._store.put([(_key(token), user_id)])
        return Session(token, user_id, self._clock() + self._store.lifetime)

    def user(self, token: str) -> str | None:
        """The user of a token, and renew it; None if it is unknown or has ended.

        Raises:
            StorageError: the sessions cannot be read.
        """
        key = _key(token)
        found = self._store.get(key)
        if not isinstance(found, str):
            return None
        expires_at = self._store.expiry(key)
        if expires_at is not None and expires_at - self._clock() < self._store.lifetime - _RENEWAL_SECONDS:
            self._store.renew(key)
        return found

    def end(self, token: str) -> bool:
        """End a session now; return whether there was one."""
        return self._store.remove(_key(token))

    def close(self) -> None:
        self._store.close()


def _key(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
