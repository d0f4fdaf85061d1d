"""Taking the model's own marks ([1], [2, 3]) out of the text as it streams.

The text a person sees carries no marks of the model's: citations come from checking each
sentence, and the window draws them. A mark is one or two digits in square brackets, also several
in one pair, with the spaces in front of it. A year in brackets, as in "[2019] UKSC 1", stays.
"""

import re
from dataclasses import dataclass

_NUMBERS = r"\d{1,2}(?:\s?[,;–-]\s?\d{1,2})*"
_MARK = re.compile(rf"[ \t]*(?:\[{_NUMBERS}\]|【{_NUMBERS}】)")
# The end of the text that may still become a mark.
_PERHAPS = re.compile(r"[ \t]*(?:[\[【](?:\d{1,2}\s?[,;–-]\s?)*\d{0,2}(?:\s?[,;–-]?)?)?$")


@dataclass(frozen=True, slots=True)
class Mark:
    """The model wrote `number` at offset `at` of the text without marks."""

    at: int
    number: int


class MarkFilter:
    """Removes marks from a stream; what may be half a mark is held back."""

    def __init__(self) -> None:
        self.marks: list[Mark] = []
        self._given = 0
        self._held = ""

    def feed(self, text: str) -> str:
        """Take the next piece of the model's text; return what can be shown now."""
        self._held += text
        shown = self._without_marks()
        found = _PERHAPS.search(self._held)
        cut = found.start() if found else len(self._held)
        shown += self._held[:cut]
        self._held = self._held[cut:]
        self._given += cut
        return shown

    def finish(self) -> str:
        """There is no more text: return what was held back."""
        shown = self._without_marks() + self._held
        self._given += len(self._held)
        self._held = ""
        return shown

    def _without_marks(self) -> str:
        shown = ""
        while found := _MARK.search(self._held):
            before = self._held[: found.start()]
            self._given += len(before)
            shown += before
            self.marks += [Mark(self._given, int(number)) for number in re.findall(r"\d+", found.group())]
            self._held = self._held[found.end() :]
        return shown
