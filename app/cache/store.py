"""One private folder with one diskcache in it, that mends itself.

What lies in a cache can be made again, so damage is never fatal: the cache is thrown away and
begun anew. The folder is the owner's alone (0700), its files too (0600).
"""

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import diskcache
from diskcache.core import DBNAME, DEFAULT_SETTINGS, METADATA

from app.cache.disk import RawDisk
from app.errors import StorageError

T = TypeVar("T")

_log = logging.getLogger(__name__)
_BUSY_SECONDS = 10.0
# Two clocks of one computer may differ by this much within one call.
_SLACK_SECONDS = 2.0
_FILES = (DBNAME, f"{DBNAME}-wal", f"{DBNAME}-shm", f"{DBNAME}-journal")
_PASSING = {
    "SQLITE_FULL",
    "SQLITE_IOERR",
    "SQLITE_READONLY",
    "SQLITE_CANTOPEN",
    "SQLITE_BUSY",
    "SQLITE_NOMEM",
}
# What diskcache raises over a file that is a database, but not one that it made.
_DAMAGE = (sqlite3.Error, AttributeError, KeyError, TypeError, ValueError)


class _Cache(diskcache.Cache):  # type: ignore[misc]  # diskcache has no types
    """diskcache, but the size is that of the values: the file of a full cache does not shrink."""

    def volume(self) -> int:
        return int(self.reset("size"))


class Store:
    """Bytes and texts by key, each for `lifetime` seconds. Thread-safe.

    An entry whose end lies in the past, or more than one lifetime ahead (the computer's clock was
    set back), counts as expired.
    """

    def __init__(
        self,
        folder: Path,
        *,
        lifetime: float,
        size_limit: int | None,
        durable: bool,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Open the cache in `folder`; a damaged one is begun anew.

        Args:
            size_limit: in bytes, of all values together; the oldest entries make room. None: no
                entry ever does.
            durable: whether a put waits for the disk.

        Raises:
            StorageError: the folder cannot be written.
        """
        self.lifetime = lifetime
        self._folder = folder
        self._clock = clock
        self._settings = dict(DEFAULT_SETTINGS) | {
            "eviction_policy": "none" if size_limit is None else "least-recently-stored",
            "size_limit": DEFAULT_SETTINGS["size_limit"] if size_limit is None else size_limit,
            "sqlite_auto_vacuum": 0,
            # Python's own SQLite may lack the fix of the WAL-reset bug, so no WAL; and no memory
            # map: a file that is cut short underneath would end the program.
            "sqlite_journal_mode": "truncate",
            "sqlite_mmap_size": 0,
            # diskcache writes each setting in a transaction of its own: no wait for the disk yet.
            "sqlite_synchronous": 0,
        }
        self._durable = durable
        self._mending = threading.Lock()
        self._cache = self._open()

    def get(self, key: str) -> bytes | str | None:
        """The value of `key`; None if there is none, or it is expired or not of our making."""
        value, expires_at = self._guarded(lambda cache: cache.get(key, expire_time=True))
        return value if self._alive(expires_at) else None

    def expiry(self, key: str) -> float | None:
        """When the entry of `key` ends, in seconds since the epoch; None if there is none."""
        _, expires_at = self._guarded(lambda cache: cache.get(key, expire_time=True))
        return float(expires_at) if self._alive(expires_at) else None

    def put(self, entries: Iterable[tuple[str, bytes | str]]) -> None:
        """Store all entries as one change, each with a fresh lifetime."""
        listed = list(entries)

        def work(cache: diskcache.Cache) -> None:
            with cache.transact():
                for key, value in listed:
                    cache.set(key, value, expire=self.lifetime)

        self._guarded(work)

    def renew(self, key: str) -> None:
        """Give the entry of `key`, if there is one, a fresh lifetime."""
        self._guarded(lambda cache: cache.touch(key, expire=self.lifetime))

    def remove(self, key: str) -> bool:
        """Remove the entry of `key`; return whether there was one."""
        return bool(self._guarded(lambda cache: cache.delete(key)))

    def clear(self) -> None:
        """Remove every entry, and the files they lay in: nothing of them stays on the disk.

        Raises:
            StorageError: the folder cannot be written.
        """
        with self._mending:
            self._cache.close()
            try:
                self._remove_files()
                self._cache = self._make()
            except OSError as error:
                raise StorageError(f"The cache cannot be cleared: {error.strerror or error}.") from error

    def close(self) -> None:
        """Close this thread's connection; those of other threads end with their threads."""
        self._cache.close()

    def _alive(self, expires_at: object) -> bool:
        if not isinstance(expires_at, float):
            return False
        return 0 < expires_at - self._clock() <= self.lifetime + _SLACK_SECONDS

    def _guarded(self, work: Callable[[diskcache.Cache], T]) -> T:
        """Run `work`; if the cache turns out to be damaged, once more on a new one."""
        cache = self._cache
        try:
            return work(cache)
        except diskcache.Timeout:
            raise StorageError("Another program holds the cache.") from None
        except _DAMAGE as error:
            if _passing(error):
                raise StorageError(f"The cache cannot be used: {error}.") from error
            with self._mending:
                # Another thread may have met the same damage first.
                if self._cache is cache:
                    self._begin_anew(error)
                    self._cache = self._make()
            return work(self._cache)

    def _open(self) -> diskcache.Cache:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._folder.chmod(0o700)
            try:
                self._look()
                return self._make()
            except _DAMAGE as error:
                if _passing(error):
                    raise StorageError(f"The cache cannot be used: {error}.") from error
                self._begin_anew(error)
                return self._make()
        except OSError as error:
            raise StorageError(f"The cache cannot be used: {error.strerror or error}.") from error

    def _make(self) -> diskcache.Cache:
        # SQLite gives its journal the mode of the database, so the database comes first.
        os.close(os.open(self._folder / DBNAME, os.O_CREAT | os.O_RDWR, 0o600))
        for name in _FILES:
            with contextlib.suppress(FileNotFoundError):
                (self._folder / name).chmod(0o600)
        cache = _Cache(str(self._folder), timeout=_BUSY_SECONDS, disk=RawDisk, **self._settings)
        if self._durable:
            cache.reset("sqlite_synchronous", 2)
        return cache

    def _look(self) -> None:
        """Refuse, with a ValueError, settings that diskcache would take over from the file.

        It makes each of them an attribute of the cache, and an SQL pragma of those that say so.
        """
        path = self._folder / DBNAME
        if not path.exists() or path.stat().st_size == 0:
            return
        connection = sqlite3.connect(path)
        try:
            finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
            names = {row[0] for row in connection.execute("SELECT key FROM Settings")}
        finally:
            connection.close()
        if finding != "ok":
            raise ValueError(finding)
        if foreign := names - DEFAULT_SETTINGS.keys() - METADATA.keys():
            raise ValueError(f"{len(foreign)} settings that are not diskcache's")

    def _begin_anew(self, error: Exception) -> None:
        _log.warning(
            "a cache was damaged and is begun anew", extra={"folder": self._folder.name, "why": str(error)}
        )
        self._remove_files()

    def _remove_files(self) -> None:
        for name in _FILES:
            (self._folder / name).unlink(missing_ok=True)


def _passing(error: Exception) -> bool:
    """Whether the error is the disk's or another program's, and says nothing about our file."""
    name = "_".join(str(getattr(error, "sqlite_errorname", "")).split("_")[:2])
    return name in _PASSING
