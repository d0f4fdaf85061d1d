"""What an answer draws around its words: boxes of code, bars of quotes, rules, dotted lines."""

from collections.abc import Iterator
from typing import cast

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QTextBlock, QTextDocument, QTextLine

from app.ui.chat.markdown import CODE_BLOCK, INLINE_CODE, QUOTE_BLOCK, RULE_BLOCK
from app.ui.chat.marks import UNDERLINED
from app.ui.chat.stops import Stop
from app.ui.paint import ring, rounded
from app.ui.theme import Radius, Space, Theme


def paint_behind(
    painter: QPainter, document: QTextDocument, theme: Theme, width: float, clip: QRectF
) -> None:
    """Draw what stands behind the words."""
    for code in _code_boxes(document, width):
        if code.intersects(clip):
            rounded(painter, code, Radius.CARD, theme.colour("sheet"), theme.colour("line"))
    # A line of fixed height keeps its words at its foot; this brings a bar level with them.
    drop = 4 * theme.scale
    for block, box in _blocks(document, clip):
        shape = block.blockFormat()
        if shape.hasProperty(int(QUOTE_BLOCK)):
            bar = QRectF(1, box.top() + drop, 3, block.layout().boundingRect().height())
            rounded(painter, bar, 1.5, theme.colour("handle"))
        elif shape.hasProperty(int(RULE_BLOCK)):
            painter.fillRect(QRectF(0, box.center().y(), width, 1), theme.colour("line"))
        for start, end in _stretches(block, int(INLINE_CODE)):
            for line, left, right in _lines(block, start, end):
                top = box.top() + line.y() + line.ascent() - 13 * theme.scale
                back = QRectF(box.left() + left - 2, top, right - left + 4, 18 * theme.scale)
                rounded(painter, back, 4, theme.colour("hover"))


def paint_dots(painter: QPainter, document: QTextDocument, theme: Theme, clip: QRectF) -> None:
    """Draw the dotted line under what no passage supports."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    pen = QPen(theme.colour("warn"), 1.5 * max(1.0, theme.scale * 0.8))
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    pen.setDashPattern([1.0, 1.0])
    painter.setPen(pen)
    for block, box in _blocks(document, clip):
        for start, end in _stretches(block, int(UNDERLINED)):
            for line, left, right in _lines(block, start, end):
                y = round(box.top() + line.y() + line.ascent() + 4 * theme.scale) + 0.25
                painter.drawLine(QPointF(box.left() + left, y), QPointF(box.left() + right, y))


def paint_ring(painter: QPainter, document: QTextDocument, theme: Theme, stop: Stop) -> None:
    """Draw the focus ring around a link that was reached by keyboard."""
    block = document.findBlock(stop.start)
    box = document.documentLayout().blockBoundingRect(block)
    for line, left, right in _lines(block, stop.start - block.position(), stop.end - block.position()):
        top = box.top() + line.y() + line.ascent() - 15 * theme.scale
        around = QRectF(box.left() + left - 3, top, right - left + 6, 21 * theme.scale)
        ring(painter, around, Radius.CHIP, theme)


def _blocks(document: QTextDocument, clip: QRectF) -> Iterator[tuple[QTextBlock, QRectF]]:
    """The blocks in sight, with their rectangles."""
    layout = document.documentLayout()
    block = document.begin()
    while block.isValid():
        box = layout.blockBoundingRect(block)
        if box.top() <= clip.bottom() and box.bottom() >= clip.top() - Space.WIDE:
            yield block, box
        block = block.next()


def _code_boxes(document: QTextDocument, width: float) -> Iterator[QRectF]:
    """One box around each run of code lines."""
    layout = document.documentLayout()
    block = document.begin()
    run: QRectF | None = None
    while block.isValid():
        if block.blockFormat().hasProperty(int(CODE_BLOCK)):
            box = layout.blockBoundingRect(block)
            run = box if run is None else run.united(box)
            last = block.blockFormat().property(int(CODE_BLOCK)) == "last"
            if last:
                # The margins above the first and below the last line are inside the box.
                yield QRectF(0, run.top() - Space.SMALL, width, run.height() + Space.LARGE + Space.HAIR)
                run = None
        block = block.next()


def _stretches(block: QTextBlock, name: int) -> list[tuple[int, int]]:
    """Stretches of a block (offsets within it) whose words have a property, joined."""
    found: list[tuple[int, int]] = []
    iterator = block.begin()
    while not iterator.atEnd():
        fragment = iterator.fragment()
        if fragment.charFormat().hasProperty(name):
            start = fragment.position() - block.position()
            end = start + fragment.length()
            if found and found[-1][1] == start:
                found[-1] = (found[-1][0], end)
            else:
                found.append((start, end))
        iterator += 1
    return found


def _lines(block: QTextBlock, start: int, end: int) -> Iterator[tuple[QTextLine, float, float]]:
    """The lines that a stretch runs over, each with the left and right end of its part."""
    layout = block.layout()
    for number in range(layout.lineCount()):
        line = layout.lineAt(number)
        first, last = max(start, line.textStart()), min(end, line.textStart() + line.textLength())
        if first >= last:
            continue
        # White space that a line ends with hangs beyond it.
        if last == line.textStart() + line.textLength() and block.text()[last - 1 : last] == " ":
            last -= 1
        one, other = _x(line, first), _x(line, last)
        yield line, min(one, other), max(one, other)


def _x(line: QTextLine, position: int) -> float:
    """Qt's stubs call the pair that comes back an object."""
    found = line.cursorToX(position)
    return float(found[0] if isinstance(found, tuple) else cast(float, found))
