import pytest

from app.backend.documents.media_types import MARKDOWN, PDF, TEXT, is_expected, media_type
from app.errors import UnsupportedTypeError


@pytest.mark.parametrize(
    ("name", "head", "expected"),
    [
        ("a.pdf", b"%PDF-1.4", PDF),
        ("a.txt", b"%PDF-1.4", PDF),
        ("a", b"\xef\xbb\xbf\n%PDF-1.4", PDF),
        ("a.pdf", b"garbage\x00\x01", PDF),
        ("a.PDF", b"x", PDF),
        ("a.md", b"# One", MARKDOWN),
        ("A.Markdown", b"# One", MARKDOWN),
        ("a.txt", b"One", TEXT),
        ("README", b"One", TEXT),
        ("a.py", b"print()", TEXT),
        ("a.txt", "Größe".encode("utf-16"), TEXT),
        ("a.txt", "Groesse und Kaution".encode("utf-16-le"), TEXT),
        ("a.txt", "Größe".encode("cp1252"), TEXT),
        ("a.txt", "Zahlen".encode("utf-32"), TEXT),
    ],
)
def test_the_kind_of_a_file_is_told_by_what_it_holds(name, head, expected):
    assert media_type(name, head) == expected


@pytest.mark.parametrize(
    ("name", "head", "what"),
    [
        ("a.docx", b"PK\x03\x04...", "Office"),
        ("a.txt", b"\x89PNG\r\n\x1a\n", "image"),
        ("a.html", b"<!DOCTYPE html><html>", "web page"),
        ("a.svg", b'<?xml version="1.0"?><svg/>', "XML"),
        ("a.rtf", b"{\\rtf1 Hello}", "RTF"),
        ("a.bin", bytes(range(256)), "binary"),
        ("a.gguf", b"GGUF\x03", "model"),
    ],
)
def test_a_file_that_cannot_be_read_is_called_what_it_is(name, head, what):
    with pytest.raises(UnsupportedTypeError, match=what) as raised:
        media_type(name, head)
    assert "Carrel reads PDF, plain text and Markdown." in raised.value.message


def test_a_file_of_nothing_counts_as_what_its_name_says():
    assert [media_type(name, b"") for name in ("a.pdf", "b.md", "c")] == [PDF, MARKDOWN, TEXT]


def test_only_known_names_are_taken_from_a_folder():
    assert [
        name for name in ("a.pdf", "b.MD", "c.txt", "d.docx", "e.py", "f", "g.jpg") if is_expected(name)
    ] == [
        "a.pdf",
        "b.MD",
        "c.txt",
    ]
