"""What the parsing child says to the program, as JSON over a pipe.

Only these shapes are accepted from a child: it has read a file from anywhere, so nothing it
sends is ever unpickled.
"""

import msgspec

from app.records import Box


class Heading(msgspec.Struct, frozen=True):
    """A heading of a page: it begins at offset `start` of the page's text.

    `level` orders headings: a smaller one contains the larger ones after it.
    """

    start: int
    level: int
    title: str


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The file is open. `pages` is None where that is only known at the end."""

    pages: int | None


class Scanned(msgspec.Struct, frozen=True, tag="scanned"):
    """The next page has no text of its own and is read by OCR, which takes longer."""

    page: int


class ReadPage(msgspec.Struct, frozen=True, tag="page"):
    """One page (1-based) as text; headings by their offset.

    Slides, sheets, chapters, messages and long sections count as pages where a format has none.
    `by_ocr` says that the text was recognised in an image: it may have mistakes the page has not.
    """

    number: int
    text: str
    headings: tuple[Heading, ...] = ()
    by_ocr: bool = False


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """Every page was sent."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The file cannot be read (further): the code and sentence of a DocumentError."""

    code: str
    message: str


class Picture(msgspec.Struct, frozen=True, tag="picture"):
    """A page image follows as one message of `size` bytes (PNG)."""

    size: int


class Boxes(msgspec.Struct, frozen=True, tag="boxes"):
    """Where a span of a page's text stands on the page."""

    boxes: tuple[Box, ...]


class WantPicture(msgspec.Struct, frozen=True, tag="want_picture"):
    """Asks for page `page` (1-based) as an image `width` pixels wide."""

    page: int
    width: int


class WantBoxes(msgspec.Struct, frozen=True, tag="want_boxes"):
    """Asks for the boxes of text[start:end] of page `page` (1-based)."""

    page: int
    start: int
    end: int


FromChild = Opened | Scanned | ReadPage | Ended | Refused | Picture | Boxes
ToChild = WantPicture | WantBoxes

encode = msgspec.json.Encoder().encode
_from_child: msgspec.json.Decoder[FromChild] = msgspec.json.Decoder(FromChild)
_to_child: msgspec.json.Decoder[ToChild] = msgspec.json.Decoder(ToChild)
decode_from_child = _from_child.decode
decode_to_child = _to_child.decode
