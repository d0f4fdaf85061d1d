"""What kind of file it is: by what it holds first, by its name only where that cannot tell."""

import re
from pathlib import PurePath

from app.errors import UnsupportedTypeError

PDF = "application/pdf"
MARKDOWN = "text/markdown"
TEXT = "text/plain"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ODT = "application/vnd.oasis.opendocument.text"
ODP = "application/vnd.oasis.opendocument.presentation"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
EPUB = "application/epub+zip"
RTF = "application/rtf"
HTML = "text/html"
CSV = "text/csv"
JSON = "application/json"
XML = "application/xml"
NOTEBOOK = "application/x-ipynb+json"
LATEX = "application/x-tex"
RST = "text/x-rst"
CODE = "text/x-code"
MESSAGE = "message/rfc822"
MAILBOX = "application/mbox"
OUTLOOK = "application/vnd.ms-outlook"
IMAGE = "image/*"

# As many bytes of a file as `media_type` wants to see.
HEAD_BYTES = 4096

# Names of files that say nothing certain of themselves: text, of whatever kind the name says.
_TEXTS = {
    MARKDOWN: ".md .markdown .mdown .mkd .mkdn",
    TEXT: ".txt .text .org .log .adoc",
    CSV: ".csv .tsv .tab",
    JSON: ".json .geojson",
    XML: ".xml .rss .atom .svg .kml .gpx",
    HTML: ".html .htm .xhtml",
    NOTEBOOK: ".ipynb",
    LATEX: ".tex .latex .ltx",
    RST: ".rst .rest",
    MESSAGE: ".eml",
    MAILBOX: ".mbox .mbx",
    CODE: (
        ".py .pyi .js .mjs .cjs .ts .tsx .jsx .java .c .h .cc .cpp .cxx .hpp .hh .cs .go .rs .rb .php "
        ".swift .kt .kts .scala .m .mm .lua .pl .pm .r .jl .sh .bash .zsh .ps1 .sql .dart .hs .ml .ex .exs "
        ".clj .vb .f90 .f .pas"
    ),
}
# Names of files that begin as their kind must.
_FORMED = {
    PDF: ".pdf",
    DOCX: ".docx .docm .dotx",
    PPTX: ".pptx .pptm .ppsx",
    XLSX: ".xlsx .xlsm .xltx",
    ODT: ".odt .ott",
    ODP: ".odp .otp",
    ODS: ".ods .ots",
    EPUB: ".epub",
    RTF: ".rtf",
    OUTLOOK: ".msg",
    IMAGE: ".png .jpg .jpeg .jfif .tif .tiff .bmp .webp .gif",
}
_BY_NAME = {
    suffix: kind for kind, names in (_TEXTS | _FORMED).items() for suffix in names.split()
}  # fmt: skip
# Every name that is offered when files are picked. Drawings and code are read when named themselves.
EXPECTED = tuple(sorted(suffix for suffix, kind in _BY_NAME.items() if kind != CODE and suffix != ".svg"))
# Those that are taken from a folder. A folder of photographs is no library: of images, only scans.
_IN_FOLDERS = frozenset(
    suffix for suffix in EXPECTED if _BY_NAME[suffix] != IMAGE or suffix in (".tif", ".tiff")
)
_READ = (
    "Carrel reads PDF, Word, PowerPoint, Excel, OpenDocument, RTF, web pages, electronic books, messages, "
    "notebooks, images and text of any kind."
)
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_IN_ZIP = frozenset({DOCX, PPTX, XLSX, ODT, ODP, ODS, EPUB})
_IMAGES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"GIF8", b"II*\x00", b"MM\x00*", b"BM")
# Begins of files that are surely no text, and what to call them.
_KNOWN = (
    (_ZIP, "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (_OLE, "an old Office document; save it in a format of today"),
    (b"\x1f\x8b", "a compressed archive"),
    (b"7z\xbc\xaf", "a compressed archive"),
    (b"Rar!", "a compressed archive"),
    (b"%!PS", "a PostScript file"),
    (b"AT&TFORM", "a DjVu document"),
    (b"ID3", "a sound file"),
    (b"OggS", "a sound file"),
    (b"\x7fELF", "a program"),
    (b"SQLite format 3", "a database"),
    (b"GGUF", "a model"),
)
_WEB_PAGE = (b"<!doctype html", b"<html")
_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00\x00\xfe\xff")
# OpenDocument files and electronic books begin with a member that names their type.
_NAMED_IN_ZIP = re.compile(rb"mimetype(application/[\w.+-]+?)(?:PK|-template|$)")
_MEMBERS = ((b"word/", DOCX), (b"ppt/", PPTX), (b"xl/", XLSX))


def media_type(name: str, head: bytes) -> str:
    """The media type of a file Carrel can read.

    A file called .pdf counts as one whatever it holds: its reading then says what is broken. So
    do those of other kinds that begin in a form of their own, and an empty file counts as what
    its name says: it gets its row, and the reason stands in it.

    Args:
        head: its first HEAD_BYTES bytes (all, if it is shorter).

    Raises:
        UnsupportedTypeError: no parser for it; the sentence says what it seems to be.
    """
    named = _BY_NAME.get(PurePath(name).suffix.lower(), TEXT)
    if (held := _held(head)) is not None:
        return held
    if head.startswith(_ZIP) and named in _IN_ZIP:
        return named
    if head.startswith(_OLE) and named in _IN_ZIP | {OUTLOOK}:
        return named
    if what := _no_text(head):
        if named in _FORMED and not head.startswith(tuple(begin for begin, _ in _KNOWN)):
            return named
        raise UnsupportedTypeError(f"This is {what}. {_READ}")
    if named not in (HTML, XML, MESSAGE, CODE) and _is_web_page(head):
        return HTML
    return named


def is_expected(name: str) -> bool:
    """Whether a file of this name is taken from a folder (one named by itself always is tried)."""
    return PurePath(name).suffix.lower() in _IN_FOLDERS


def is_paged(kind: str) -> bool:
    """Whether files of this media type have pages of their own."""
    return kind == PDF


def _held(head: bytes) -> str | None:
    """The kind that a file's first bytes prove it to be."""
    if b"%PDF-" in head[:1024]:
        return PDF
    if head.startswith(b"{\\rtf"):
        return RTF
    if head.startswith(_IMAGES[:-1]) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return IMAGE
    if head[:2] == b"BM" and head[6:10] == bytes(4) and len(head) > 26:
        return IMAGE
    if not head.startswith(_ZIP):
        return None
    if found := _NAMED_IN_ZIP.search(head, 0, 200):
        kind = found[1].decode("ascii")
        return kind if kind in _IN_ZIP else None
    return next((kind for folder, kind in _MEMBERS if folder in head), None)


def _is_web_page(head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_WEB_PAGE)


def _no_text(head: bytes) -> str | None:
    """What the file is, if it is not text."""
    for begin, what in _KNOWN:
        if head.startswith(begin):
            return what
    if head.startswith(_BOMS):
        return None
    controls = sum(byte < 0x20 and byte not in b"\t\n\r\f\x1b\b" for byte in head)
    # UTF-16 without a mark: every other byte of Western text is zero.
    wide = head.count(0) > 0.3 * len(head) and (not any(head[0::2]) or not any(head[1::2]))
    if controls > 0.01 * len(head) and not wide:
        return "a binary file"
    return None
