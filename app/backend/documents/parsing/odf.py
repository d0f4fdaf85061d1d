"""OpenDocument texts and presentations (ODT, ODP). Spreadsheets are read by `sheets`."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from app.backend.documents.parsing.archive import Archive, open_archive
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import Opened, ReadPage
from app.backend.documents.parsing.source import Source
from app.backend.documents.parsing.xml_tree import attribute, local, parse
from app.errors import DamagedFileError, EncryptedFileError

# Repeated cells are written once with a count, which may be that of a whole empty sheet.
_REPEATED = 100
# Deleted text that is kept for the record, notes' marks, comments, what stands on every page.
_LEFT_OUT = frozenset([
    "tracked-changes", "annotation", "note-citation", "sequence-decls", "variable-decls",
    "user-field-decls", "forms", "table-of-content", "alphabetical-index", "ruby-text", "header",
    "footer", "date-time", "page-number",
])  # fmt: skip


def pages(source: Source) -> Iterator[Opened | ReadPage]:
    """Read a text as a whole, a presentation slide by slide.

    Raises:
        DamagedFileError, EncryptedFileError, ParserLimitError, OSError: as `open_archive`.
    """
    with open_archive(source) as archive:
        content = _content(archive)
    manuscript = Manuscript()
    writer = _Writer(manuscript, _numbered_lists(content))
    bodies = (part for part in content.iter() if local(part) == "body")
    body = next(
        (part for inside in bodies for part in inside if local(part) in ("text", "presentation")), None
    )
    if body is None:
        raise DamagedFileError("This is not an OpenDocument text or presentation, although its name says so.")
    slides = [child for child in body if local(child) == "page"]
    if not slides:
        writer.blocks(body)
        yield from manuscript.turn()
        return
    yield Opened(len(slides))
    for number, slide in enumerate(slides, start=1):
        writer.slide(slide, number)
        yield from manuscript.turn()


def _content(archive: Archive) -> Element:
    manifest = archive.get("META-INF/manifest.xml")
    if manifest is not None and b"encryption-data" in manifest:
        raise EncryptedFileError
    return parse(archive.read("content.xml"))


def _numbered_lists(content: Element) -> frozenset[str]:
    """The names of list styles whose first level counts."""
    return frozenset(
        attribute(style, "name") or ""
        for style in content.iter()
        if local(style) == "list-style" and len(style) and local(style[0]) == "list-level-style-number"
    )


class _Writer:
    def __init__(self, manuscript: Manuscript, numbered: frozenset[str]) -> None:
        self._manuscript = manuscript
        self._numbered = numbered

    def slide(self, slide: Element, number: int) -> None:
        """Write one slide: its title, what else is on it, its notes."""
        title = next((shape for shape in slide if attribute(shape, "class") == "title"), None)
        written = " ".join(_paragraphs(title)) if title is not None else ""
        self._manuscript.heading(1, written or f"Slide {number}")
        for shape in slide:
            if shape is title:
                continue
            if local(shape) == "notes":
                if lines := [line for line in _paragraphs(shape) if line]:
                    self._manuscript.paragraph("Notes: " + "\n".join(lines))
            else:
                self.blocks(shape)

    def blocks(self, parent: Element) -> None:
        """Write what is inside an element."""
        for element in parent:
            name = local(element)
            if name in _LEFT_OUT:
                continue
            if name == "h":
                level = attribute(element, "outline-level") or "1"
                self._manuscript.heading(int(level) if level.isdecimal() else 1, _written(element))
            elif name == "p":
                self._manuscript.paragraph(_written(element))
                self._boxes(element)
            elif name == "list":
                self._list(element, 0, numbered=attribute(element, "style-name") in self._numbered)
            elif name == "table":
                self._manuscript.table(list(_rows(element)))
            else:
                self.blocks(element)

    def _boxes(self, paragraph: Element) -> None:
        """Text boxes hang in a paragraph; they are read after it."""
        for box in paragraph.iter():
            if local(box) == "text-box":
                self.blocks(box)

    def _list(self, element: Element, depth: int, *, numbered: bool) -> None:
        number = 0
        for item in element:
            marked = local(item) == "list-item"
            for part in item:
                if local(part) == "list":
                    self._list(part, depth + 1, numbered=numbered)
                elif local(part) == "h":
                    self.blocks(item)
                    break
                elif written := _written(part):
                    number += marked
                    if marked:
                        self._manuscript.item(written, depth, number if numbered else None)
                    else:
                        self._manuscript.paragraph(written)
                    marked = False


def _rows(table: Element) -> Iterator[list[str]]:
    for row in table:
        if local(row) in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(row)
        elif local(row) == "table-row":
            yield [cell for element in row for cell in _cells(element)]


def _cells(cell: Element) -> list[str]:
    times = attribute(cell, "number-columns-repeated") or "1"
    count = min(int(times), _REPEATED) if times.isdecimal() else 1
    return [" ".join(_paragraphs(cell))] * count


def _paragraphs(element: Element) -> list[str]:
    return [_written(part) for part in element.iter() if local(part) in ("p", "h")]


def _written(element: Element) -> str:
    """The words of a paragraph; a note stands in brackets where its mark was."""
    return "".join(_words(element)).strip()


def _words(element: Element) -> Iterator[str]:
    yield _collapsed(element.text)
    for child in element:
        name = local(child)
        if name == "s":
            count = attribute(child, "c") or "1"
            yield " " * min(int(count) if count.isdecimal() else 1, 100)
        elif name == "tab":
            yield "\t"
        elif name == "line-break":
            yield "\n"
        elif name == "note-body":
            yield f" [{' '.join(_paragraphs(child))}]"
        elif name not in _LEFT_OUT and name not in ("text-box", "frame"):
            yield from _words(child)
        yield _collapsed(child.tail)


def _collapsed(written: str | None) -> str:
    """White space as the format counts it: any run of it is one blank."""
    if not written:
        return ""
    words = " ".join(written.split())
    return f"{' ' if written[0].isspace() else ''}{words}{' ' if words and written[-1].isspace() else ''}"
