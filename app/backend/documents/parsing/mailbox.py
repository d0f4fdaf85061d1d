"""Boxes of messages (MBOX), message by message."""

from collections.abc import Iterator

from app.backend.documents.parsing.mail import parsed, write_message
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage, Scanned
from app.backend.documents.parsing.source import Source, depth_of, open_source
from app.errors import ParserLimitError

_MESSAGES = 100_000
_LARGEST_MESSAGE = 200_000_000


def pages(source: Source) -> Iterator[ReadPage | Scanned]:
    """Read a box message by message; each begins a page.

    Raises:
        ParserLimitError: it holds more than 100,000 messages, or one too large for memory.
        OSError: it cannot be read.
    """
    manuscript = Manuscript()
    for number, data in enumerate(_messages(source)):
        if number >= _MESSAGES:
            raise ParserLimitError(f"The mailbox holds more than {_MESSAGES:,} messages.")
        yield from write_message(manuscript, parsed(data), depth_of(source))
        yield from manuscript.turn()


def _messages(source: Source) -> Iterator[bytes]:
    """The messages of a box: each begins with a line "From " that follows a blank one."""
    lines: list[bytes] = []
    length = 0
    blank = True
    with open_source(source) as file:
        for line in file:
            if blank and line.startswith(b"From "):
                if lines:
                    yield b"".join(lines)
                lines, length = [], 0
            else:
                lines.append(line[1:] if line.startswith(b">From ") else line)
                length += len(line)
                if length > _LARGEST_MESSAGE:
                    raise ParserLimitError("A message of the mailbox is larger than Carrel reads.")
            blank = not line.strip(b"\r\n")
    if b"".join(lines).strip():
        yield b"".join(lines)
