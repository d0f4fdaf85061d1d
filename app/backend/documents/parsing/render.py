"""A PDF page as an image, and where a span of its text stands on it. Runs in the child."""

import ctypes
import struct
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c

from app.backend.documents.parsing.pdf import page_text
from app.backend.documents.parsing.pdf_lines import INSERTED, DocumentLines
from app.errors import DamagedFileError, NotFoundError
from app.records import Box

LEAST_WIDTH = 100
LARGEST_WIDTH = 4_000
_MOST_PIXELS = 30_000_000
# Page coordinates are mapped to this many steps a side.
_STEPS = 1 << 20


def picture(document: pdfium.PdfDocument, number: int, width: int) -> bytes:
    """Page `number` (1-based) as a PNG, `width` pixels wide as far as its shape allows.

    The width is kept within 100 and 4,000 pixels, and a very long page within 30 megapixels.

    Raises:
        NotFoundError: there is no such page.
        DamagedFileError: the page cannot be drawn.
    """
    width = min(max(width, LEAST_WIDTH), LARGEST_WIDTH)
    with closing(_page(document, number)) as page:
        page_width, page_height = page.get_size()
        if page_width <= 0 or page_height <= 0:
            raise DamagedFileError(f"Page {number} has no size.")
        ratio = page_height / page_width
        width = max(1, min(width, int((_MOST_PIXELS / ratio) ** 0.5)))
        height = max(1, min(round(width * ratio), _MOST_PIXELS // width))
        with closing(
            pdfium.PdfBitmap.new_native(width, height, pdfium_c.FPDFBitmap_BGR, rev_byteorder=True)
        ) as bitmap:
            bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
            flags = pdfium_c.FPDF_ANNOT | pdfium_c.FPDF_REVERSE_BYTE_ORDER
            place = (0, 0, width, height, 0, flags)
            pdfium_c.FPDF_RenderPageBitmap(bitmap.raw, page.raw, *place)
            if document.formenv is not None:
                pdfium_c.FPDF_FFLDraw(document.formenv.raw, bitmap.raw, page.raw, *place)
            return _png(bytes(bitmap.buffer), width, height, bitmap.stride)


def boxes(document: pdfium.PdfDocument, number: int, start: int, end: int) -> tuple[Box, ...]:
    """The boxes of text[start:end] of the stored text of page `number`, one a line.

    As the page is shown: rotation and crop box are applied.

    Raises:
        NotFoundError: there is no such page.
        DamagedFileError: the page cannot be read.
    """
    with closing(_page(document, number)) as page:
        try:
            with closing(page.get_textpage()) as characters:
                _, indices, _ = page_text(DocumentLines(document), number)
                spans = list(_runs(indices[max(start, 0) : max(end, 0)]))
                found = [box for first, count in spans for box in _rectangles(page, characters, first, count)]
        except pdfium.PdfiumError:
            raise DamagedFileError(f"Page {number} cannot be read.") from None
    return tuple(_merged(found))


def _page(document: pdfium.PdfDocument, number: int) -> pdfium.PdfPage:
    if not 1 <= number <= len(document):
        raise NotFoundError(f"There is no page {number} in this document.")
    try:
        return document[number - 1]
    except pdfium.PdfiumError:
        raise DamagedFileError(f"Page {number} cannot be read.") from None


def _runs(indices: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Consecutive indices as (first, count); skipped marks in between do not end a run."""
    first = last = INSERTED
    for index in indices:
        if index == INSERTED:
            continue
        if first != INSERTED and last <= index <= last + 2:
            last = index
            continue
        if first != INSERTED:
            yield first, last - first + 1
        first = last = index
    if first != INSERTED:
        yield first, last - first + 1


def _rectangles(
    page: pdfium.PdfPage, characters: pdfium.PdfTextPage, first: int, count: int
) -> Iterator[Box]:
    for index in range(characters.count_rects(first, count)):
        left, bottom, right, top = characters.get_rect(index)
        x1, y1 = _shown(page, left, top)
        x2, y2 = _shown(page, right, bottom)
        box = Box(_clamp(min(x1, x2)), _clamp(min(y1, y2)), _clamp(max(x1, x2)), _clamp(max(y1, y2)))
        if box.right > box.left and box.bottom > box.top:
            yield box


def _shown(page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
    across, down = ctypes.c_int(), ctypes.c_int()
    pdfium_c.FPDF_PageToDevice(page.raw, 0, 0, _STEPS, _STEPS, 0, x, y, across, down)
    return across.value / _STEPS, down.value / _STEPS


def _clamp(fraction: float) -> float:
    return min(max(fraction, 0.0), 1.0)


def _merged(found: Iterable[Box]) -> list[Box]:
    """Join the boxes of one line, in reading order; a wide gap (a column) keeps them apart."""
    lines: list[Box] = []
    for box in found:
        if lines and _same_line(lines[-1], box):
            last = lines[-1]
            lines[-1] = Box(
                min(last.left, box.left),
                min(last.top, box.top),
                max(last.right, box.right),
                max(last.bottom, box.bottom),
            )
        else:
            lines.append(box)
    return lines


def _same_line(one: Box, other: Box) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    lower = min(one.bottom - one.top, other.bottom - other.top)
    gap = max(one.left, other.left) - min(one.right, other.right)
    return shared > 0.5 * lower and gap < 0.03


def _png(pixels: bytes, width: int, height: int, stride: int) -> bytes:
    """Encode 8-bit RGB rows as a PNG; grey where the page holds no colour (a third of the size)."""
    rows = [pixels[row * stride : row * stride + 3 * width] for row in range(height)]
    grey = all(row[0::3] == row[1::3] == row[2::3] for row in rows)
    packed = b"".join(b"\x00" + (row[0::3] if grey else row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if grey else 2, 0, 0, 0)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", zlib.compress(packed, 3)),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
