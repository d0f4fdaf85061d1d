"""Messages that Outlook saved (MSG): properties in a compound file, by their MAPI numbers."""

import datetime
import struct
from collections.abc import Iterator

import olefile

from app.backend.documents.parsing import html
from app.backend.documents.parsing.attachments import write_attachment
from app.backend.documents.parsing.mail import write_headers
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage, Scanned
from app.backend.documents.parsing.source import Held, Source, depth_of, open_source
from app.errors import AppError, DamagedFileError

# Numbers of properties, as four hexadecimal digits (MS-OXPROPS).
_SUBJECT, _SENDER, _SENDER_ADDRESS, _TO, _CC = "0037", "0C1A", "5D01", "0E04", "0E03"
_BODY, _HTML, _SENT = "1000", "1013", 0x0039
_LONG_NAME, _SHORT_NAME, _DATA = "3707", "3704", "3701"
# Their types: text as UTF-16, text in a code page, bytes.
_UNICODE, _STRING, _BINARY = "001F", "001E", "0102"
_ATTACHMENT = "__attach_version1.0_#"
_EMBEDDED = f"__substg1.0_{_DATA}000D"
_PROPERTIES = "__properties_version1.0"
# Where the properties of a message begin in their stream, in bytes: of a file, of one inside it.
_PROPERTIES_AT, _PROPERTIES_INSIDE_AT = 32, 24
_ATTACHMENTS = 1_000
_EPOCH = datetime.datetime(1601, 1, 1, tzinfo=datetime.UTC)
_Place = tuple[str, ...]


def pages(source: Source) -> Iterator[ReadPage | Scanned]:
    """Read one message.

    Raises:
        DamagedFileError: it is no message of Outlook, or a broken one.
        OSError: it cannot be read.
    """
    manuscript = Manuscript()
    with open_source(source) as file:
        if not olefile.isOleFile(file):
            raise DamagedFileError("This is not a message of Outlook, although its name says so.")
        file.seek(0)
        try:
            with olefile.OleFileIO(file) as container:
                yield from _Message(container, ()).write(manuscript, depth_of(source))
        except (AppError, MemoryError, RecursionError):
            raise
        except Exception:
            # olefile lets through whatever a broken table of sectors leads to.
            raise DamagedFileError("The message is broken: its parts cannot be found.") from None
    yield from manuscript.turn()


class _Message:
    """A message at a place (storages from the outermost) of a compound file."""

    def __init__(self, container: olefile.OleFileIO, place: _Place) -> None:
        self._container = container
        self._place = place

    def write(self, manuscript: Manuscript, depth: int) -> Iterator[Scanned]:
        if not self._container.exists([*self._place, _PROPERTIES]):
            raise DamagedFileError("This is not a message of Outlook, although its name says so.")
        sender = self._text(_SENDER)
        address = self._text(_SENDER_ADDRESS)
        fields = {
            "From": f"{sender} <{address}>" if address and address != sender else sender,
            "To": self._text(_TO),
            "Cc": self._text(_CC),
            "Date": self._sent(),
        }
        write_headers(manuscript, self._text(_SUBJECT), fields)
        body = self._text(_BODY)
        markup = self._bytes(_HTML)
        if body.strip():
            for paragraph in body.replace("\r\n", "\n").split("\n\n"):
                manuscript.paragraph(paragraph)
        elif markup is not None:
            html.write(manuscript, html.decoded(markup, Held("", markup, depth)), deeper=1)
        yield from self._write_attachments(manuscript, depth)

    def _write_attachments(self, manuscript: Manuscript, depth: int) -> Iterator[Scanned]:
        here = len(self._place)
        folders = {
            tuple(path[: here + 1])
            for path in self._container.listdir()
            if tuple(path[:here]) == self._place and path[here].startswith(_ATTACHMENT)
        }
        for place in sorted(folders)[:_ATTACHMENTS]:
            attached = _Message(self._container, place)
            name = attached._text(_LONG_NAME) or attached._text(_SHORT_NAME) or "without a name"
            data = attached._bytes(_DATA)
            if data is not None:
                yield from write_attachment(manuscript, Held(name, data, depth + 1))
            elif self._container.exists([*place, _EMBEDDED, _PROPERTIES]) and depth < 2:
                yield from self._write_embedded(manuscript, (*place, _EMBEDDED), depth + 1)

    def _write_embedded(self, manuscript: Manuscript, place: _Place, depth: int) -> Iterator[Scanned]:
        """A message in the message is a part of the same file; it stands two levels down."""
        inside = Manuscript()
        yield from _Message(self._container, place).write(inside, depth)
        for page in inside.turn():
            manuscript.include(page, 2)

    def _text(self, number: str) -> str:
        data = self._stream(f"{number}{_UNICODE}")
        if data is not None:
            return data.decode("utf-16-le", "replace").rstrip("\x00")
        data = self._stream(f"{number}{_STRING}")
        # The code page is another property, and often wrong: where UTF-8 fits, it is that.
        if data is None:
            return ""
        try:
            return data.decode("utf-8").rstrip("\x00")
        except UnicodeDecodeError:
            return data.decode("cp1252", "replace").rstrip("\x00")

    def _bytes(self, number: str) -> bytes | None:
        return self._stream(f"{number}{_BINARY}")

    def _stream(self, name: str) -> bytes | None:
        path = [*self._place, f"__substg1.0_{name}"]
        if not self._container.exists(path):
            return None
        with self._container.openstream(path) as stream:
            return bytes(stream.read())

    def _sent(self) -> str:
        """When it was sent: a number of 100 ns since 1601, among the properties of fixed size."""
        with self._container.openstream([*self._place, _PROPERTIES]) as stream:
            data = stream.read()
        start = _PROPERTIES_INSIDE_AT if self._place else _PROPERTIES_AT
        for offset in range(start, len(data) - 15, 16):
            kind, number = struct.unpack_from("<HH", data, offset)
            if number == _SENT and kind == 0x0040:
                (ticks,) = struct.unpack_from("<Q", data, offset + 8)
                try:
                    return (_EPOCH + datetime.timedelta(microseconds=ticks // 10)).isoformat(" ", "minutes")
                except OverflowError:
                    return ""
        return ""
