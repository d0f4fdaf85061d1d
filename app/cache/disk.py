"""What a cache's rows may hold: bytes and text, inside the row. Never a pickle, never a file.

diskcache's own Disk unpickles values and keys that it meets, so a changed row could run code
(CVE-2025-69872), and opens or removes any file that a row names. This one refuses such rows when
reading, and never writes them.
"""

import sqlite3
from typing import Any

import diskcache
from diskcache.core import MODE_RAW, UNKNOWN


class ForeignRowError(OSError):
    """A row that this program did not write. An OSError, which diskcache takes for a miss."""


class RawDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keys are text, values bytes or text, all of them kept in the row itself."""

    def put(self, key: Any) -> tuple[Any, bool]:
        """Turn a key into its column; raises TypeError unless it is text."""
        if type(key) is not str:
            raise TypeError(f"a key is text, not {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: Any) -> str:
        """Turn a key's column back; raises ForeignRowError for what `put` does not make."""
        if not raw or type(key) is not str:
            raise ForeignRowError("the row's key was not written by this program")
        return key

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> tuple[int, int, None, Any]:  # noqa: ARG002 - diskcache's signature
        """Turn a value into its columns; raises TypeError unless it is bytes or text."""
        if read or type(value) not in (bytes, str):
            raise TypeError(f"a value is bytes or text, not {type(value).__name__}")
        if type(value) is str:
            return len(value.encode()), MODE_RAW, None, value
        return len(value), MODE_RAW, None, sqlite3.Binary(value)

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> bytes | str:
        """Turn a value's columns back; raises ForeignRowError for what `store` does not make."""
        if mode != MODE_RAW or filename is not None or read or type(value) not in (bytes, str):
            raise ForeignRowError("the row's value was not written by this program")
        kept: bytes | str = value
        return kept

    def filename(self, key: Any = UNKNOWN, value: Any = UNKNOWN) -> tuple[str, str]:  # noqa: ARG002 - diskcache's signature
        """Refuse: no row has a file."""
        raise ForeignRowError("no value is kept in a file")

    def remove(self, file_path: str) -> None:
        """Remove nothing: a file that a row names is not ours."""
