"""PDF text by page, with paragraphs and headings seen from where the lines stand.

The stored text is built character by character from PDFium's list, so that any span of it maps
back to characters on the page (`render.boxes`). What differs from PDFium's own text: line ends
are "\\n", a hyphen at a line's end is taken out with its line end, ligatures are spelt out,
control characters go, and a blank line marks a paragraph.
"""

import ctypes
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from app.backend.documents.parsing.messages import Heading, Opened, ReadPage
from app.backend.documents.parsing.source import Source, open_source
from app.errors import DamagedFileError, EncryptedFileError

INSERTED = -1
_LIGATURES = {
    0xFB00: "ff",
    0xFB01: "fi",
    0xFB02: "fl",
    0xFB03: "ffi",
    0xFB04: "ffl",
    0xFB05: "st",
    0xFB06: "st",
}
_NEW_LINE = "\n"
# PDFium marks a hyphen that only divides a word at a line's end with U+0002.
_CONTROLS = frozenset(range(0x20)) - {0x09} | frozenset(range(0x7F, 0xA0))
_DROPPED = _CONTROLS | {0x00AD, 0xFFFE, 0xFFFF}
_LONGEST_HEADING = 120
# Distances between lines, in usual distances of the page; sizes, in sizes of its body.
_PARAGRAPH_GAP = 1.35
_GAP_AT_HEADING = 1.15
_LARGER = 1.12


def open_pdf(source: Source) -> pdfium.PdfDocument:
    """Open a file whose content may be anything.

    Raises:
        EncryptedFileError: it needs a password, or a way of encryption PDFium does not know.
        DamagedFileError: it is no PDF, or too broken to find its pages.
        OSError: it cannot be read.
    """
    with open_source(source) as file:
        is_pdf = b"%PDF-" in file.read(1024)
    if not is_pdf:
        raise DamagedFileError("This is not a PDF, although its name says so.")
    try:
        document = pdfium.PdfDocument(source if isinstance(source, Path) else source.data)
        count = len(document)
    except pdfium.PdfiumError as error:
        if error.err_code in (pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY):
            raise EncryptedFileError from None
        raise DamagedFileError("The PDF is broken: its pages cannot be found.") from None
    if count == 0:
        raise DamagedFileError("The PDF is broken: it has no pages.")
    return document


def pages(source: Source) -> Iterator[Opened | ReadPage]:
    """Say how many pages there are, then read them one by one.

    A page that cannot be read is an empty one, unless no page can.

    Raises:
        EncryptedFileError, DamagedFileError, OSError: as `open_pdf`.
    """
    with closing(open_pdf(source)) as document:
        count = len(document)
        yield Opened(count)
        layout = Layout()
        broken = 0
        for number in range(1, count + 1):
            try:
                with closing(document[number - 1]) as page, closing(page.get_textpage()) as characters:
                    text, _, headings = page_text(page, characters, layout)
            except pdfium.PdfiumError:
                broken += 1
                text, headings = "", ()
            yield ReadPage(number, text, headings)
        if broken == count:
            raise DamagedFileError("The PDF is broken: none of its pages can be read.")


class Layout:
    """What the pages read so far tell about the next one. Only headings depend on it."""

    def __init__(self) -> None:
        self._characters: Counter[tuple[float, bool]] = Counter()
        self._heads: dict[str, tuple[float, int]] = {}
        self._page = 0

    def turn(self, lines: Sequence["_Line"]) -> tuple[float, bool]:
        """Go on to a page; returns the size of the text's body so far, and whether it is bold."""
        self._page += 1
        for line in lines:
            self._characters[line.size, line.bold] += len(line.text)
        return self._characters.most_common(1)[0][0] if self._characters else (0.0, False)

    def is_running_head(self, line: "_Line") -> bool:
        """Whether a page or two ago the same line stood at the same place, but for a page number.

        A single word with a number ("Chapter 2") differs from "Chapter 1".
        """
        words = [word for word in line.text.split() if any(map(str.isalpha, word))]
        key = " ".join(words) if len(words) > 1 else line.text.strip()
        y, page = self._heads.get(key, (0.0, -9))
        self._heads[key] = (line.y, self._page)
        return self._page - page <= 2 and abs(line.y - y) < 3


def page_text(
    page: pdfium.PdfPage, characters: pdfium.PdfTextPage, layout: Layout | None = None
) -> tuple[str, list[int], tuple[Heading, ...]]:
    """The stored text of a page; for each of its characters PDFium's index; and its headings.

    Args:
        layout: of the pages before; this one is added.

    Returns:
        Text and indices have the same length. INSERTED stands for a character that is not on
        the page.
    """
    lines = _lines(characters)
    upright = page.get_rotation() in (0, 180)
    leading = _leading(lines) if upright else 0.0
    layout = layout or Layout()
    body, bold_body = layout.turn(lines)

    pieces: list[str] = []
    indices: list[int] = []
    headings: list[Heading] = []
    length = 0
    for position, line in enumerate(lines):
        above = lines[position - 1] if position else None
        below = lines[position + 1] if position + 1 < len(lines) else None
        apart = above is None or (upright and _apart(above, line, leading))
        if above is not None:
            end = _NEW_LINE * 2 if apart else _NEW_LINE
            pieces.append(end)
            indices.append(above.end)
            indices.extend([INSERTED] * (len(end) - 1))
            length += len(end)
        marked = line.bold and not bold_body and (below is None or (upright and _apart(line, below, leading)))
        if apart and _is_heading(line, body, marked) and not layout.is_running_head(line):
            headings.append(Heading(length, _level(line.size, body), " ".join(line.text.split())))
        pieces.append(line.text)
        indices.extend(line.indices)
        length += len(line.text)
    return "".join(pieces), indices, tuple(headings)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line as PDFium orders them; points, y upwards.

    `end` is the index of the line end after it. `y` and `size` are those of its first letter,
    `last_y` of its last (a word divided at a line's end makes one line of two).
    """

    text: str
    indices: list[int]
    end: int
    y: float
    last_y: float
    size: float
    bold: bool


def _lines(characters: pdfium.PdfTextPage) -> list[_Line]:
    lines: list[_Line] = []
    text: list[str] = []
    indices: list[int] = []
    count = characters.count_chars()
    raw = characters.raw
    code_at = pdfium_c.FPDFText_GetUnicode
    high = 0
    for index in range(count + 1):
        code = code_at(raw, index) if index < count else 0x0A
        if code in (0x0A, 0x0D):
            if any(not piece.isspace() for piece in text):
                lines.append(_line(characters, "".join(text), indices, index))
            text, indices = [], []
            continue
        if code in _DROPPED:
            continue
        if 0xD800 <= code < 0xDC00:
            high = code  # the first half of a character, where wchar_t has 16 bits
            continue
        if 0xDC00 <= code < 0xE000 or code > 0x10FFFF:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
            high = 0
        piece = _LIGATURES.get(code) or chr(code)
        text.append(piece)
        indices.extend([index] * len(piece))
    return lines


def _line(characters: pdfium.PdfTextPage, text: str, indices: list[int], end: int) -> _Line:
    raw = characters.raw
    inked = [index for index, character in zip(indices, text, strict=True) if not character.isspace()]
    first, last = inked[0], inked[-1]
    x, y, last_y = ctypes.c_double(), ctypes.c_double(), ctypes.c_double()
    pdfium_c.FPDFText_GetCharOrigin(raw, first, x, y)
    pdfium_c.FPDFText_GetCharOrigin(raw, last, x, last_y)
    size = round(float(pdfium_c.FPDFText_GetFontSize(raw, first)), 1)
    bold = _bold(characters, first) and _bold(characters, last)
    return _Line(text, indices, end, y.value, last_y.value, size, bold)


def _bold(characters: pdfium.PdfTextPage, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    if not pdfium_c.FPDFText_GetFontInfo(characters.raw, index, name, len(name), flags):
        return False
    style = name.value.decode("utf-8", "replace").rpartition("+")[2].lower()
    return "bold" in style or "black" in style or "heavy" in style or style.startswith(("cmbx", "sfbx"))


def _leading(lines: list[_Line]) -> float:
    """The usual distance between two lines of a paragraph, in points; 0 if nothing shows it."""
    steps: Counter[float] = Counter()
    for above, line in pairwise(lines):
        step = above.last_y - line.y
        if above.size == line.size and 0.8 * line.size < step < 3 * line.size:
            steps[round(step * 2) / 2] += 1
    if not steps:
        return 0.0
    # On a page of short paragraphs the gap between them is the commonest step: of those that are
    # about as common, the smallest is the one within a paragraph.
    common = steps.most_common(1)[0][1] / 2
    return min(step for step, count in steps.items() if count >= common)


def _apart(above: _Line, line: _Line, leading: float) -> bool:
    """Whether a paragraph ends between the two lines."""
    step = above.last_y - line.y
    if abs(step) < 0.9 * max(above.size, line.size):
        return False  # on one line, or an index or exponent beside it
    differs = not 1 / _LARGER < line.size / max(above.size, 0.1) < _LARGER
    if step < 0:
        return differs  # up to the next column: the paragraph may go on there
    gap = _GAP_AT_HEADING if above.bold != line.bold else _PARAGRAPH_GAP
    return differs or (leading > 0 and step > gap * leading)


def _is_heading(line: _Line, body: float, marked: bool) -> bool:
    text = line.text.strip()
    if not 2 <= len(text) <= _LONGEST_HEADING or sum(map(str.isalpha, text)) < 0.4 * len(text):
        return False
    if text.endswith((",", ";")) or (text.endswith(".") and len(text.split()) > 8):
        return False
    if line.size >= _LARGER * body:
        return True
    return marked and line.size >= 0.98 * body


def _level(size: float, body: float) -> int:
    """1 to 6: the larger the letters, the higher the heading."""
    ratio = size / max(body, 0.1)
    for level, least in enumerate((1.9, 1.5, 1.25, _LARGER, 1.03), start=1):
        if ratio >= least:
            return level
    return 6
