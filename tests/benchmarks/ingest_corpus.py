"""A folder of real texts as a person has them: the documentation of Python's own modules, in four forms."""

import importlib
import pkgutil
import pydoc
import sys
import warnings
from pathlib import Path

from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

LINES_OF_A_PAGE = 52
_LONGEST = 96  # characters of a line
_LEAST = 1_500  # characters worth a file


def write(folder: Path, files: int) -> int:
    """Write so many files, PDFs half of them, the rest web pages, Markdown and plain text.

    Returns how many pages they have; of what has none, `LINES_OF_A_PAGE` lines count as one.
    """
    folder.mkdir(parents=True)
    pages = written = 0
    for name in sorted(
        module.name for module in pkgutil.iter_modules() if module.name in sys.stdlib_module_names
    ):
        if written == files:
            break
        text = _documentation(name)
        if len(text) < _LEAST:
            continue
        lines = [line[:_LONGEST] for line in text.splitlines()]
        pages += -(-len(lines) // LINES_OF_A_PAGE)
        kind = ("pdf", "html", "pdf", "txt", "pdf", "md")[written % 6]
        if kind == "pdf":
            _print(folder / f"{name}.pdf", lines)
        elif kind == "html":
            paragraphs = "".join(f"<p>{pydoc.html.escape(part)}</p>" for part in text.split("\n\n"))
            (folder / f"{name}.html").write_text(
                f"<html><title>{name}</title><body><h1>{name}</h1>{paragraphs}</body></html>", "utf-8"
            )
        else:
            (folder / f"{name}.{kind}").write_text(f"# {name}\n\n{text}", "utf-8")
        written += 1
    return pages


def _documentation(name: str) -> str:
    if name.startswith("_") or name in {"antigravity", "this", "idlelib", "test"}:
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return pydoc.plain(pydoc.render_doc(importlib.import_module(name)))
    except (ImportError, SystemExit):
        return ""


def _print(path: Path, lines: list[str]) -> None:
    canvas = Canvas(str(path), pagesize=A4, invariant=True)
    for begin in range(0, len(lines), LINES_OF_A_PAGE):
        canvas.setFont("Helvetica", 9)
        for number, line in enumerate(lines[begin : begin + LINES_OF_A_PAGE]):
            canvas.drawString(40, 800 - 14 * number, line.encode("cp1252", "replace").decode("cp1252"))
        canvas.showPage()
    canvas.save()
