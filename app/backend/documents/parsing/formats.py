"""Which module reads files of which kind. Each is imported when the first file of its kind is.

Their libraries are large; a child that reads a note must not load those for scans.
"""

from collections.abc import Callable, Iterator
from importlib import import_module

from app.backend.documents import media_types as kinds
from app.backend.documents.parsing.messages import Opened, ReadPage, Scanned
from app.backend.documents.parsing.source import Source
from app.errors import UnsupportedTypeError

Parser = Callable[[Source], Iterator[Opened | Scanned | ReadPage]]

# Kinds whose words may be in images.
PICTURED = frozenset({kinds.PDF, kinds.IMAGE})
_PARSERS = {
    kinds.PDF: "pdf",
    kinds.MARKDOWN: "markdown",
    kinds.TEXT: "text",
    kinds.DOCX: "docx",
    kinds.PPTX: "slides",
    kinds.XLSX: "sheets",
    kinds.ODS: "sheets",
    kinds.ODT: "odf",
    kinds.ODP: "odf",
    kinds.RTF: "rtf",
    kinds.HTML: "html",
    kinds.EPUB: "epub",
    kinds.CSV: "delimited",
    kinds.JSON: "json_text",
    kinds.XML: "xml_text",
    kinds.NOTEBOOK: "notebook",
    kinds.LATEX: "latex",
    kinds.RST: "rst",
    kinds.CODE: "source_code",
    kinds.MESSAGE: "mail",
    kinds.MAILBOX: "mailbox",
    kinds.OUTLOOK: "outlook",
    kinds.IMAGE: "image",
}


def read(source: Source, kind: str) -> Iterator[Opened | Scanned | ReadPage]:
    """The pages of a file of media type `kind`.

    Raises:
        UnsupportedTypeError: no parser for it.
        DocumentError: it cannot be read; the kinds of it say why.
        OSError: the system refuses.
    """
    name = _PARSERS.get(kind)
    if name is None:
        raise UnsupportedTypeError(f"Carrel cannot read files of the type {kind}.")
    parse: Parser = import_module(f"{__package__}.{name}").pages
    return parse(source)
