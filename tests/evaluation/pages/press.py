"""Sets a volume as a PDF: running heads and page numbers, headings, one or two columns."""

from collections.abc import Iterator
from pathlib import Path

from reportlab.lib.pagesizes import A4, A5
from reportlab.lib.utils import simpleSplit
from reportlab.pdfgen.canvas import Canvas

from tests.evaluation.pages.volumes import Block, Volume

_MARGIN = 48
_GUTTER = 24
# Of each kind: font, size and leading in points, space above.
_SET = {
    "chapter": ("Times-Bold", 17, 24, 18),
    "heading": ("Times-Bold", 12, 16, 10),
    "prose": ("Times-Roman", 10.5, 14, 6),
    "code": ("Courier", 8, 11, 6),
}


def printed(volume: Volume, folder: Path) -> Path:
    """The volume as a file in `folder`, the same each time."""
    path = folder / volume.name
    size = A5 if volume.columns == 1 else A4
    canvas = Canvas(str(path), pagesize=size, invariant=True)
    canvas.setTitle(volume.title)
    width = (size[0] - 2 * _MARGIN - (volume.columns - 1) * _GUTTER) / volume.columns
    top, bottom = size[1] - _MARGIN - 20, _MARGIN + 20
    number, column, y = 1, 0, top
    _running_lines(canvas, volume, number)
    for block in volume.blocks():
        font, points, leading, above = _SET[block.kind]
        lines = list(_lines(block, font, points, width))
        y -= above if y < top else 0
        # A heading does not stand alone at the foot of a column.
        least = 3 * leading if block.kind in ("chapter", "heading") else 0
        for place, line in enumerate(lines):
            if y - leading - (least if place == 0 else 0) < bottom:
                column, y = column + 1, top
                if column == volume.columns:
                    canvas.showPage()
                    number, column = number + 1, 0
                    _running_lines(canvas, volume, number)
            y -= leading
            canvas.setFont(font, points)
            canvas.drawString(_MARGIN + column * (width + _GUTTER), y, line)
    canvas.save()
    return path


def _lines(block: Block, font: str, points: float, width: float) -> Iterator[str]:
    # The standard fonts have the Latin letters alone.
    text = block.text.expandtabs().encode("cp1252", "replace").decode("cp1252")
    for line in text.split("\n") if block.kind == "code" else [text]:
        start = line[: len(line) - len(line.lstrip())]
        yield from (start + part for part in simpleSplit(line.strip(), font, points, width - 4 * len(start)))


def _running_lines(canvas: Canvas, volume: Volume, number: int) -> None:
    width, height = canvas._pagesize
    canvas.setFont("Times-Italic", 9)
    canvas.drawString(_MARGIN, height - _MARGIN, volume.title)
    canvas.drawRightString(width - _MARGIN, height - _MARGIN, "Read from Python itself")
    canvas.drawCentredString(width / 2, _MARGIN - 12, f"{number}")
