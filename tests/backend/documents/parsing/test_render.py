import struct
import zlib
from contextlib import closing
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from reportlab.pdfgen.canvas import Canvas

from app.backend.documents.parsing import pdf, render
from app.errors import NotFoundError
from app.records import Box

WORD = "Deposit"


def with_word(path: Path, *, rotation: int = 0, crop: bool = False) -> Path:
    """A page of 400 x 600 points with one word at (100, 450), in black on white."""
    # reportlab takes the size of a page as it is shown.
    canvas = Canvas(str(path), pagesize=(400, 600) if rotation in (0, 180) else (600, 400))
    canvas.setPageRotation(rotation)
    if crop:
        canvas.setCropBox((50, 300, 350, 500))
    canvas.setFont("Helvetica", 24)
    canvas.drawString(100, 450, WORD)
    canvas.save()
    return path


def decoded(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, height and rows of grey values of a PNG as `render` writes it."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height, depth, colour = struct.unpack(">IIBB", png[16:26])
    assert depth == 8
    channels = 3 if colour == 2 else 1
    data, place = b"", 8
    while place < len(png):
        length, kind = struct.unpack(">I4s", png[place : place + 8])
        body = png[place + 8 : place + 8 + length]
        assert (
            zlib.crc32(kind + body) == struct.unpack(">I", png[place + 8 + length : place + 12 + length])[0]
        )
        data += body if kind == b"IDAT" else b""
        place += 12 + length
    flat = zlib.decompress(data)
    stride = 1 + width * channels
    rows = [flat[row * stride + 1 : (row + 1) * stride] for row in range(height)]
    return width, height, [row[1::3] if channels == 3 else row for row in rows]


def inked(png: bytes) -> Box:
    """The box around everything dark."""
    width, height, rows = decoded(png)
    dark = [(x, y) for y, row in enumerate(rows) for x, value in enumerate(row) if value < 128]
    across, down = [x for x, _ in dark], [y for _, y in dark]
    return Box(min(across) / width, min(down) / height, (max(across) + 1) / width, (max(down) + 1) / height)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [False, True])
def test_the_box_of_a_word_is_where_its_ink_is(tmp_path, rotation, crop):
    path = with_word(tmp_path / "a.pdf", rotation=rotation, crop=crop)
    with closing(pdf.open_pdf(path)) as document:
        (box,) = render.boxes(document, 1, 0, len(WORD))
        ink = inked(render.picture(document, 1, 800))

    assert box.left == pytest.approx(ink.left, abs=0.01)
    assert box.right == pytest.approx(ink.right, abs=0.01)
    assert box.top == pytest.approx(ink.top, abs=0.01)
    assert box.bottom == pytest.approx(ink.bottom, abs=0.01)


def test_a_span_over_lines_has_one_box_a_line_in_reading_order(make_pdf):
    path = make_pdf(pages=1, lines=6)
    with closing(pdf.open_pdf(path)) as document:
        (text,) = [page.text for page in pdf.pages(path) if hasattr(page, "text")]
        boxes = render.boxes(document, 1, text.index("Clause 1.2"), text.index("Clause 1.4"))

    assert len(boxes) == 3
    assert [box.top for box in boxes] == sorted(box.top for box in boxes)
    assert boxes[0].left > boxes[1].left
    assert all(0 <= box.left < box.right <= 1 and 0 <= box.top < box.bottom <= 1 for box in boxes)


def test_an_empty_span_or_one_beyond_the_text_has_no_boxes(make_pdf):
    with closing(pdf.open_pdf(make_pdf(pages=1))) as document:
        assert render.boxes(document, 1, 5, 5) == ()
        assert render.boxes(document, 1, 100_000, 100_100) == ()
        assert render.boxes(document, 1, -5, -1) == ()


@pytest.mark.parametrize(("wanted", "width"), [(10, 100), (850, 850), (9_999, 4_000)])
def test_the_width_is_kept_within_bounds(make_pdf, wanted, width):
    with closing(pdf.open_pdf(make_pdf(pages=1))) as document:
        png = render.picture(document, 1, wanted)

    assert struct.unpack(">I", png[16:20]) == (width,)


def test_a_page_of_absurd_shape_is_drawn_within_the_memory(tmp_path):
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(20, 14_000))
    canvas.drawString(2, 100, "x")
    canvas.save()
    with closing(pdf.open_pdf(tmp_path / "a.pdf")) as document:
        width, height = struct.unpack(">II", render.picture(document, 1, 4_000)[16:24])

    assert width * height <= 30_000_000


def test_colour_is_kept(tmp_path):
    canvas = Canvas(str(tmp_path / "a.pdf"), pagesize=(100, 100))
    canvas.setFillColorRGB(1, 0, 0)
    canvas.rect(0, 0, 100, 100, stroke=0, fill=1)
    canvas.save()
    with closing(pdf.open_pdf(tmp_path / "a.pdf")) as document:
        png = render.picture(document, 1, 100)

    assert png[25] == 2
    assert zlib.decompress(png[41:-16])[1:4] == b"\xff\x00\x00"


def test_a_page_that_is_not_there_is_said_so(make_pdf):
    with closing(pdf.open_pdf(make_pdf(pages=2))) as document:
        for number in (0, 3, -1):
            with pytest.raises(NotFoundError):
                render.picture(document, number, 800)
            with pytest.raises(NotFoundError):
                render.boxes(document, number, 0, 1)


def test_pypdfium2_reads_what_was_drawn(tmp_path):
    # The ground on which the others stand: the word is one run at the place it was drawn at.
    with closing(pdfium.PdfDocument(with_word(tmp_path / "a.pdf"))) as document:
        assert document[0].get_textpage().get_text_range() == WORD
