"""Slides of PowerPoint (PPTX), one page each: title, text by its levels, tables, notes."""

import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from app.backend.documents.parsing.archive import Archive, open_archive, resolved
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import Opened, ReadPage
from app.backend.documents.parsing.source import Source
from app.backend.documents.parsing.xml_tree import attribute, local, parse
from app.errors import DamagedFileError

_PRESENTATION = "ppt/presentation.xml"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
# What stands on every slide.
_RUNNING = frozenset({"sldNum", "ftr", "hdr", "dt", "sldImg"})


def pages(source: Source) -> Iterator[Opened | ReadPage]:
    """Read the slides in their order.

    Raises:
        DamagedFileError, EncryptedFileError, ParserLimitError, OSError: as `open_archive`.
    """
    with open_archive(source) as archive:
        if _PRESENTATION not in archive.names:
            raise DamagedFileError("This is not a PowerPoint document, although its name says so.")
        slides = list(_slides(archive))
        yield Opened(len(slides))
        manuscript = Manuscript()
        for number, name in enumerate(slides, start=1):
            _write_slide(manuscript, archive, name, number)
            yield from manuscript.turn()


def _slides(archive: Archive) -> Iterator[str]:
    links = _links(archive, _PRESENTATION)
    for slide in parse(archive.read(_PRESENTATION)).iter(f"{_P}sldId"):
        name = links.get(slide.get(f"{_R}id", ""), ("", ""))[1]
        if name in archive.names:
            yield name


def _links(archive: Archive, part: str) -> dict[str, tuple[str, str]]:
    """What a part points at: kind and member name, by the link's id."""
    folder, _, name = part.rpartition("/")
    data = archive.get(f"{folder}/_rels/{name}.rels")
    if data is None:
        return {}
    return {
        link.get("Id", ""): (link.get("Type", "").rpartition("/")[2], resolved(part, link.get("Target", "")))
        for link in parse(data)
        if link.get("TargetMode") != "External"
    }


def _write_slide(manuscript: Manuscript, archive: Archive, name: str, number: int) -> None:
    shapes = list(_shapes(parse(archive.read(name)).find(f"{_P}cSld/{_P}spTree")))
    titles = [shape for shape in shapes if _placeholder(shape) in ("title", "ctrTitle")]
    title = " ".join(line for shape in titles for _, line in _lines(shape))
    manuscript.heading(1, title or f"Slide {number}")
    for shape in shapes:
        if shape in titles or _placeholder(shape) in _RUNNING:
            continue
        for table in shape.iter(f"{_A}tbl"):
            manuscript.table([_row(row) for row in table.iter(f"{_A}tr")])
        listed = _placeholder(shape) in ("body", "obj") and len(_lines(shape)) > 1
        for depth, line in _lines(shape):
            if listed:
                manuscript.item(line, depth)
            else:
                manuscript.paragraph(line)
    for kind, notes in _links(archive, name).values():
        if kind == "notesSlide" and notes in archive.names:
            _write_notes(manuscript, parse(archive.read(notes)))


def _write_notes(manuscript: Manuscript, notes: Element) -> None:
    lines = [
        line
        for shape in _shapes(notes.find(f"{_P}cSld/{_P}spTree"))
        if _placeholder(shape) not in _RUNNING
        for _, line in _lines(shape)
    ]
    if lines:
        manuscript.paragraph("Notes: " + "\n".join(lines))


def _shapes(tree: Element | None) -> Iterator[Element]:
    """The shapes as they lie, those of groups one by one."""
    for shape in tree if tree is not None else ():
        if local(shape) == "grpSp":
            yield from _shapes(shape)
        elif local(shape) in ("sp", "graphicFrame"):
            yield shape


def _placeholder(shape: Element) -> str | None:
    """What the slide's layout calls the shape; None where it is the author's own."""
    place = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return place.get("type", "obj") if place is not None else None


def _lines(shape: Element) -> list[tuple[int, str]]:
    """The paragraphs of a shape that are not blank, with how deep each stands."""
    body = shape.find(f"{_P}txBody")
    lines = []
    for paragraph in body.iter(f"{_A}p") if body is not None else ():
        written = _written(paragraph)
        if written:
            properties = paragraph.find(f"{_A}pPr")
            level = attribute(properties, "lvl") if properties is not None else None
            lines.append((int(level) if level and re.fullmatch(r"\d", level) else 0, written))
    return lines


def _row(row: Element) -> list[str]:
    return [" ".join(map(_written, cell.iter(f"{_A}p"))) for cell in row.iter(f"{_A}tc")]


def _written(paragraph: Element) -> str:
    pieces = []
    for piece in paragraph.iter():
        if piece.tag == f"{_A}t":
            pieces.append(piece.text or "")
        elif piece.tag == f"{_A}br":
            pieces.append("\n")
    return "".join(pieces).strip()
