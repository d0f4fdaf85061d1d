"""What kind of file it is: by what it holds first, by its name only where that cannot tell."""

from pathlib import PurePath

from app.errors import UnsupportedTypeError

PDF = "application/pdf"
MARKDOWN = "text/markdown"
TEXT = "text/plain"

# As many bytes of a file as `media_type` wants to see.
HEAD_BYTES = 4096

_MARKDOWN_NAMES = frozenset({".md", ".markdown", ".mdown", ".mkd", ".mkdn"})
_TEXT_NAMES = frozenset({".txt", ".text", ".rst", ".org", ".tex", ".log", ".csv", ".tsv", ".adoc"})
_READ = "Carrel reads PDF, plain text and Markdown."
# Begins of files that are surely no text, and what to call them.
_KNOWN = (
    (b"PK\x03\x04", "an Office document or a ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old Office document"),
    (b"{\\rtf", "an RTF document"),
    (b"\x89PNG", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF8", "an image"),
    (b"II*\x00", "an image"),
    (b"MM\x00*", "an image"),
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
_MARKUP = (b"<!doctype html", b"<html", b"<?xml", b"<svg")
_BOMS = (b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf", b"\x00\x00\xfe\xff")


def media_type(name: str, head: bytes) -> str:
    """The media type of a file Carrel can read.

    A file called .pdf counts as one whatever it holds: its reading then says what is broken. So
    does an empty file count as what its name says: it gets its row, and the reason stands in it.

    Args:
        head: its first HEAD_BYTES bytes (all, if it is shorter).

    Raises:
        UnsupportedTypeError: no parser for it; the sentence says what it seems to be.
    """
    suffix = PurePath(name).suffix.lower()
    if b"%PDF-" in head[:1024] or suffix == ".pdf":
        return PDF
    if what := _no_text(head):
        raise UnsupportedTypeError(f"This is {what}. {_READ}")
    return MARKDOWN if suffix in _MARKDOWN_NAMES else TEXT


def is_expected(name: str) -> bool:
    """Whether a file of this name is taken from a folder (one named by itself always is tried)."""
    suffix = PurePath(name).suffix.lower()
    return suffix == ".pdf" or suffix in _MARKDOWN_NAMES or suffix in _TEXT_NAMES


def is_paged(kind: str) -> bool:
    """Whether files of this media type have pages of their own."""
    return kind == PDF


def _no_text(head: bytes) -> str | None:
    """What the file is, if it is not text."""
    for begin, what in _KNOWN:
        if head.startswith(begin):
            return what
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP):
        return "a web page or XML"
    if head.startswith(_BOMS):
        return None
    controls = sum(byte < 0x20 and byte not in b"\t\n\r\f\x1b\b" for byte in head)
    # UTF-16 without a mark: every other byte of Western text is zero.
    wide = head.count(0) > 0.3 * len(head) and (not any(head[0::2]) or not any(head[1::2]))
    if controls > 0.01 * len(head) and not wide:
        return "a binary file"
    return None
