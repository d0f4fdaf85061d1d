"""What a parser reads from: a file on the disk, or one that was found inside another."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.errors import ParserLimitError

# The formats that are read as a whole hold the file in memory, and what is made of it, too.
LARGEST_IN_MEMORY = 200_000_000


@dataclass(frozen=True, slots=True)
class Held:
    """A file inside another, held in memory.

    `depth` counts the files around it: 1 for what is attached to a message.
    """

    name: str
    data: bytes
    depth: int


Source = Path | Held


def open_source(source: Source) -> BinaryIO:
    """Open it for reading; raises OSError."""
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source.data)


def read_source(source: Source, limit: int = LARGEST_IN_MEMORY) -> bytes:
    """All its bytes.

    Raises:
        ParserLimitError: more than `limit` bytes.
        OSError: it cannot be read.
    """
    with open_source(source) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ParserLimitError(f"A file of this kind is read up to {limit // 1_000_000} MB.")
    return data


def depth_of(source: Source) -> int:
    """How many files are around it."""
    return source.depth if isinstance(source, Held) else 0
