"""What can be pressed in an answer: chips and links, in the order they are read."""

from dataclasses import dataclass

from PySide6.QtGui import QTextDocument


@dataclass(frozen=True, slots=True)
class Stop:
    """Positions in the document, half-open, and what the format calls the target."""

    start: int
    end: int
    target: str


def link_stops(document: QTextDocument) -> list[Stop]:
    """Every chip and link."""
    stops: list[Stop] = []
    block = document.begin()
    while block.isValid():
        iterator = block.begin()
        while not iterator.atEnd():
            fragment = iterator.fragment()
            target = fragment.charFormat().anchorHref()
            if target:
                start, end = fragment.position(), fragment.position() + fragment.length()
                last = stops[-1] if stops else None
                # A link with bold words in it is several fragments, and still one link.
                if last is not None and last.end == start and last.target == target:
                    stops[-1] = Stop(last.start, end, target)
                else:
                    stops.append(Stop(start, end, target))
            iterator += 1
        block = block.next()
    return stops
