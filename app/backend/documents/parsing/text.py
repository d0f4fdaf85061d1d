"""Plain text in any encoding, cut into logical pages.

A text file has no pages; one that is short is one logical page, a long one is cut at paragraph
borders so that no page is larger than a reader can show.
"""

import codecs
import io
import unicodedata
from collections.abc import Iterable, Iterator

import charset_normalizer

from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import LARGEST_IN_MEMORY, Source, open_source
from app.errors import ParserLimitError

PAGE_CHARACTERS = 50_000
LIGATURES = {
    0xFB00: "ff",
    0xFB01: "fi",
    0xFB02: "fl",
    0xFB03: "ffi",
    0xFB04: "ffl",
    0xFB05: "st",
    0xFB06: "st",
}
_PIECE = 1 << 16
_SAMPLE_BYTES = 1 << 17
# The longest BOM first: UTF-32 LE begins with the one of UTF-16 LE.
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the file page by page; line ends become "\\n", characters no text can hold go, `normal`.

    Raises:
        OSError: the file cannot be read.
    """
    for number, text in enumerate(cut(_pieces(source)), start=1):
        yield ReadPage(number, normal(text))


def normal(written: str) -> str:
    """The text as it is searched: letters and accents as one character, ligatures spelt out."""
    if written.isascii():
        return written
    return unicodedata.normalize("NFC", written).translate(LIGATURES)


def encoding_of(source: Source) -> str:
    """The name of the codec that reads this file: by its BOM, else UTF-8, else by likelihood."""
    with open_source(source) as file:
        start = file.read(_PIECE)
    for bom, name in _BOMS:
        if start.startswith(bom):
            return name
    if start.count(0) > 0.3 * len(start):
        return "utf-16-be" if start[0::2].count(0) > start[1::2].count(0) else "utf-16-le"
    fault = _first_fault(source)
    if fault is None:
        return "utf-8"
    with open_source(source) as file:
        file.seek(max(0, fault - _SAMPLE_BYTES // 2))
        sample = file.read(_SAMPLE_BYTES)
    if _mostly_utf8(sample):
        return "utf-8"
    best = charset_normalizer.from_bytes(sample).best()
    return best.encoding if best is not None else "cp1252"


def _first_fault(source: Source) -> int | None:
    """The offset in bytes of about the first place that is not UTF-8, or None."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    done = 0
    with open_source(source) as file:
        while piece := file.read(_PIECE):
            try:
                decoder.decode(piece)
            except UnicodeDecodeError as error:
                return done + error.start
            done += len(piece)
        try:
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return done
    return None


def _mostly_utf8(sample: bytes) -> bool:
    """Whether broken bytes are the exception among characters that only UTF-8 writes so."""
    text = sample.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    beyond_ascii = sum(character > "\x7f" for character in text) - broken
    return beyond_ascii > 10 * broken


def _pieces(source: Source) -> Iterator[str]:
    # newline=None: "\r\n" and "\r" arrive as "\n", also across the borders of pieces.
    with io.TextIOWrapper(
        open_source(source), encoding=encoding_of(source), errors="replace", newline=None
    ) as file:
        while piece := file.read(_PIECE):
            yield piece.replace("\x00", "")


def whole(source: Source) -> str:
    """The text of a file of a kind that is read as a whole; as `pages`, and raises as `read_source`."""
    with open_source(source) as file:
        size = file.seek(0, io.SEEK_END)
    if size > LARGEST_IN_MEMORY:
        raise ParserLimitError(f"A file of this kind is read up to {LARGEST_IN_MEMORY // 1_000_000} MB.")
    return "".join(_pieces(source))


def cut(pieces: Iterable[str]) -> Iterator[str]:
    """The same text in pages, each ending at a border where there is one; blank ends are left out."""
    rest = ""
    for piece in pieces:
        rest += piece
        while len(rest) > PAGE_CHARACTERS:
            border = _border(rest)
            yield rest[:border]
            rest = rest[border:]
    if rest.strip():
        yield rest


def _border(text: str) -> int:
    """Where to end the page: after a paragraph, else a line, else a word of its second half."""
    for mark in ("\n\n", "\n", " "):
        found = text.rfind(mark, PAGE_CHARACTERS // 2, PAGE_CHARACTERS)
        if found >= 0:
            return found + len(mark)
    return PAGE_CHARACTERS
