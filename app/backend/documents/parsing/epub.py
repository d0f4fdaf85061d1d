"""Electronic books (EPUB): the chapters in the order they are read."""

from collections.abc import Iterator
from urllib.parse import unquote

from app.backend.documents.parsing import html
from app.backend.documents.parsing.archive import Archive, open_archive, resolved
from app.backend.documents.parsing.manuscript import Manuscript
from app.backend.documents.parsing.messages import Opened, ReadPage
from app.backend.documents.parsing.source import Held, Source, depth_of
from app.backend.documents.parsing.xml_tree import local, parse
from app.errors import DamagedFileError, EncryptedFileError

_CONTAINER = "META-INF/container.xml"
# Fonts may be obfuscated in a book that everybody can read; its chapters may not.
_ENCRYPTION = "META-INF/encryption.xml"
_CHAPTERS = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document"})


def pages(source: Source) -> Iterator[Opened | ReadPage]:
    """Read a book chapter by chapter; each begins a page.

    Raises:
        EncryptedFileError: it is protected by its seller.
        DamagedFileError, ParserLimitError, OSError: as `open_archive`.
    """
    with open_archive(source) as archive:
        chapters = list(_chapters(archive))
        if _protected(archive) & set(chapters):
            raise EncryptedFileError
        if not chapters:
            raise DamagedFileError("The book is broken: it names no chapters.")
        yield Opened(len(chapters))
        manuscript = Manuscript()
        for name in chapters:
            data = archive.read(name)
            markup = html.decoded(data, Held(name, data, depth_of(source) + 1))
            html.write(manuscript, markup)
            yield from manuscript.turn()


def _chapters(archive: Archive) -> Iterator[str]:
    """The members that are read one after the other, as the book's spine has them."""
    data = archive.get(_CONTAINER)
    if data is None:
        raise DamagedFileError("This is not an electronic book, although its name says so.")
    root = next((part.get("full-path") for part in parse(data).iter() if local(part) == "rootfile"), None)
    if not root:
        raise DamagedFileError("The book is broken: its table of contents is missing.")
    package = parse(archive.read(root))
    members: dict[str, str] = {}
    for item in package.iter():
        if local(item) != "item" or item.get("media-type") not in _CHAPTERS:
            continue
        if "nav" not in (item.get("properties") or "").split():
            members[item.get("id", "")] = resolved(root, unquote(item.get("href", "")))
    for reference in package.iter():
        if local(reference) == "itemref":
            name = members.pop(reference.get("idref", ""), None)
            if name in archive.names:
                yield name


def _protected(archive: Archive) -> set[str]:
    data = archive.get(_ENCRYPTION)
    if data is None:
        return set()
    return {unquote(part.get("URI", "")) for part in parse(data).iter() if local(part) == "CipherReference"}
