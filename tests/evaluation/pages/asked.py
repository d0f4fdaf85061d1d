"""The questions over the volumes, and which pages answer them."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.backend.documents.parsing.messages import ReadPage

_FILE = Path(__file__).with_name("questions.txt")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; `volume`: the title of the document; `anchors`: words of sentences that answer it."""

    volume: str
    text: str
    anchors: tuple[str, ...]

    def right(self, read: Mapping[str, Sequence[ReadPage]]) -> dict[str, float]:
        """The pages on which one of the anchors begins, as "Mail.pdf 12", each worth 1.

        A text that the volumes have more than once may be found in any place.
        """
        return {
            f"{title}.pdf {page}": 1.0
            for title, pages in read.items()
            for anchor in self.anchors
            for page in _places(anchor, pages)
        }


def questions() -> list[Question]:
    """All of them, as they stand in questions.txt."""
    volume, made = "", []
    for line in _FILE.read_text("utf-8").splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "#":
            volume = rest
        elif mark == "?":
            made.append(Question(volume, rest, ()))
        elif mark == "=":
            made[-1] = replace(made[-1], anchors=(*made[-1].anchors, rest))
    return made


def by_volume(asked: Sequence[Question]) -> Mapping[str, list[Question]]:
    """The questions of each volume."""
    sorted_out: dict[str, list[Question]] = {}
    for question in asked:
        sorted_out.setdefault(question.volume, []).append(question)
    return sorted_out


def _places(anchor: str, read: Sequence[ReadPage]) -> Iterator[int]:
    wanted = _plain(anchor)
    for page, following in zip(read, [*read[1:], None], strict=True):
        own = _plain(page.text)
        # A sentence may go on behind the page's end, but has to begin before it.
        place = (own + (_plain(following.text)[: len(wanted)] if following else "")).find(wanted)
        if 0 <= place < len(own):
            yield page.number


def _plain(text: str) -> str:
    """What of a text stays the same however it is set: its letters and digits."""
    return re.sub(r"[\W_]+", "", text).casefold()
