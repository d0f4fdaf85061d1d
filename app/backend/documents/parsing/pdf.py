"""PDF text by page, with paragraphs and headings seen from where the lines stand.

The stored text is built character by character from PDFium's list, so that any span of it maps
back to characters on the page (`render.boxes`). What differs from PDFium's own text: line ends
are "\\n", a hyphen at a line's end is taken out with its line end, ligatures are spelt out,
control characters go, and a blank line marks a paragraph.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from app.backend.documents.parsing.messages import Heading, Opened, ReadPage, Scanned
from app.backend.documents.parsing.pdf_lines import INSERTED, DocumentLines, Line
from app.backend.documents.parsing.running_lines import running
from app.backend.documents.parsing.source import Source, open_source
from app.errors import DamagedFileError, EncryptedFileError

if TYPE_CHECKING:
    from app.backend.documents.parsing.ocr import Ocr

_NEW_LINE = "\n"
_LONGEST_HEADING = 120
# Distances between lines, in usual distances of the page; sizes, in sizes of its body.
_PARAGRAPH_GAP = 1.35
_GAP_AT_HEADING = 1.15
_LARGER = 1.12
# The longer side of a page, in pixels, at which it is seen whether anything is on it.
_LOOKED_AT = 240


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


def pages(source: Source) -> Iterator[Opened | Scanned | ReadPage]:
    """Say how many pages there are, then read them one by one.

    A page that cannot be read is an empty one, unless no page can.

    Raises:
        EncryptedFileError, DamagedFileError, OSError: as `open_pdf`.
    """
    with closing(open_pdf(source)) as document:
        yield Opened(len(document))
        lines = DocumentLines(document)
        layout = Layout()
        scans = _Scans(document)
        broken = 0
        for number in range(1, len(document) + 1):
            try:
                text, _, headings = page_text(lines, number, layout)
                scanned = not lines.page(number).lines and scans.is_scan(number)
            except pdfium.PdfiumError:
                broken += 1
                text, headings, scanned = "", (), False
            if scanned:
                yield Scanned(number)
                text = scans.read(number)
            yield ReadPage(number, text, headings, by_ocr=scanned)
        if broken == len(document):
            raise DamagedFileError("The PDF is broken: none of its pages can be read.")


class _Scans:
    """Reads pages that are images. The engine is loaded for the first of them."""

    def __init__(self, document: pdfium.PdfDocument) -> None:
        self._document = document
        self._engine: Ocr | None = None

    def is_scan(self, number: int) -> bool:
        """Whether anything at all is to be seen on the page."""
        with closing(self._document[number - 1]) as page:
            width, height = page.get_size()
            scale = _LOOKED_AT / max(width, height, 1)
            with closing(page.render(scale=scale, grayscale=True)) as bitmap:
                data = bytes(bitmap.buffer)
                rows = (
                    data[start : start + bitmap.width]
                    for start in range(0, bitmap.stride * bitmap.height, bitmap.stride)
                )
                return any(row.strip(data[:1]) for row in rows)

    def read(self, number: int) -> str:
        """The text of the page as it looks."""
        # Not among the imports above: it takes a second and 200 MB, and few files need it.
        ocr = import_module("app.backend.documents.parsing.ocr")
        if self._engine is None:
            self._engine = ocr.Ocr()
        with closing(self._document[number - 1]) as page:
            width, height = page.get_size()
            with closing(page.render(scale=ocr.READ_FROM / max(width, height, 1))) as bitmap:
                return self._engine.read(bitmap.to_numpy())


class Layout:
    """What the pages read so far tell about the next one. Only headings depend on it."""

    def __init__(self) -> None:
        self._characters: Counter[tuple[float, bool]] = Counter()
        self._heads: dict[str, tuple[float, int]] = {}
        self._page = 0

    def turn(self, lines: Sequence[Line]) -> tuple[float, bool]:
        """Go on to a page; returns the size of the text's body so far, and whether it is bold."""
        self._page += 1
        for line in lines:
            self._characters[line.size, line.bold] += len(line.text)
        return self._characters.most_common(1)[0][0] if self._characters else (0.0, False)

    def is_running_head(self, line: Line) -> bool:
        """Whether a page or two ago the same line stood at the same place, but for a page number.

        A single word with a number ("Chapter 2") differs from "Chapter 1".
        """
        words = [word for word in line.text.split() if any(map(str.isalpha, word))]
        key = " ".join(words) if len(words) > 1 else line.text.strip()
        y, page = self._heads.get(key, (0.0, -9))
        self._heads[key] = (line.y, self._page)
        return self._page - page <= 2 and abs(line.y - y) < 3


def page_text(
    document: DocumentLines, number: int, layout: Layout | None = None
) -> tuple[str, list[int], tuple[Heading, ...]]:
    """The stored text of page `number`; for each of its characters PDFium's index; and its headings.

    Args:
        layout: of the pages before; this one is added.

    Returns:
        Text and indices have the same length. INSERTED stands for a character that is not on
        the page.

    Raises:
        PdfiumError: the page cannot be read.
    """
    page = document.page(number)
    upright = page.upright
    left_out = running(document, number)
    lines = [line for place, line in enumerate(page.lines) if place not in left_out]
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


def _leading(lines: list[Line]) -> float:
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


def _apart(above: Line, line: Line, leading: float) -> bool:
    """Whether a paragraph ends between the two lines."""
    step = above.last_y - line.y
    if abs(step) < 0.9 * max(above.size, line.size):
        return False  # on one line, or an index or exponent beside it
    differs = not 1 / _LARGER < line.size / max(above.size, 0.1) < _LARGER
    if step < 0:
        return differs  # up to the next column: the paragraph may go on there
    gap = _GAP_AT_HEADING if above.bold != line.bold else _PARAGRAPH_GAP
    return differs or (leading > 0 and step > gap * leading)


def _is_heading(line: Line, body: float, marked: bool) -> bool:
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
