"""Tables as text (CSV, TSV), with whatever separates their columns, as Markdown tables."""

import csv
from collections.abc import Iterator
from itertools import islice

from app.backend.documents.parsing import text
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import Source

_SAMPLE_LINES = 20
_SEPARATORS = ",;\t|"
# Rows between which a page may end; the first row of the file heads each table.
_ROWS = 2_000
_LONGEST_FIELD = 1 << 30


def pages(source: Source) -> Iterator[ReadPage]:
    """Read the table in parts, each under the first row.

    Raises:
        ParserLimitError: it is larger than can be held in memory.
        OSError: it cannot be read.
    """
    written = text.whole(source)
    csv.field_size_limit(_LONGEST_FIELD)
    lines = written.splitlines(keepends=True)
    rows = _rows(lines)
    head = next(rows, [])
    manuscript = Manuscript()
    # The first part is written even if it is empty: a table may have nothing but its first row.
    part = list(islice(rows, _ROWS))
    while True:
        manuscript.table([head, *part])
        yield from manuscript.turn()
        part = list(islice(rows, _ROWS))
        if not part:
            return


def _rows(lines: list[str]) -> Iterator[list[str]]:
    """The rows that are not blank; one that breaks the format is left out."""
    reader = csv.reader(lines, delimiter=separator(lines[:_SAMPLE_LINES]))
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        if any(cell.strip() for cell in row):
            yield row


def separator(lines: list[str]) -> str:
    """What separates the columns: what most lines have equally often, more often before less."""
    best, most = ",", (0, 0)
    for candidate in _SEPARATORS:
        counts = [len(row) - 1 for row in csv.reader(lines, delimiter=candidate) if row]
        if not counts or not max(counts):
            continue
        usual = max(set(counts), key=counts.count)
        rank = (counts.count(usual) if usual else 0, usual)
        if rank > most:
            best, most = candidate, rank
    return best
