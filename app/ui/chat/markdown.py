"""Writes Markdown into a text document, block by block.

The answer streams, and laying out the whole of it 30 times a second is what makes chat windows
stutter. So the source is cut into its top-level blocks; blocks that are complete stay as they are,
and only the last one is written again. Raw HTML is shown as the text it is; images are shown as
their description; nothing is ever loaded.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt
from markdown_it.token import Token
from PySide6.QtGui import (
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextOption,
)

from app.ui.chat.marks import (
    UNDERLINED,
    Mark,
    chip_format,
    cleaned,
    tag_format,
    unwoven,
    without_marks,
    woven,
)
from app.ui.chat.tables import enter_cell, insert_table, rows_of
from app.ui.theme import MONO, Space, Theme

CODE_BLOCK = QTextFormat.Property.UserProperty + 11
QUOTE_BLOCK = QTextFormat.Property.UserProperty + 12
RULE_BLOCK = QTextFormat.Property.UserProperty + 13
INLINE_CODE = QTextFormat.Property.UserProperty + 14
_OBJECT = "\ufffc"
_GLUE = "\u2060"
_FIXED = int(QTextBlockFormat.LineHeightTypes.FixedHeight.value)


@dataclass(slots=True)
class _Block:
    """A top-level block: where it begins in the source (offset) and in the document (position)."""

    source: int
    position: int


class MarkdownWriter:
    """Keeps a QTextDocument equal to a Markdown text that grows. GUI thread only."""

    def __init__(self, document: QTextDocument, theme: Theme, name_of: Callable[[int], str]) -> None:
        self._document = document
        self._theme = theme
        self._name_of = name_of
        self._parser = _parser()
        self._text = ""
        self._marks: list[Mark] = []
        self._blocks: list[_Block] = []

    @property
    def text(self) -> str:
        return self._text

    def append(self, text: str) -> None:
        """Add to the end; only the last block is laid out again."""
        self._text += cleaned(text)
        self._write_from(self._blocks[-1] if self._blocks else _Block(0, 0))

    def replace(self, text: str, marks: list[Mark]) -> None:
        """Take another text and other marks; blocks before the first difference stay."""
        text = cleaned(text)
        same = _common(self._text, text)
        old, new = set(self._marks), set(marks)
        changed = [mark.at for mark in old ^ new]
        first = min([same, *changed])
        if same == len(text) == len(self._text) and not changed:
            return
        self._text, self._marks = text, marks
        kept = [block for block in self._blocks if block.source < first]
        self._write_from(kept[-1] if kept else _Block(0, 0))

    def rewrite(self) -> None:
        """Write everything again, in the colours and sizes that are in force now."""
        self._write_from(_Block(0, 0))

    def _write_from(self, block: _Block) -> None:
        self._blocks = [kept for kept in self._blocks if kept.source < block.source]
        source = woven(self._text[block.source :], self._marks, block.source)
        cursor = QTextCursor(self._document)
        cursor.beginEditBlock()
        cursor.setPosition(block.position)
        cursor.movePosition(QTextCursor.MoveOperation.End, QTextCursor.MoveMode.KeepAnchor)
        cursor.removeSelectedText()
        writing = _Writing(cursor, self._theme, self._name_of)
        starts = _line_starts(self._text[block.source :])
        tokens = self._parser.parse(source)
        at = 0
        while at < len(tokens):
            end = _end_of_block(tokens, at)
            lines = tokens[at].map
            line = lines[0] if lines else 0
            position = writing.begin()
            self._blocks.append(_Block(block.source + starts[min(line, len(starts) - 1)], position))
            writing.block(tokens[at:end])
            at = end
        cursor.endEditBlock()


class _Writing:
    """One run of writing at a cursor. The empty block it stands in is used first."""

    def __init__(self, cursor: QTextCursor, theme: Theme, name_of: Callable[[int], str]) -> None:
        self._cursor = cursor
        self._theme = theme
        self._name_of = name_of
        self._fresh = True
        self._underlined = False
        self._lists: list[int | None] = []  # next number of each open list; None: bullets
        self._quotes = 0

    def begin(self) -> int:
        """Stand in an empty block for the next top-level block; return its position."""
        if not self._fresh:
            self._cursor.insertBlock(QTextBlockFormat(), self._plain())
            self._fresh = True
        return self._cursor.position()

    def block(self, tokens: list[Token]) -> None:
        """Write one top-level block."""
        marker = ""
        at = 0
        while at < len(tokens):
            token = tokens[at]
            match token.type:
                case "bullet_list_open":
                    self._lists.append(None)
                case "ordered_list_open":
                    self._lists.append(int(token.attrGet("start") or 1))
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                    if not self._lists:
                        self._widen_last()
                case "list_item_open":
                    marker = self._next_marker()
                case "blockquote_open":
                    self._quotes += 1
                case "blockquote_close":
                    self._quotes -= 1
                case "paragraph_open" | "heading_open":
                    self._paragraph(tokens[at + 1], token, marker)
                    marker = ""
                case "fence" | "code_block":
                    self._code(token.content)
                case "hr":
                    self._rule()
                case "table_open":
                    end = next(i for i in range(at, len(tokens)) if tokens[i].type == "table_close")
                    self._table(tokens[at:end])
                    at = end
            at += 1

    def _paragraph(self, inline: Token, opening: Token, marker: str) -> None:
        shape = self._shape("answer")
        depth = len(self._lists) + self._quotes
        indent = self._theme.px(Space.WIDE - 2)
        shape.setLeftMargin(depth * indent)
        shape.setBottomMargin(Space.HAIR if self._lists else Space.MEDIUM)
        characters = self._plain()
        if opening.type == "heading_open":
            characters = self._heading(int(opening.tag[1:]))
            shape.setTopMargin(Space.SMALL if self._cursor.position() else 0)
            shape.setBottomMargin(Space.HAIR)
            shape.setHeadingLevel(int(opening.tag[1:]))
        if self._quotes:
            shape.setProperty(int(QUOTE_BLOCK), self._quotes)
        self._start_block(shape, characters)
        if marker:
            # Drawn as text with a hanging indent: the toolkit's own bullets ignore the line grid.
            shape.setTextIndent(-indent)
            self._cursor.setBlockFormat(self._with_tab(shape, indent))
            faint = QTextCharFormat(characters)
            faint.setForeground(self._theme.colour("ink3"))
            self._cursor.insertText(marker + "\t", faint)
        self._inline(inline.children or [], characters)

    def _widen_last(self) -> None:
        """The last line of a list keeps the distance of a paragraph."""
        shape = self._cursor.blockFormat()
        shape.setBottomMargin(Space.MEDIUM)
        self._cursor.setBlockFormat(shape)

    def _with_tab(self, shape: QTextBlockFormat, indent: int) -> QTextBlockFormat:
        tab = QTextBlockFormat(shape)
        tab.setTabPositions([QTextOption.Tab(indent, QTextOption.TabType.LeftTab)])
        return tab

    def _next_marker(self) -> str:
        number = self._lists[-1]
        if number is None:
            return "•"
        self._lists[-1] = number + 1
        return f"{number}."

    def _inline(self, tokens: list[Token], base: QTextCharFormat) -> None:
        styles: list[QTextCharFormat] = [base]
        for token in tokens:
            now = QTextCharFormat(styles[-1])
            match token.type:
                case "strong_open":
                    self._theme.embolden(now)
                    styles.append(now)
                case "em_open":
                    now.setFontItalic(True)
                    styles.append(now)
                case "s_open":
                    now.setFontStrikeOut(True)
                    styles.append(now)
                case "link_open":
                    target = without_marks(str(token.attrGet("href") or ""))
                    if target.startswith(("http://", "https://")):
                        now.setAnchor(True)
                        now.setAnchorHref(target)
                        now.setToolTip(target)
                        now.setForeground(self._theme.colour("accent"))
                        now.setFontUnderline(True)
                    styles.append(now)
                case "strong_close" | "em_close" | "s_close" | "link_close":
                    styles.pop()
                case "code_inline":
                    now.setFontFamilies([MONO])
                    now.setProperty(
                        int(QTextFormat.Property.FontPixelSize), self._theme.font("code").pixelSize()
                    )
                    now.setProperty(int(INLINE_CODE), True)
                    self._text(token.content, now)
                case "softbreak":
                    self._text(" ", now)
                case "hardbreak":
                    self._text("\u2028", now)
                case "image":
                    self._text(token.content, now)
                case _:
                    self._text(token.content, now)

    def _text(self, text: str, style: QTextCharFormat) -> None:
        for piece in unwoven(text):
            if isinstance(piece, str):
                shown = QTextCharFormat(style)
                if self._underlined:
                    shown.setProperty(int(UNDERLINED), True)
                self._cursor.insertText(piece, shown)
            elif piece.kind == "begin":
                self._underlined = True
            elif piece.kind == "close":
                self._underlined = False
                self._cursor.insertText(_OBJECT, tag_format())
            else:
                self._underlined = False
                # Glued to the word before it: a chip never stands alone on a line.
                self._cursor.insertText(_GLUE, style)
                self._cursor.insertText(
                    _OBJECT, chip_format(piece.number, piece.index, self._name_of(piece.number))
                )

    def _code(self, content: str) -> None:
        shape = self._shape("code")
        shape.setLeftMargin(Space.LARGE)
        shape.setRightMargin(Space.LARGE)
        style = QTextCharFormat()
        style.setFont(self._theme.font("code"))
        style.setForeground(self._theme.colour("ink"))
        lines = without_marks(content).rstrip("\n").split("\n")
        for number, line in enumerate(lines):
            here = QTextBlockFormat(shape)
            last = number == len(lines) - 1
            here.setProperty(int(CODE_BLOCK), "last" if last else "inner")
            here.setTopMargin(Space.MEDIUM + Space.SMALL if number == 0 else 0)
            here.setBottomMargin(Space.WIDE if last else 0)
            here.setNonBreakableLines(False)
            self._start_block(here, style)
            self._cursor.insertText(line, style)

    def _rule(self) -> None:
        shape = self._shape("answer")
        shape.setProperty(int(RULE_BLOCK), True)
        self._start_block(shape, self._plain())

    def _table(self, tokens: list[Token]) -> None:
        rows = rows_of(tokens)
        columns = max((len(row) for row in rows), default=0)
        if not columns:
            return
        thin = QTextBlockFormat()
        thin.setLineHeight(1, _FIXED)
        self._start_block(thin, self._plain())
        table = insert_table(self._cursor, len(rows), columns, self._theme)
        for row, cells in enumerate(rows):
            for column, cell in enumerate(cells):
                self._cursor, style = enter_cell(table, row, column, self._theme)
                self._inline(cell.children or [], style)
        # The line that a table is always followed by keeps the distance to what comes next.
        self._cursor.setPosition(table.lastPosition() + 1)
        after = QTextBlockFormat(thin)
        after.setBottomMargin(Space.MEDIUM)
        self._cursor.setBlockFormat(after)
        self._fresh = False

    def _start_block(self, shape: QTextBlockFormat, style: QTextCharFormat) -> None:
        if self._fresh:
            self._cursor.setBlockFormat(shape)
            self._cursor.setBlockCharFormat(style)
            self._fresh = False
        else:
            self._cursor.insertBlock(shape, style)

    def _shape(self, role: str) -> QTextBlockFormat:
        shape = QTextBlockFormat()
        shape.setLineHeight(self._theme.line(role), _FIXED)
        return shape

    def _plain(self) -> QTextCharFormat:
        style = QTextCharFormat()
        style.setFont(self._theme.font("answer"))
        style.setForeground(self._theme.colour("ink"))
        return style

    def _heading(self, level: int) -> QTextCharFormat:
        style = self._plain()
        self._theme.embolden(style)
        if level <= 2:
            style.setProperty(int(QTextFormat.Property.FontPixelSize), self._theme.px(16))
        return style


@cache
def _parser() -> MarkdownIt:
    """One for all answers: it keeps nothing between texts."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def _end_of_block(tokens: list[Token], at: int) -> int:
    """The index after the top-level block that begins at `at`."""
    level = 0
    for index in range(at, len(tokens)):
        level += tokens[index].nesting
        if level == 0:
            return index + 1
    return len(tokens)


def _line_starts(text: str) -> list[int]:
    starts = [0]
    starts += [at + 1 for at, character in enumerate(text) if character == "\n"]
    return starts


def _common(first: str, second: str) -> int:
    """The length of the common beginning."""
    if second.startswith(first):
        return len(first)
    for at, (one, other) in enumerate(zip(first, second, strict=False)):
        if one != other:
            return at
    return min(len(first), len(second))
