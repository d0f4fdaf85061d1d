"""JSON laid out so that a person can read it; what is not quite JSON stays as it stands."""

import json
from collections.abc import Iterator

from app.backend.documents.parsing import text
from app.backend.documents.parsing.messages import Heading, ReadPage
from app.backend.documents.parsing.source import Source

# Objects take many times the room of their text.
_LARGEST = 20_000_000


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the file; the keys of the outermost object are its headings.

    Raises:
        ParserLimitError: it is larger than can be held in memory.
        OSError: it cannot be read.
    """
    written = text.whole(source)
    headings: list[Heading] = []
    if len(written) <= _LARGEST:
        try:
            value = json.loads(written)
            written, headings = _laid_out(value)
        except (ValueError, RecursionError):
            pass  # JSON lines, with comments, cut off, too deep: the text as it is
    start = 0
    for number, piece in enumerate(text.cut([written]), start=1):
        inside = (head for head in headings if start <= head.start < start + len(piece))
        shifted = tuple(Heading(head.start - start, head.level, head.title) for head in inside)
        yield ReadPage(number, piece, shifted)
        start += len(piece)


def _laid_out(value: object) -> tuple[str, list[Heading]]:
    if not isinstance(value, dict):
        return _text_of(value), []
    pieces = ["{\n"]
    headings = []
    length = len(pieces[0])
    for place, (key, inside) in enumerate(value.items(), start=1):
        end = ",\n" if place < len(value) else "\n"
        if isinstance(inside, dict | list) and inside:
            headings.append(Heading(length + 2, 1, key))
        piece = f"  {_text_of(key)}: " + _text_of(inside).replace("\n", "\n  ") + end
        pieces.append(piece)
        length += len(piece)
    return "".join([*pieces, "}\n"]), headings


def _text_of(value: object) -> str:
    written = json.dumps(value, indent=2, ensure_ascii=False)
    return written.encode("utf-8", "replace").decode("utf-8")
