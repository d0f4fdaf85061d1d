"""Running headers, footers and page numbers: lines that stand at the same place page after page.

They are told by the pages beside, so the same page of the same document always gives the same
text, whether it is read in order or looked at alone.
"""

import re
from collections import Counter
from collections.abc import Iterator

import pypdfium2 as pdfium

from app.backend.documents.parsing.pdf_lines import DocumentLines, Line, PageLines

# As far from an edge as they stand, in heights of the page; and as many lines.
_MARGIN = 0.15
_LINES = 3
# Pages that are compared: every other page may have a header of its own.
_BEFORE = (1, 2)
_BESIDE = (1, 2, -1, -2)
_SAME_PLACE = 3.0  # points
_NUMBER = re.compile(r"\d{1,5}")
# What is left of a page number without its digits.
_ONLY_NUMBER = re.compile(r"[\W_]*(?:(?:page|seite|p|s|pg|of|von|sur|de)[\W_]*){0,3}", re.I)


def running(document: DocumentLines, number: int) -> frozenset[int]:
    """The places, in its lines, of what page `number` has in common with the pages beside it.

    A header stays on the page where it first stands; page numbers go everywhere. A page that says
    nothing else keeps all it says.
    """
    page = document.page(number)
    body = _body(page)
    found = frozenset(
        place
        for place, line in _marginal(page)
        if _is_page_number(document, number, line) or _is_repeated(document, number, line, body)
    )
    return found if len(found) < len(page.lines) else frozenset()


def _is_page_number(document: DocumentLines, number: int, line: Line) -> bool:
    stripped = _NUMBER.sub("", line.text).strip()
    if len(stripped) == len(line.text.strip()) or not _ONLY_NUMBER.fullmatch(stripped):
        return False
    return any(
        _counts_on(line, other, step)
        for step in _BESIDE
        for other in _at_the_same_place(document, number - step, line)
    )


def _is_repeated(document: DocumentLines, number: int, line: Line, body: float) -> bool:
    text = " ".join(line.text.split())
    if len(text) < 3 or not any(map(str.isalpha, text)):
        return False
    return any(
        text == " ".join(other.text.split())
        or (line.size <= 1.05 * body and len(text.split()) > 2 and _counts_on(line, other, step))
        for step in _BEFORE
        for other in _at_the_same_place(document, number - step, line)
    )


def _counts_on(line: Line, other: Line, step: int) -> bool:
    """Whether the lines differ in one number, by as much as their pages are apart."""
    here, there = _NUMBER.findall(line.text), _NUMBER.findall(other.text)
    if _NUMBER.sub("#", line.text).split() != _NUMBER.sub("#", other.text).split():
        return False
    differences = [int(a) - int(b) for a, b in zip(here, there, strict=True) if a != b]
    return differences == [step]


def _at_the_same_place(document: DocumentLines, number: int, line: Line) -> Iterator[Line]:
    if not 1 <= number <= len(document):
        return
    try:
        page = document.page(number)
    except pdfium.PdfiumError:
        return
    for _, other in _marginal(page):
        if abs(other.y - line.y) < _SAME_PLACE and abs(other.size - line.size) < 0.2:
            yield other


def _marginal(page: PageLines) -> Iterator[tuple[int, Line]]:
    """The first and last lines of a page that stand near its edges."""
    if not page.upright:
        return
    height = page.top - page.bottom
    ranked = sorted(range(len(page.lines)), key=lambda place: -page.lines[place].y)
    for rank, place in enumerate(ranked):
        line = page.lines[place]
        above = rank < _LINES and line.y > page.top - _MARGIN * height
        below = rank >= len(ranked) - _LINES and line.last_y < page.bottom + _MARGIN * height
        if above or below:
            yield place, line


def _body(page: PageLines) -> float:
    """The size of most of its letters."""
    sizes: Counter[float] = Counter()
    for line in page.lines:
        sizes[line.size] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 0.0
