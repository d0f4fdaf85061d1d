"""What stands in an answer beside its words: source chips, and "not in your documents".

Both are inline objects of the text document, so they wrap with the words and are never broken.
Their places come as Marks: offsets into the answer's Markdown. `woven` puts them into the source
as characters that no text may hold (Unicode noncharacters), which the Markdown parser carries
through; the writer turns them back into Marks.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import (
    QFontMetricsF,
    QPainter,
    QPyTextObject,
    QTextCharFormat,
    QTextDocument,
    QTextFormat,
)

from app.records import Citation
from app.ui.paint import line_of_text, rounded
from app.ui.theme import Radius, Size, Theme

UNSUPPORTED = "not in your documents"
CHIP_OBJECT = QTextFormat.ObjectTypes.UserObject + 1
TAG_OBJECT = QTextFormat.ObjectTypes.UserObject + 2
NUMBER = QTextFormat.Property.UserProperty + 1  # a chip's source number
UNDERLINED = QTextFormat.Property.UserProperty + 2  # text of an unsupported sentence
SENTENCE = QTextFormat.Property.UserProperty + 3  # a chip's index among the citations

_BEGIN, _CLOSE, _MARK, _DIGIT = "\ufdd0", "\ufdd1", "\ufdd2", 0xFDD4
_NONCHARACTERS = re.compile("[\ufdd0-\ufdef]")
_WOVEN = re.compile("\ufdd0|\ufdd1|\ufdd2([\ufdd4-\ufddd]+)\ufdd3")
_DELIMITERS = "*_~"
_BLOCK_MARKS = re.compile(r"(?:(?:[-*+]|\d{1,9}[.)]|#{1,6}|>)[ \t]+)+")


@dataclass(frozen=True, slots=True)
class Mark:
    """At offset `at` of the answer: where dots begin and the tag closes them, or a chip, which does, too."""

    at: int
    kind: str  # "begin", "close", "chip"
    number: int = 0
    index: int = 0


def cleaned(text: str) -> str:
    """`text` without the characters that `woven` uses; offsets stay the same."""
    return _NONCHARACTERS.sub("\ufffd", text)


def marks_of(citations: Sequence[Citation], text: str) -> list[Mark]:
    """The marks of an answer's citations, in the order of their places."""
    marks: list[Mark] = []
    for index, citation in enumerate(citations):
        start, end = _inside(text, citation.start, citation.end)
        if end <= start:
            continue
        if citation.verdict == "unsupported":
            marks += [Mark(start, "begin"), Mark(end, "close")]
        elif citation.source is not None:
            if citation.verdict == "partly":  # dots under it, too: its chip ends them
                marks.append(Mark(start, "begin"))
            marks.append(Mark(end, "chip", citation.source, index))
    return sorted(marks, key=lambda mark: mark.at)


def woven(text: str, marks: Iterable[Mark], start: int) -> str:
    """`text`, which begins at offset `start` of the answer, with the marks put in."""
    parts: list[str] = []
    at = 0
    for mark in marks:
        place = mark.at - start
        if not 0 <= place <= len(text) or (place == 0 and mark.kind != "begin"):
            continue
        parts.append(text[at:place])
        at = place
        if mark.kind == "begin":
            parts.append(_BEGIN)
        elif mark.kind == "close":
            parts.append(_CLOSE)
        else:
            digits = f"{len(str(mark.index))}{mark.index}{mark.number}"
            parts.append(_MARK + "".join(chr(_DIGIT + int(digit)) for digit in digits) + "\ufdd3")
    parts.append(text[at:])
    return "".join(parts)


def unwoven(text: str) -> list[str | Mark]:
    """The pieces of a text that came through the parser: words, and marks between them."""
    pieces: list[str | Mark] = []
    at = 0
    for found in _WOVEN.finditer(text):
        if found.start() > at:
            pieces.append(text[at : found.start()])
        at = found.end()
        if found.group() == _BEGIN:
            pieces.append(Mark(0, "begin"))
        elif found.group() == _CLOSE:
            pieces.append(Mark(0, "close"))
        else:
            digits = "".join(str(ord(character) - _DIGIT) for character in found.group(1))
            width = int(digits[0])
            pieces.append(Mark(0, "chip", int(digits[1 + width :]), int(digits[1 : 1 + width])))
    if at < len(text):
        pieces.append(text[at:])
    return pieces


def without_marks(text: str) -> str:
    """A text that came through the parser, as it was written."""
    return _WOVEN.sub("", text)


class Chip(QPyTextObject):
    """Draws the number of a source; `is_open` says whether the reader shows it now."""

    def __init__(self, theme: Theme, is_open: Callable[[int, int], bool], parent: QTextDocument) -> None:
        super().__init__(parent)
        self._theme = theme
        self._is_open = is_open
        self.focused: int | None = None

    def intrinsicSize(self, doc: QTextDocument, posInDocument: int, format: QTextFormat) -> QSizeF:  # noqa: A002
        side = self._theme.px(Size.CHIP)
        return QSizeF(max(side, self._text_width(format) + 8) + 3, side)

    def drawObject(
        self,
        painter: QPainter,
        rect: QRectF | QRect,
        doc: QTextDocument,
        posInDocument: int,
        format: QTextFormat,  # noqa: A002
    ) -> None:
        number, index = int(format.property(NUMBER)), int(format.property(SENTENCE))
        side = self._theme.px(Size.CHIP)
        # Raised: the chip then stands around the middle of the small letters.
        lift = 2.5 * self._theme.scale
        box = QRectF(rect.left() + 3, rect.top() + (rect.height() - side) / 2 - lift, rect.width() - 3, side)
        is_open = self._is_open(number, index)
        painter.save()
        rounded(painter, box, Radius.CHIP, self._theme.colour("accent" if is_open else "soft"))
        if self.focused == posInDocument:
            around = box.adjusted(-3, -3, 3, 3)
            rounded(painter, around, Radius.CHIP + 2, None, self._theme.colour("accent"), width=1.5)
        painter.setFont(self._theme.font("label"))
        ink = self._theme.colour("on_accent" if is_open else "accent")
        line_of_text(painter, box, str(number), ink, centred=True, elide=Qt.TextElideMode.ElideNone)
        painter.restore()

    def _text_width(self, format: QTextFormat) -> float:  # noqa: A002
        return QFontMetricsF(self._theme.font("label")).horizontalAdvance(str(format.property(NUMBER)))


class Tag(QPyTextObject):
    """Draws the words that follow an unsupported sentence."""

    def __init__(self, theme: Theme, parent: QTextDocument) -> None:
        super().__init__(parent)
        self._theme = theme

    def intrinsicSize(self, doc: QTextDocument, posInDocument: int, format: QTextFormat) -> QSizeF:  # noqa: A002
        metrics = QFontMetricsF(self._theme.font("tag"))
        return QSizeF(metrics.horizontalAdvance(UNSUPPORTED) + 8, metrics.ascent())

    def drawObject(
        self,
        painter: QPainter,
        rect: QRectF | QRect,
        doc: QTextDocument,
        posInDocument: int,
        format: QTextFormat,  # noqa: A002
    ) -> None:
        painter.save()
        painter.setFont(self._theme.font("tag"))
        painter.setPen(self._theme.colour("warn"))
        painter.drawText(QPointF(rect.left() + 6, rect.bottom()), UNSUPPORTED)
        painter.restore()


def chip_format(number: int, index: int, name: str) -> QTextCharFormat:
    """The format of a chip: an object, and a link that the keyboard reaches."""
    made = QTextCharFormat()
    made.setObjectType(int(CHIP_OBJECT))
    made.setProperty(int(NUMBER), number)
    made.setProperty(int(SENTENCE), index)
    made.setToolTip(name)
    made.setVerticalAlignment(QTextCharFormat.VerticalAlignment.AlignMiddle)
    made.setAnchor(True)
    made.setAnchorHref(f"source:{index}:{number}")
    return made


def tag_format() -> QTextCharFormat:
    made = QTextCharFormat()
    made.setObjectType(int(TAG_OBJECT))
    made.setToolTip("None of the passages that were read supports this sentence.")
    return made


def _inside(text: str, start: int, end: int) -> tuple[int, int]:
    """Keep the places of a sentence off white space, block marks, emphasis and table cells."""
    while start < end and text[start].isspace():
        start += 1
    if not text[:start].rpartition("\n")[2].strip(" \t>") and (found := _BLOCK_MARKS.match(text, start, end)):
        start = found.end()
    while start < end and (text[start].isspace() or text[start] in _DELIMITERS or text[start] == "|"):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in _DELIMITERS or text[end - 1] == "|"):
        end -= 1
    return start, end
