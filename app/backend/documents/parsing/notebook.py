"""Jupyter notebooks: their prose, code and what the code said, cell by cell."""

import json
from collections.abc import Iterator

from markdown_it import MarkdownIt

from app.backend.documents.parsing import markdown, text
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import Source
from app.errors import DamagedFileError

# What a cell printed can be the log of a night.
_LONGEST_OUTPUT = 10_000


def pages(source: Source) -> Iterator[ReadPage]:
    """Read a notebook of format 3 or 4.

    Raises:
        DamagedFileError: it is no notebook.
        ParserLimitError: it is larger than can be held in memory.
        OSError: it cannot be read.
    """
    try:
        notebook = json.loads(text.whole(source))
    except (ValueError, RecursionError):
        raise DamagedFileError("The notebook is broken: it is not complete JSON.") from None
    cells = list(_cells(notebook))
    if not isinstance(notebook, dict) or not ("cells" in notebook or "worksheets" in notebook):
        raise DamagedFileError("This is not a notebook, although its name says so.")
    manuscript = Manuscript()
    blocks = MarkdownIt("commonmark")
    language = _language(notebook)
    for cell in cells:
        written = _joined(cell.get("source", cell.get("input")))
        kind = cell.get("cell_type")
        if kind == "markdown":
            manuscript.include(markdown.with_headings(ReadPage(0, written.strip()), blocks, blocks), 0)
        elif kind == "heading":
            level = cell.get("level")
            manuscript.heading(level if isinstance(level, int) else 1, written)
        elif kind == "code":
            manuscript.code(written, language)
            for output in _outputs(cell):
                manuscript.code(output, "output")
        else:
            manuscript.paragraph(written)
    yield from manuscript.turn()


def _cells(notebook: object) -> Iterator[dict[str, object]]:
    """The cells, in whatever place the format's version has them."""
    if not isinstance(notebook, dict):
        return
    sheets = notebook.get("worksheets")
    for sheet in [notebook, *(sheets if isinstance(sheets, list) else [])]:
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        for cell in cells if isinstance(cells, list) else []:
            if isinstance(cell, dict):
                yield cell


def _language(notebook: dict[str, object]) -> str:
    metadata = notebook.get("metadata")
    for key in ("kernelspec", "language_info"):
        place = metadata.get(key) if isinstance(metadata, dict) else None
        name = (place.get("language") or place.get("name")) if isinstance(place, dict) else None
        if isinstance(name, str) and name.isalnum():
            return name
    return ""


def _outputs(cell: dict[str, object]) -> Iterator[str]:
    """What is text of a cell's results: printed, returned, or the end of an error."""
    outputs = cell.get("outputs")
    for output in outputs if isinstance(outputs, list) else []:
        if not isinstance(output, dict):
            continue
        data = output.get("data")
        plain = data.get("text/plain") if isinstance(data, dict) else None
        said = _joined(output.get("text")) or _joined(plain)
        if output.get("output_type") in ("error", "pyerr"):
            said = f"{output.get('ename')}: {output.get('evalue')}"
        yield said[:_LONGEST_OUTPUT]


def _joined(value: object) -> str:
    """Text that may be written as a list of lines."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""
