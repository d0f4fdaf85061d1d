"""Files as they come in: looked at, hashed, and (uploads) kept under their content hash."""

import errno
import hashlib
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from app.backend.documents import media_types
from app.database.places import Stamp
from app.errors import (
    FileMissingError,
    FileUnreadableError,
    StorageError,
    TooLargeError,
    UnsupportedTypeError,
)

LARGEST_FILE = 2 << 30
_PIECE = 1 << 20
_OWNER_ONLY = 0o600
_INCOMING = ".incoming-"


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look at a file told: size in bytes, SHA-256 of its bytes in hex, media type.

    `stamp` is None where there is none, or the file was written to while it was read.
    """

    size: int
    content_hash: str
    media_type: str
    stamp: Stamp | None = None


def look(path: Path) -> Looked:
    """Read a file once.

    Raises:
        FileMissingError, FileUnreadableError, UnsupportedTypeError, TooLargeError: it cannot be taken in.
    """
    try:
        found = path.stat()
        # Before opening: a pipe or device could hold us for ever.
        if not stat.S_ISREG(found.st_mode):
            raise UnsupportedTypeError("This is not a file.")
        if found.st_size > LARGEST_FILE:
            raise TooLargeError(f"The file is larger than {LARGEST_FILE >> 30} GB.")
        with path.open("rb") as file:
            head = file.read(media_types.HEAD_BYTES)
            kind = media_types.media_type(path.name, head)
            digest = hashlib.sha256(head)
            size = len(head)
            while piece := file.read(_PIECE):
                digest.update(piece)
                size += len(piece)
            stamp = Stamp.of(os.fstat(file.fileno()))
    except (OSError, ValueError) as error:
        raise refusal(error) from None
    return Looked(size, digest.hexdigest(), kind, stamp if stamp == Stamp.of(found) else None)


def refusal(error: OSError | ValueError) -> FileMissingError | FileUnreadableError:
    """What the system's refusal of a path means for the user."""
    if isinstance(error, ValueError) or error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG):
        return FileMissingError("There is no such file (any more).")
    if error.errno in (errno.EACCES, errno.EPERM):
        return FileUnreadableError("You are not allowed to read this file.")
    return FileUnreadableError(f"The file cannot be read: {error.strerror or error}.")


def check_unchanged(path: Path, size: int, content_hash: str) -> None:
    """Make sure that a file is still the one that was added.

    Raises:
        FileMissingError: it is gone, or another file is in its place.
        FileUnreadableError: it cannot be read any more.
    """
    try:
        same = path.stat().st_size == size
        if same:
            with path.open("rb") as file:
                same = hashlib.file_digest(file, "sha256").hexdigest() == content_hash
    except (OSError, ValueError) as error:
        raise refusal(error) from None
    if not same:
        raise FileMissingError("The file has changed since it was added; add it again.")


class Incoming:
    """An upload on its way into the folder of uploads; a context manager that leaves no traces.

    Nothing of it stays unless `keep` was called.
    """

    def __init__(self, uploads: Path, name: str, limit: int) -> None:
        """`limit` in bytes."""
        self._uploads = uploads
        self._name = name
        self._limit = limit
        self._path = uploads / f"{_INCOMING}{secrets.token_hex(8)}"
        self._digest = hashlib.sha256()
        self._head = b""
        self._size = 0
        try:
            descriptor = os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, _OWNER_ONLY)
        except OSError as error:
            raise _no_room(error) from None
        self._file = os.fdopen(descriptor, "wb")

    def write(self, piece: bytes) -> None:
        """Take in the next bytes.

        Raises:
            TooLargeError: more than the limit came.
            StorageError: the disk is full or refuses.
        """
        self._size += len(piece)
        if self._size > self._limit:
            raise TooLargeError(f"The file is larger than {_readable(self._limit)}.")
        self._digest.update(piece)
        if len(self._head) < media_types.HEAD_BYTES:
            self._head += piece[: media_types.HEAD_BYTES - len(self._head)]
        try:
            self._file.write(piece)
        except OSError as error:
            raise _no_room(error) from None

    def finish(self) -> Looked:
        """All bytes came: what they are.

        Raises:
            UnsupportedTypeError: it cannot be taken in.
            StorageError: the disk is full or refuses.
        """
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        except OSError as error:
            raise _no_room(error) from None
        kind = media_types.media_type(self._name, self._head)
        return Looked(self._size, self._digest.hexdigest(), kind)

    def keep(self, content_hash: str) -> Path:
        """Move it to its place, named by its content; the place is returned."""
        place = self._uploads / content_hash
        try:
            self._path.replace(place)
        except OSError as error:
            raise _no_room(error) from None
        return place

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._file.close()
        except OSError:
            pass  # a buffer that did not fit on the disk; the file goes anyway
        finally:
            self._path.unlink(missing_ok=True)


def sweep(uploads: Path, needed: set[str]) -> int:
    """Remove uploads that were cut short and those whose document is gone; returns how many.

    Args:
        needed: content hashes of the uploads that documents refer to.
    """
    removed = 0
    for path in sorted(uploads.iterdir()):
        orphan = len(path.name) == 64 and path.name not in needed
        if path.is_file() and (path.name.startswith(_INCOMING) or orphan):
            path.unlink()
            removed += 1
    return removed


def _no_room(error: OSError) -> StorageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageError("The disk is full: the upload was not kept.")
    return StorageError(f"The upload could not be kept: {error.strerror or error}.")


def _readable(size: int) -> str:
    return f"{size >> 20} MB" if size >= 1 << 20 else f"{size:,} bytes"
