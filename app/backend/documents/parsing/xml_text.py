"""XML as an outline: each element by its name, what it says, and its attributes."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import Source, read_source
from app.backend.documents.parsing.xml_tree import local, parse

# Trees take many times the room of their text.
_LARGEST = 40_000_000
# Elements that hold other elements and no words of their own are headings down to this level.
_HEADING_LEVELS = 3


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the file.

    Raises:
        DamagedFileError: it is not well formed, or declares entities.
        ParserLimitError: it is larger than can be held in memory, or nested too deeply.
        OSError: it cannot be read.
    """
    manuscript = Manuscript()
    _write(manuscript, parse(read_source(source, _LARGEST)), 1)
    yield from manuscript.turn()


def _write(manuscript: Manuscript, element: Element, level: int) -> None:
    if not len(element) or _mixed(element):
        words = " ".join("".join(element.itertext()).split())
        if said := [part for part in (_attributes(element), words) if part]:
            manuscript.item(f"{local(element)}: {' — '.join(said)}", max(level - 1 - _HEADING_LEVELS, 0))
        return
    if level <= _HEADING_LEVELS:
        manuscript.heading(level, local(element))
        if said_here := _attributes(element):
            manuscript.paragraph(said_here)
    else:
        manuscript.item(f"{local(element)} {_attributes(element)}", level - 1 - _HEADING_LEVELS)
    for child in element:
        _write(manuscript, child, level + 1)


def _mixed(element: Element) -> bool:
    """Whether words stand between its elements: then it is a paragraph with words set apart."""
    return bool((element.text or "").strip()) or any((child.tail or "").strip() for child in element)


def _attributes(element: Element) -> str:
    return ", ".join(
        f"{name.rpartition('}')[2]}={' '.join(value.split())}"
        for name, value in element.attrib.items()
        if value.strip()
    )
