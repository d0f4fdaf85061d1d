"""A document written down as Markdown, block by block, with each heading's place in it.

Parsers of formats with a structure write here; what comes out is cut into pages that a reader
can show, and headings are those that were written as such, never guessed from the text.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.backend.documents.parsing import text
from app.backend.documents.parsing.messages import Heading, ReadPage

# A longer table goes on in another one, under the same header.
_TABLE_CHARACTERS = 20_000
_BETWEEN = "\n\n"


class Manuscript:
    """Takes blocks; `turn` gives the pages they make. A section (slide, sheet, chapter) begins a page."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []
        self._number = 0

    @property
    def empty(self) -> bool:
        """Whether nothing was written since the last turn."""
        return not self._blocks

    def heading(self, level: int, title: str) -> None:
        """A heading of level 1 (the highest) to 6; a blank one is left out."""
        title = " ".join(_clean(title).split())
        if title:
            level = min(max(level, 1), 6)
            self._put(f"{'#' * level} {title}", (Heading(0, level, title),))

    def paragraph(self, written: str) -> None:
        """Lines that belong together; blank ends go."""
        written = _clean(written).strip()
        if written:
            self._put(written)

    def item(self, written: str, depth: int = 0, number: int | None = None) -> None:
        """An item of a list: `depth` levels in, with a bullet or its number."""
        written = _clean(written).strip()
        if written:
            indent = "  " * min(depth, 12)
            mark = "-" if number is None else f"{number}."
            hanging = "\n" + indent + " " * (len(mark) + 1)
            self._put(f"{indent}{mark} {written.replace(chr(10), hanging)}", item=True)

    def code(self, written: str, language: str = "") -> None:
        """Lines that stand as they are."""
        written = _clean(written)
        if written.strip():
            fence = "```"
            while fence in written:
                fence += "`"
            self._put(f"{fence}{language}\n{written.rstrip()}\n{fence}")

    def table(self, rows: Sequence[Sequence[str]]) -> None:
        """A table; its first row is the header. Blank rows and columns at the end are left out."""
        rows = [[" ".join(_clean(cell).split()).replace("|", "\\|") for cell in row] for row in rows]
        rows = [row for row in rows if any(row)]
        width = max((place + 1 for row in rows for place, cell in enumerate(row) if cell), default=0)
        if not rows:
            return
        lines = ["| " + " | ".join([*row[:width], *[""] * (width - len(row))]) + " |" for row in rows]
        head = f"{lines[0]}\n|{' --- |' * width}"
        part = [head]
        length = len(head)
        for line in lines[1:]:
            if length + len(line) > _TABLE_CHARACTERS and len(part) > 1:
                self._put("\n".join(part))
                part, length = [head], len(head)
            part.append(line)
            length += len(line) + 1
        self._put("\n".join(part))

    def include(self, page: ReadPage, deeper: int) -> None:
        """A page of a document inside this one; its headings stand `deeper` levels down."""
        if page.text.strip():
            headings = tuple(
                Heading(heading.start, heading.level + deeper, heading.title) for heading in page.headings
            )
            self._put(page.text, headings)

    def turn(self) -> Iterator[ReadPage]:
        """End the section: its pages, numbered on from the last. Nothing if nothing was written."""
        blocks, self._blocks = self._blocks, []
        pieces: list[str] = []
        headings: list[Heading] = []
        length = 0
        last_is_item = False
        for block in _short(blocks):
            if length and length + len(block.text) + len(_BETWEEN) > text.PAGE_CHARACTERS:
                yield self._page(pieces, headings)
                pieces, headings, length = [], [], 0
            if pieces:
                between = "\n" if block.item and last_is_item else _BETWEEN
                pieces.append(between)
                length += len(between)
            headings += [Heading(length + head.start, head.level, head.title) for head in block.headings]
            pieces.append(block.text)
            length += len(block.text)
            last_is_item = block.item
        if pieces:
            yield self._page(pieces, headings)

    def blank_section(self) -> ReadPage:
        """A section without text still counts: the sixth slide is page 6."""
        return self._page([], [])

    def _put(self, written: str, headings: tuple[Heading, ...] = (), *, item: bool = False) -> None:
        self._blocks.append(_Block(written, headings, item))

    def _page(self, pieces: list[str], headings: list[Heading]) -> ReadPage:
        self._number += 1
        return ReadPage(self._number, "".join(pieces), tuple(headings))


def _clean(written: str) -> str:
    """Normal, without what UTF-8 cannot write (halves of characters) or no text holds (NUL)."""
    if written.isascii():
        return written.replace("\x00", "")
    return text.normal(written.encode("utf-8", "replace").decode("utf-8").replace("\x00", ""))


@dataclass(frozen=True, slots=True)
class _Block:
    """Text that is not cut if it fits on a page; headings by their offsets in it."""

    text: str
    headings: tuple[Heading, ...]
    item: bool


def _short(blocks: Sequence[_Block]) -> Iterator[_Block]:
    """The blocks, those longer than a page in pieces."""
    for block in blocks:
        if len(block.text) <= text.PAGE_CHARACTERS:
            yield block
            continue
        start = 0
        for piece in text.cut([block.text]):
            inside = tuple(
                Heading(heading.start - start, heading.level, heading.title)
                for heading in block.headings
                if start <= heading.start < start + len(piece)
            )
            yield _Block(piece, inside, item=False)
            start += len(piece)
