import pytest

from app.backend.documents import media_types as kinds
from app.backend.documents.media_types import is_expected, media_type
from app.errors import UnsupportedTypeError


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.pdf", b"%PDF-1.4", kinds.PDF),
        ("a.txt", b"%PDF-1.4", kinds.PDF),
        ("a", b"\xef\xbb\xbf\n%PDF-1.4", kinds.PDF),
        ("a.pdf", b"garbage\x00\x01", kinds.PDF),
        ("a.PDF", b"x", kinds.PDF),
        ("a.md", b"# One", kinds.MARKDOWN),
        ("A.Markdown", b"# One", kinds.MARKDOWN),
        ("a.txt", b"One", kinds.TEXT),
        ("README", b"One", kinds.TEXT),
        ("a.py", b"print()", kinds.CODE),
        ("a.txt", "Größe".encode("utf-16"), kinds.TEXT),
        ("a.txt", "Groesse und Kaution".encode("utf-16-le"), kinds.TEXT),
        ("a.txt", "Größe".encode("cp1252"), kinds.TEXT),
        ("a.txt", "Zahlen".encode("utf-32"), kinds.TEXT),
        ("a.docx", b"PK\x03\x04...", kinds.DOCX),
        ("a.zip", b"PK\x03\x04...word/document.xml", kinds.DOCX),
        ("a.docx", b"PK\x03\x04....mimetypeapplication/vnd.oasis.opendocument.textPK", kinds.ODT),
        ("a.bin", b"PK\x03\x04....mimetypeapplication/epub+zipPK", kinds.EPUB),
        ("a.docx", b"\xd0\xcf\x11\xe0", kinds.DOCX),
        ("a.msg", b"\xd0\xcf\x11\xe0", kinds.OUTLOOK),
        ("a.xlsx", b"\x00\x01garbage", kinds.XLSX),
        ("a.html", b"<!DOCTYPE html><html>", kinds.HTML),
        ("a.txt", b"\n<html><body>", kinds.HTML),
        ("a.svg", b'<?xml version="1.0"?><svg/>', kinds.XML),
        ("a.rtf", b"{\\rtf1 Hello}", kinds.RTF),
        ("a.doc", b"{\\rtf1 Hello}", kinds.RTF),
        ("a.txt", b"\x89PNG\r\n\x1a\n", kinds.IMAGE),
        ("a.webp", b"RIFF\x00\x00\x00\x00WEBP", kinds.IMAGE),
        ("a.txt", b"BM is a word", kinds.TEXT),
        ("a.csv", b"a,b", kinds.CSV),
        ("a.tsv", b"a\tb", kinds.CSV),
        ("a.ipynb", b"{}", kinds.NOTEBOOK),
        ("a.eml", b"From: a", kinds.MESSAGE),
        ("a.mbox", b"From a", kinds.MAILBOX),
        ("a.tex", b"\\section", kinds.LATEX),
        ("a.rst", b"Title", kinds.RST),
        ("a.json", b"{}", kinds.JSON),
    ],
)
def test_the_kind_of_a_file_is_told_by_what_it_holds(name, head, expected):
    assert media_type(name, head) == expected


@pytest.mark.parametrize(
    ("name", "head", "what"),
    [
        ("a.txt", b"PK\x03\x04...", "ZIP"),
        ("a.doc", b"\xd0\xcf\x11\xe0", "old Office"),
        ("a.docx", b"Rar!\x1a", "compressed"),
        ("a.bin", bytes(range(256)), "binary"),
        ("a.gguf", b"GGUF\x03", "model"),
    ],
)
def test_a_file_that_cannot_be_read_is_called_what_it_is(name, head, what):
    with pytest.raises(UnsupportedTypeError, match=what) as raised:
        media_type(name, head)
    assert "Carrel reads PDF, Word" in raised.value.message


def test_a_file_of_nothing_counts_as_what_its_name_says():
    names = ("a.pdf", "b.md", "c", "d.docx", "e.png")

    assert [media_type(name, b"") for name in names] == [
        kinds.PDF,
        kinds.MARKDOWN,
        kinds.TEXT,
        kinds.DOCX,
        kinds.IMAGE,
    ]


def test_only_known_names_are_taken_from_a_folder():
    names = ("a.pdf", "b.MD", "c.txt", "d.docx", "e.py", "f", "g.jpg", "h.zip", "i.svg", "j.eml", "k.tif")

    assert [name for name in names if is_expected(name)] == [
        "a.pdf",
        "b.MD",
        "c.txt",
        "d.docx",
        "j.eml",
        "k.tif",
    ]
