"""ZIP archives that documents come in, opened within limits: nothing is unpacked to the disk."""

import errno
import lzma
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import BinaryIO

from app.backend.documents.parsing.source import Source, open_source
from app.errors import DamagedFileError, EncryptedFileError, ParserLimitError

MEMBERS = 10_000
RATIO = 100
UNPACKED_BYTES = 600_000_000
# A small archive may well repeat itself: below this much there is no ratio to speak of.
_RATIO_FROM_BYTES = 4_000_000
_OLE = b"\xd0\xcf\x11\xe0"
_ENCRYPTED = 0x1
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ValueError,
    NotImplementedError,
    OverflowError,
)
# What the system says to a list of members that points in front of the file's beginning.
_NO_SUCH_PLACE = (None, errno.EINVAL)


class Archive:
    """An open archive; `open_archive` makes it. Reads whole members by their names."""

    def __init__(self, unzipped: zipfile.ZipFile) -> None:
        self._unzipped = unzipped
        self._names = frozenset(unzipped.namelist())

    @property
    def names(self) -> frozenset[str]:
        """The names of all members."""
        return self._names

    def read(self, name: str) -> bytes:
        """A member's bytes, never more than the archive declares.

        Raises:
            DamagedFileError: there is no such member, or it is broken.
        """
        try:
            return self._unzipped.read(name)
        except KeyError:
            raise DamagedFileError(f"The file is incomplete: it has no part called {name}.") from None
        except OSError as error:
            if error.errno not in _NO_SUCH_PLACE:
                raise
            raise DamagedFileError(f"The file is broken: its part {name} cannot be found.") from None
        except _BROKEN:
            raise DamagedFileError(f"The file is broken: its part {name} cannot be unpacked.") from None

    def get(self, name: str) -> bytes | None:
        """A member's bytes, or None if it is not there; raises DamagedFileError if it is broken."""
        return self.read(name) if name in self._names else None


@contextmanager
def open_archive(source: Source) -> Iterator[Archive]:
    """Open an archive of which nothing is believed.

    Raises:
        DamagedFileError: it is no ZIP archive, or its list of members is broken.
        EncryptedFileError: a member needs a password, or the whole document does.
        ParserLimitError: more than 10,000 members, or far more to unpack than is there.
        OSError: it cannot be read.
    """
    with open_source(source) as file:
        check_archive(file)
        file.seek(0)
        with zipfile.ZipFile(file) as unzipped:
            yield Archive(unzipped)


def check_archive(file: BinaryIO) -> None:
    """Look through the list of members; raises as `open_archive`."""
    if file.read(4) == _OLE:
        # Office puts a document with a password into a container of the old format.
        raise EncryptedFileError
    size = file.seek(0, 2)
    try:
        with zipfile.ZipFile(file) as unzipped:
            members = unzipped.infolist()
    except OSError as error:
        if error.errno not in _NO_SUCH_PLACE:
            raise
        raise DamagedFileError("The file is broken: its list of parts cannot be found.") from None
    except _BROKEN:
        raise DamagedFileError("The file is broken: it is no complete document of its kind.") from None
    if len(members) > MEMBERS:
        raise ParserLimitError(f"The file has more than {MEMBERS:,} parts.")
    if any(member.flag_bits & _ENCRYPTED for member in members):
        raise EncryptedFileError
    unpacked = sum(member.file_size for member in members)
    if unpacked > UNPACKED_BYTES or (unpacked > _RATIO_FROM_BYTES and unpacked > RATIO * size):
        raise ParserLimitError(
            f"The file would unpack to {unpacked // 1_000_000:,} MB; it is not read, to be safe."
        )


def resolved(base: str, target: str) -> str:
    """The name of the member that `target` means in a part called `base`.

    What leads out of the archive, or to a web address, is a name that no member has.
    """
    if target.startswith("/"):
        return target[1:]
    parts = list(PurePosixPath(base).parent.parts)
    for part in target.split("/"):
        if part == "..":
            if not parts:
                return ""
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)
