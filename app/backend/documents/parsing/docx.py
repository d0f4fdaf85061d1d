"""Word documents (DOCX): headings by their styles, lists, tables, foot- and endnotes.

Headers and footers are not read: they would stand between the paragraphs of every page.
"""

from collections.abc import Iterator

import mammoth

from app.backend.documents.parsing import html, xml_tree
from app.backend.documents.parsing.archive import Archive, open_archive
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import ReadPage
from app.backend.documents.parsing.source import Source, open_source
from app.errors import AppError, DamagedFileError

_STYLES = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
p[style-name='heading 7'] => h6:fresh
"""


def pages(source: Source) -> Iterator[ReadPage]:
    """Read a document.

    Raises:
        DamagedFileError, EncryptedFileError, ParserLimitError, OSError: as `open_archive`.
    """
    with open_archive(source) as archive:
        _check(archive)
    with open_source(source) as file:
        try:
            markup = mammoth.convert_to_html(
                file, style_map=_STYLES, convert_image=mammoth.images.img_element(lambda _: {"src": ""})
            ).value
        except (AppError, OSError, MemoryError):
            raise
        except Exception as error:
            # mammoth lets through whatever the libraries below it raise.
            raise DamagedFileError("The document is broken: its parts do not fit together.") from error
    manuscript = Manuscript()
    html.write(manuscript, markup)
    yield from manuscript.turn()


def _check(archive: Archive) -> None:
    """Look at the parts first: mammoth would read entities and any depth."""
    if not any(name.startswith("word/") for name in archive.names):
        raise DamagedFileError("This is not a Word document, although its name says so.")
    for name in archive.names:
        if name.endswith((".xml", ".rels")):
            xml_tree.parse(archive.read(name))
