"""Tables of an answer: thin lines, words on the line grid."""

from markdown_it.token import Token
from PySide6.QtGui import (
    QTextBlockFormat,
    QTextCharFormat,
    QTextCursor,
    QTextFrameFormat,
    QTextTable,
    QTextTableCellFormat,
    QTextTableFormat,
)

from app.ui.theme import Theme

_FIXED = int(QTextBlockFormat.LineHeightTypes.FixedHeight.value)


def rows_of(tokens: list[Token]) -> list[list[Token]]:
    """The cells of each row, as tokens of inline text; the first row is the heading."""
    rows: list[list[Token]] = []
    for token in tokens:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline" and rows:
            rows[-1].append(token)
    return rows


def insert_table(cursor: QTextCursor, rows: int, columns: int, theme: Theme) -> QTextTable:
    """An empty table at the cursor."""
    shape = QTextTableFormat()
    shape.setBorder(1)
    shape.setBorderBrush(theme.colour("line"))
    shape.setBorderStyle(QTextFrameFormat.BorderStyle.BorderStyle_Solid)
    shape.setBorderCollapse(True)
    shape.setCellPadding(0)
    shape.setCellSpacing(0)
    shape.setHeaderRowCount(1)
    return cursor.insertTable(rows, columns, shape)


def enter_cell(table: QTextTable, row: int, column: int, theme: Theme) -> tuple[QTextCursor, QTextCharFormat]:
    """A cursor in a cell, and the format of its words."""
    style = QTextCharFormat()
    style.setFont(theme.font("control"))
    style.setForeground(theme.colour("ink"))
    if row == 0:
        theme.embolden(style)
    place = table.cellAt(row, column)
    room = QTextTableCellFormat()
    room.setLeftPadding(10)
    room.setRightPadding(10)
    # Uneven, because a line of fixed height keeps its words at its foot.
    room.setTopPadding(3)
    room.setBottomPadding(7)
    place.setFormat(room)
    cursor = place.firstCursorPosition()
    shape = QTextBlockFormat()
    shape.setLineHeight(theme.line("control"), _FIXED)
    cursor.setBlockFormat(shape)
    return cursor, style
