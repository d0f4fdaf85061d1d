"""Long documents of real text: what the Python standard library says of itself, bound into volumes.

Nothing is copied into the repository: the language reference (`pydoc_data.topics`) and the docstrings
are on every machine that runs the tests, under the PSF licence.
"""

import ast
import importlib
import importlib.util
import inspect
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pydoc_data.topics import topics
from types import ModuleType
from typing import Literal

Kind = Literal["chapter", "heading", "prose", "code"]
_PARAGRAPH = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a volume that is set in one way; `code` keeps its lines."""

    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class Volume:
    """One document: its title, and what is bound in it, topics of the reference or modules.

    `sources` are modules that are read and not imported: not every Python has what they need.
    """

    title: str
    topics: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    columns: int = 1

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.title}.pdf"

    def blocks(self) -> Iterator[Block]:
        """What stands in it, in order."""
        for topic in self.topics:
            yield from _topic(topics[topic])
        for name in self.modules:
            yield from _module(importlib.import_module(name))
        for name in self.sources:
            yield from _source(name)


VOLUMES = (
    Volume("Special methods", topics=("specialnames",)),
    Volume("Compound statements", topics=("compound",)),
    Volume("The data model", topics=("types", "objects")),
    Volume("Strings and their formats", topics=("formatstrings", "strings", "operator-summary", "power")),
    Volume("String methods and mappings", topics=("string-methods", "typesmapping")),
    Volume("Sequences and expressions", topics=("typesseq", "comparisons", "calls", "booleans", "lambda")),
    Volume(
        "Names, imports and simple statements",
        topics=("execmodel", "import", "assignment", "identifiers", "raise", "assert", "del", "global"),
    ),
    Volume(
        "The debugger and profiling", topics=("debugger",), modules=("profile", "pstats", "timeit", "trace")
    ),
    Volume("Asynchronous programming", modules=("asyncio",), columns=2),
    Volume("Command lines and settings", modules=("argparse", "optparse", "configparser", "getopt", "cmd")),
    Volume("Numbers", modules=("decimal", "fractions", "statistics", "random", "math"), columns=2),
    Volume(
        "Comparing and shaping text", modules=("difflib", "textwrap", "string", "re", "pprint", "gettext")
    ),
    Volume("Tests in docstrings and mocks", modules=("doctest", "unittest.mock")),
    Volume("Unit tests and tracebacks", modules=("unittest", "traceback", "warnings", "code")),
    Volume("Mail", modules=("email.message", "smtplib", "imaplib", "mailbox"), columns=2),
    Volume("The web", modules=("http.client", "urllib.request", "urllib.parse", "ftplib", "xmlrpc.server")),
    Volume("Looking inside objects", modules=("inspect", "types", "ast", "dis")),
    Volume("Logging", modules=("logging", "logging.handlers", "logging.config")),
    Volume("Archives and pickles", modules=("pickle", "pickletools", "shelve", "zipfile", "tarfile", "gzip")),
    Volume("Sockets", modules=("socket", "ssl", "socketserver", "selectors")),
    Volume("Turtle graphics", sources=("turtle",)),
    Volume("Types, enumerations and collections", modules=("typing", "enum", "collections", "functools")),
    Volume("Threads and processes", modules=("threading", "subprocess", "multiprocessing", "queue", "sched")),
    Volume("Files and folders", modules=("os", "pathlib", "shutil", "tempfile", "glob", "filecmp")),
)


def _topic(text: str) -> Iterator[Block]:
    """A topic of the reference; its titles are underlined with stars or hyphens."""
    for paragraph in _PARAGRAPH.split(text.strip("\n")):
        lines = paragraph.split("\n")
        underlined = len(lines) == 2 and re.fullmatch(r"([*=~-])\1{2,}", lines[1].strip())
        if underlined:
            yield Block("chapter" if underlined[1] == "*" else "heading", lines[0].strip())
        else:
            yield from _paragraph(paragraph)


def _module(module: ModuleType) -> Iterator[Block]:
    """A module's own docstring, then its public classes with their methods, and its functions."""
    yield Block("chapter", module.__name__)
    yield from _paragraphs(_docstring(module))
    for name, value in sorted(vars(module).items()):
        if name.startswith("_") or not _belongs(value, module):
            continue
        if inspect.isclass(value) or inspect.isroutine(value):
            yield from _described(name, value)
        if inspect.isclass(value):
            for part, member in vars(value).items():
                if not part.startswith("_"):
                    yield from _described(f"{name}.{part}", member)


def _source(name: str) -> Iterator[Block]:
    """As `_module`, from the module's source."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).read_text("utf-8"))
    yield Block("chapter", name)
    yield from _paragraphs(ast.get_docstring(tree))
    for owner in sorted(_public(tree), key=lambda node: node.name):
        yield from _headed(owner.name, ast.get_docstring(owner))
        if isinstance(owner, ast.ClassDef):
            for member in _public(owner):
                yield from _headed(f"{owner.name}.{member.name}", ast.get_docstring(member))


def _public(owner: ast.Module | ast.ClassDef) -> list[ast.ClassDef | ast.FunctionDef]:
    return [
        node
        for node in owner.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    ]


def _belongs(value: object, module: ModuleType) -> bool:
    home = str(getattr(value, "__module__", None) or "").split(".")[0].lstrip("_")
    return home == module.__name__.split(".")[0]


def _described(name: str, value: object) -> Iterator[Block]:
    if inspect.isroutine(value) or inspect.isclass(value) or isinstance(value, property):
        yield from _headed(name, _docstring(value))


def _docstring(value: object) -> str | None:
    with warnings.catch_warnings(action="ignore"):  # some only say that they are deprecated
        text = getattr(value, "__doc__", None)
    return inspect.cleandoc(text) if isinstance(text, str) else None


def _headed(name: str, text: str | None) -> Iterator[Block]:
    if blocks := list(_paragraphs(text)):
        yield Block("heading", name)
        yield from blocks


def _paragraphs(text: str | None) -> Iterator[Block]:
    for paragraph in _PARAGRAPH.split(text or ""):
        yield from _paragraph(paragraph)


def _paragraph(paragraph: str) -> Iterator[Block]:
    """Prose is set anew; examples, tables and lists keep their lines."""
    lines = paragraph.strip("\n").split("\n")
    if not paragraph.strip():
        return
    starts = {len(line) - len(line.lstrip()) for line in lines}
    marked = any(re.match(r"\s*(?:>>>|\.\.\.|[-*+|]\s|[-+=|]{3})", line) for line in lines)
    if len(starts) == 1 and not marked and not re.search(r"\S {3,}\S", paragraph):
        yield Block("prose", " ".join(line.strip() for line in lines))
    else:
        yield Block("code", "\n".join(lines))
