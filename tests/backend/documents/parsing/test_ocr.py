"""Text in images, read by the real engine; pages and images drawn with real letters."""

import asyncio
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from app.backend.documents.media_types import IMAGE, PDF
from app.backend.documents.parsing.isolation import read_file
from app.errors import DamagedFileError, NoTextError, ParserLimitError

FONT = Path(__file__).parents[4] / "resources/fonts/Inter-Regular.otf"
LEASE = ("The tenant pays 850 euros in rent.", "Pets need the consent of the landlord.")

pytestmark = pytest.mark.slow


def drawn(*lines: str, size: int = 30, width: int = 900, height: int = 400) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(image)
    for place, line in enumerate(lines):
        pen.text((40, 40 + place * size * 1.4), line, font=ImageFont.truetype(str(FONT), size), fill="black")
    return image


async def pages_of(path: Path, kind: str) -> list:
    async with aclosing(read_file(path, kind)) as messages:
        return [message async for message in messages][1:]


@pytest.mark.parametrize("suffix", ["png", "jpg", "tiff", "bmp", "webp", "gif"])
def test_an_image_is_read_in_the_child(tmp_path, suffix):
    path = tmp_path / f"scan.{suffix}"
    drawn(*LEASE).save(path)

    (page,) = asyncio.run(pages_of(path, IMAGE))

    assert page.text.split("\n") == list(LEASE)
    assert page.by_ocr


def test_a_photograph_is_turned_as_its_camera_says_and_transparency_is_paper(tmp_path):
    turned = drawn(*LEASE).rotate(90, expand=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(tmp_path / "photo.jpg", exif=exif)
    ink = Image.new("RGBA", (900, 400), (0, 0, 0, 0))
    ink.putalpha(ImageOps.invert(drawn(*LEASE).convert("L")))
    ink.save(tmp_path / "ink.png")

    for name in ("photo.jpg", "ink.png"):
        (page,) = asyncio.run(pages_of(tmp_path / name, IMAGE))
        # Blanks are what the engine is least sure of in what was compressed.
        assert page.text.replace(" ", "") == "\n".join(LEASE).replace(" ", ""), name


def test_every_image_of_a_fax_is_a_page(tmp_path):
    path = tmp_path / "fax.tiff"
    drawn("The first page").save(path, save_all=True, append_images=[drawn("The second page")])

    assert [page.text for page in asyncio.run(pages_of(path, IMAGE))] == ["The first page", "The second page"]


def test_only_the_pages_of_a_pdf_that_need_it_are_read_by_ocr(tmp_path):
    path = tmp_path / "mixed.pdf"
    canvas = Canvas(str(path), pagesize=(600, 300))
    canvas.drawString(72, 200, "This page has its text.")
    canvas.showPage()
    canvas.drawImage(ImageReader(drawn(*LEASE)), 0, 0, 600, 267)
    canvas.showPage()
    canvas.showPage()
    canvas.save()

    written, scanned, blank = asyncio.run(pages_of(path, PDF))

    assert (written.text, written.by_ocr) == ("This page has its text.", False)
    assert (scanned.text.split("\n"), scanned.by_ocr) == (list(LEASE), True)
    assert (blank.text, blank.by_ocr) == ("", False)


def test_a_scan_of_two_columns_is_read_column_by_column(tmp_path):
    image = Image.new("RGB", (1400, 700), "white")
    pen = ImageDraw.Draw(image)
    for row in range(8):
        for x, side in ((40, "Left"), (740, "Right")):
            words = f"{side} line {row} of the whole text"
            pen.text((x, 60 + 60 * row), words, font=ImageFont.truetype(str(FONT), 30), fill="black")
    path = tmp_path / "columns.png"
    image.save(path)

    (page,) = asyncio.run(pages_of(path, IMAGE))

    assert page.text.index("Left line 7") < page.text.index("Right line 0")


def test_a_dense_page_at_full_resolution_stays_within_the_memory_of_the_child(tmp_path):
    path = tmp_path / "dense.png"
    lines = [f"Line {number}: the deposit is paid in three parts, one each month." for number in range(70)]
    drawn(*lines, size=32, width=2480, height=3508).save(path)

    (page,) = asyncio.run(pages_of(path, IMAGE))

    assert sum(line in page.text for line in lines) >= 68


def test_an_image_without_text_says_so(tmp_path):
    path = tmp_path / "sky.png"
    Image.new("RGB", (400, 300), "skyblue").save(path)

    with pytest.raises(NoTextError, match="not even in its images"):
        asyncio.run(pages_of(path, IMAGE))


def test_a_broken_image_and_one_that_is_far_too_large_are_refused(tmp_path):
    broken = tmp_path / "broken.png"
    drawn(*LEASE).save(broken)
    broken.write_bytes(broken.read_bytes()[:700])
    large = tmp_path / "large.png"
    Image.new("1", (20_000, 20_000)).save(large)

    with pytest.raises(DamagedFileError):
        asyncio.run(pages_of(broken, IMAGE))
    with pytest.raises(ParserLimitError):
        asyncio.run(pages_of(large, IMAGE))


def test_the_engine_is_loaded_for_scans_alone(tmp_path):
    note = tmp_path / "note.md"
    note.write_text("# A note")
    script = (
        "import sys; from pathlib import Path; from app.backend.documents.parsing import child, formats\n"
        f"list(formats.read(Path({str(note)!r}), 'text/markdown')); print(*sys.modules)"
    )

    listed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[4],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    heavy = {"rapidocr", "onnxruntime", "cv2", "numpy", "PIL", "docutils", "mammoth", "selectolax"}
    assert heavy.isdisjoint(listed)
