"""The lines of a PDF page in reading order, each character with its index in PDFium's list.

What differs from PDFium's own text: a hyphen at a line's end is taken out with its line end,
ligatures are spelt out, letters and their accents are one character, control characters go, and
columns whose lines lie beside each other in the file are read one after the other.
"""

import ctypes
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import pairwise

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from app.backend.documents.parsing.reading_order import Piece, columns
from app.backend.documents.parsing.text import LIGATURES

INSERTED = -1
# PDFium marks a hyphen that only divides a word at a line's end with U+0002.
_DIVIDED = 0x02
_CONTROLS = frozenset(range(0x20)) - {0x09} | frozenset(range(0x7F, 0xA0))
_DROPPED = _CONTROLS | {0x00AD, 0xFFFE, 0xFFFF}
# A blank this wide, in sizes of the letters, may be the one between two columns.
_GAP = 0.9
_KEPT_PAGES = 8


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is read; points, y upwards.

    `end` is the index of the line end after it. `left`, `y` and `size` are those of its first
    letter, `right` and `last_y` of its last (a word divided at a line's end makes one line of two).
    `divided` says that a word goes on in the next line.
    """

    text: str
    indices: list[int]
    end: int
    left: float
    right: float
    y: float
    last_y: float
    size: float
    bold: bool
    divided: bool = False


@dataclass(frozen=True, slots=True)
class PageLines:
    """The lines of one page; `bottom` and `top` are its edges in points, `upright` how it is shown."""

    lines: Sequence[Line]
    upright: bool
    bottom: float
    top: float


class DocumentLines:
    """Lines by page, those of the pages asked for last kept: neighbours are compared with each other."""

    def __init__(self, document: pdfium.PdfDocument) -> None:
        self._document = document
        self._kept: OrderedDict[int, PageLines] = OrderedDict()

    def __len__(self) -> int:
        return len(self._document)

    def page(self, number: int) -> PageLines:
        """The lines of page `number` (1-based); raises PdfiumError where it cannot be read."""
        found = self._kept.get(number)
        if found is None:
            with closing(self._document[number - 1]) as page, closing(page.get_textpage()) as characters:
                _, bottom, _, top = page.get_bbox()
                found = PageLines(
                    lines_of(characters), page.get_rotation() in (0, 180), float(bottom), float(top)
                )
            self._kept[number] = found
            while len(self._kept) > _KEPT_PAGES:
                self._kept.popitem(last=False)
        return found


def lines_of(characters: pdfium.PdfTextPage) -> list[Line]:
    """The lines of a page as a person reads them."""
    written = list(_written(characters))
    lines = [line for line in (_line(characters, one, 0, len(one.text)) for one in written) if line]
    parts = [part for place, one in enumerate(written) for part in _parts(characters, one, place)]
    groups = columns([part.piece for part in parts])
    if groups is None:
        return lines
    ordered = [
        line for group in groups for line in _rejoined(characters, written, [parts[at] for at in group])
    ]
    return _undivided(ordered)


@dataclass(frozen=True, slots=True)
class _Written:
    """What PDFium takes for a line; `divisions` are places in it where a word was divided."""

    text: str
    indices: list[int]
    end: int
    divisions: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Part:
    """text[start:end] of the line at `place` in PDFium's order, without a wide gap in it."""

    place: int
    start: int
    end: int
    piece: Piece


def _written(characters: pdfium.PdfTextPage) -> Iterator[_Written]:
    text: list[str] = []
    indices: list[int] = []
    divisions: set[int] = set()
    count = characters.count_chars()
    raw = characters.raw
    code_at = pdfium_c.FPDFText_GetUnicode
    high = 0
    for index in range(count + 1):
        code = code_at(raw, index) if index < count else 0x0A
        if code in (0x0A, 0x0D):
            if any(not piece.isspace() for piece in text):
                yield _composed("".join(text), indices, index, divisions)
            text, indices, divisions = [], [], set()
            continue
        if code == _DIVIDED:
            divisions.add(len(indices))
        if code in _DROPPED:
            continue
        if 0xD800 <= code < 0xDC00:
            high = code  # the first half of a character, where wchar_t has 16 bits
            continue
        if 0xDC00 <= code < 0xE000 or code > 0x10FFFF:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0xFFFD
            high = 0
        piece = LIGATURES.get(code) or chr(code)
        text.append(piece)
        indices.extend([index] * len(piece))


def _composed(text: str, indices: list[int], end: int, divisions: set[int]) -> _Written:
    """Letters with their accents as one character each, at the index of the letter."""
    if unicodedata.is_normalized("NFC", text):
        return _Written(text, indices, end, frozenset(divisions))
    letters: list[str] = []
    kept: list[int] = []
    moved: set[int] = set()
    for place, letter in enumerate(text):
        if place in divisions:
            moved.add(len(letters))
        if letters and unicodedata.combining(letter):
            whole = unicodedata.normalize("NFC", letters[-1] + letter)
            if len(whole) == 1:
                letters[-1] = whole
                continue
        letters.append(letter)
        kept.append(indices[place])
    return _Written("".join(letters), kept, end, frozenset(moved))


def _line(characters: pdfium.PdfTextPage, one: _Written, start: int, end: int) -> Line | None:
    """one.text[start:end] with where it stands; None if it is blank."""
    inked = [place for place in range(start, end) if not one.text[place].isspace()]
    if not inked:
        return None
    raw = characters.raw
    first, last = one.indices[inked[0]], one.indices[inked[-1]]
    left, y, x, last_y = (ctypes.c_double() for _ in range(4))
    pdfium_c.FPDFText_GetCharOrigin(raw, first, left, y)
    pdfium_c.FPDFText_GetCharOrigin(raw, last, x, last_y)
    size = round(float(pdfium_c.FPDFText_GetFontSize(raw, first)), 1)
    bold = _bold(characters, first) and _bold(characters, last)
    whole = end == len(one.text)
    after = one.end if whole else one.indices[end] if one.text[end].isspace() else INSERTED
    right = _edges(raw, last)[1]
    return Line(
        one.text[start:end],
        one.indices[start:end],
        after,
        left.value,
        right,
        y.value,
        last_y.value,
        size,
        bold,
    )


def _parts(characters: pdfium.PdfTextPage, one: _Written, place: int) -> Iterator[_Part]:
    """The parts of a line between wide gaps, and between the halves of divided words."""
    raw = characters.raw
    borders = [(0, 0)]
    gap_start = None
    size = float(pdfium_c.FPDFText_GetFontSize(raw, one.indices[0])) or 1.0
    for at, letter in enumerate(one.text):
        if at in one.divisions and at:
            borders.append((at, at))
        if letter.isspace():
            gap_start = at if gap_start is None else gap_start
            continue
        if gap_start:
            before, after = one.indices[gap_start - 1], one.indices[at]
            if _edges(raw, after)[0] - _edges(raw, before)[1] > _GAP * size:
                borders.append((gap_start, at))
        gap_start = None
    borders.append((len(one.text), len(one.text)))
    for (_, start), (end, _) in pairwise(borders):
        line = _line(characters, one, start, end)
        if line is not None:
            words = len(line.text.strip())
            yield _Part(place, start, end, Piece(line.left, line.right, -line.y, line.size, words))


def _rejoined(
    characters: pdfium.PdfTextPage, written: Sequence[_Written], parts: Sequence[_Part]
) -> Iterator[Line]:
    """The lines of one column: parts that follow each other in one line of PDFium's are one again."""
    joined: list[_Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if last and last.place == part.place and not written[part.place].text[last.end : part.start].strip():
            joined[-1] = replace(last, end=part.end)
        else:
            joined.append(part)
    for part in joined:
        one = written[part.place]
        line = _line(characters, one, part.start, part.end)
        if line is not None:
            yield replace(line, divided=part.end in one.divisions)


def _undivided(lines: Sequence[Line]) -> list[Line]:
    """Words that were divided at the end of a column's line made whole, as PDFium does elsewhere."""
    whole: list[Line] = []
    for line in lines:
        last = whole[-1] if whole else None
        hyphen = last is not None and last.text.endswith("-") and last.text[-2:-1].isalpha()
        if last is None or not (last.divided or (hyphen and line.text[:1].islower())):
            whole.append(line)
            continue
        kept = len(last.text) - hyphen
        whole[-1] = replace(
            line,
            text=last.text[:kept] + line.text,
            indices=last.indices[:kept] + line.indices,
            left=last.left,
            y=last.y,
            size=last.size,
            bold=last.bold and line.bold,
        )
    return whole


def _edges(raw: object, index: int) -> tuple[float, float]:
    """The left and right edge of a character, in points."""
    left, right, bottom, top = (ctypes.c_double() for _ in range(4))
    pdfium_c.FPDFText_GetCharBox(raw, index, left, right, bottom, top)
    return left.value, right.value


def _bold(characters: pdfium.PdfTextPage, index: int) -> bool:
    name = ctypes.create_string_buffer(128)
    flags = ctypes.c_int()
    if not pdfium_c.FPDFText_GetFontInfo(characters.raw, index, name, len(name), flags):
        return False
    style = name.value.decode("utf-8", "replace").rpartition("+")[2].lower()
    return "bold" in style or "black" in style or "heavy" in style or style.startswith(("cmbx", "sfbx"))
