"""Files made to do harm: each ends read or refused within its limits, and touches nothing else."""

import asyncio
import multiprocessing
import os
import random
import struct
import subprocess
import sys
import zipfile
import zlib
from contextlib import aclosing
from email.message import EmailMessage
from pathlib import Path

import pytest

from app.backend.documents import media_types as kinds
from app.backend.documents.parsing.isolation import read_file
from app.backend.documents.parsing.messages import ReadPage
from app.errors import AppError, DocumentError

CODES = {"file_damaged", "file_encrypted", "no_text", "parser_limit", "unsupported_type", "document_failed"}
LAUGHS = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]>"
)
WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
OPEN_TEXT = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)


async def _end(path: Path) -> tuple[str, str]:
    """How the reading of a file in its child ends: "ready" or a code, and the text."""
    said = []
    try:
        with path.open("rb") as file:
            kind = kinds.media_type(path.name, file.read(kinds.HEAD_BYTES))
        async with aclosing(read_file(path, kind)) as messages:
            async for message in messages:
                if isinstance(message, ReadPage):
                    said.append(message.text)
    except DocumentError as error:
        return error.code if error.message.endswith(".") else error.message, "".join(said)
    return "ready", "".join(said)


def end_of(path: Path) -> tuple[str, str]:
    ended = asyncio.run(_end(path))
    assert not multiprocessing.active_children()
    return ended


def word_document(make_zip, body: str | bytes, name: str = "a.docx", head: str = "") -> Path:
    if isinstance(body, str):
        body = f'{head}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
    office = "http://schemas.openxmlformats.org"
    return make_zip(
        name,
        [
            (
                "[Content_Types].xml",
                '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
            ),
            (
                "_rels/.rels",
                f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="r1" '
                f'Type="{office}/officeDocument/2006/relationships/officeDocument" '
                'Target="word/document.xml"/></Relationships>',
            ),
            ("word/document.xml", body),
        ],
    )


def text_document(make_zip, content: str, name: str = "a.odt") -> Path:
    return make_zip(name, [("mimetype", kinds.ODT), ("content.xml", content)])


def test_an_archive_that_unpacks_to_far_more_than_it_is_ends_at_the_limit(make_zip):
    bomb = word_document(make_zip, b"\x00" * 200_000_000)

    assert bomb.stat().st_size < 300_000
    assert end_of(bomb)[0] == "parser_limit"


def test_an_archive_that_lies_about_its_sizes_is_damaged(make_zip):
    path = word_document(make_zip, b"<w>" + b" " * 50_000_000)
    data = path.read_bytes().replace(struct.pack("<I", 50_000_003), struct.pack("<I", 1_000))
    path.write_bytes(data)

    assert end_of(path)[0] == "file_damaged"


def test_an_archive_of_too_many_members_ends_at_the_limit(make_zip):
    path = make_zip("many.docx", ((f"word/{number}", b"") for number in range(10_001)))

    assert end_of(path)[0] == "parser_limit"


def test_archives_in_archives_are_not_unpacked(make_zip, tmp_path):
    inner = zlib.compress(bytes(10_000_000))
    for depth in range(6):
        path = make_zip(f"depth{depth}.zip", [(f"{number}.zip", inner) for number in range(16)])
        inner = path.read_bytes()
    named = path.rename(tmp_path / "a.docx")
    message = EmailMessage()
    message["Subject"] = "Look at this"
    message.add_attachment(inner, maintype="application", subtype="zip", filename="42.zip")
    letter = tmp_path / "a.eml"
    letter.write_bytes(message.as_bytes())

    assert end_of(named)[0] == "file_damaged"
    ended, text = end_of(letter)
    assert ended == "ready"
    assert "## Attachment: 42.zip\n\n(Not read: This is a ZIP archive." in text


def test_messages_that_hold_themselves_over_and_over_are_read_to_a_depth(tmp_path):
    message = EmailMessage()
    message["Subject"] = "Innermost"
    message.set_content("SECRET")
    for number in range(40):
        outer = EmailMessage()
        outer["Subject"] = f"Letter {number}"
        outer.add_attachment(message)
        message = outer
    path = tmp_path / "a.eml"
    path.write_bytes(message.as_bytes())

    ended, text = end_of(path)

    assert ended == "ready"
    assert "Letter 38" in text
    assert "Innermost" not in text


@pytest.mark.parametrize("kind", ["xml", "svg", "docx", "odt", "epub"])
def test_entities_that_multiply_are_refused(make_zip, make_book, tmp_path, kind):
    if kind == "docx":
        path = word_document(make_zip, "<w:p><w:r><w:t>&a11;</w:t></w:r></w:p>", head=LAUGHS)
    elif kind == "odt":
        inside = "<office:text><text:p>&a11;</text:p></office:text>"
        path = text_document(make_zip, f"{LAUGHS}<office:body {OPEN_TEXT}>{inside}</office:body>")
    elif kind == "epub":
        path = make_zip(
            "a.epub", [("mimetype", kinds.EPUB), ("META-INF/container.xml", f"{LAUGHS}<a>&a11;</a>")]
        )
    else:
        path = tmp_path / f"a.{kind}"
        path.write_text(f"{LAUGHS}<a>&a11;</a>")

    assert end_of(path)[0] == "file_damaged"


@pytest.mark.parametrize("kind", ["xml", "docx", "odt", "html", "epub", "rst", "tex", "ipynb", "rtf", "md"])
def test_no_file_reaches_another(make_zip, make_book, tmp_path, kind):
    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    head = f'<!DOCTYPE a [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    written = {
        "xml": f"{head}<a>&x;</a>",
        "html": f"<p>Text.</p><iframe src='{secret.as_uri()}'></iframe><object data='{secret}'></object>",
        "rst": f"Text.\n\n.. include:: {secret}\n\n.. literalinclude:: {secret}\n",
        "tex": f"\\begin{{document}}Text. \\input{{{secret}}} \\verbatiminput{{{secret}}}\\end{{document}}",
        "ipynb": '{"cells": [{"cell_type": "markdown", "source": "![x](' + str(secret) + ')"}]}',
        "rtf": '{\\rtf1 Text.{\\field{\\*\\fldinst INCLUDETEXT "' + str(secret) + '"}}\\par}',
        "md": f"Text. ![x]({secret}) <!--#include file='{secret}' -->",
    }
    if kind == "docx":
        path = word_document(make_zip, "<w:p><w:r><w:t>&x;</w:t></w:r></w:p>", head=head)
    elif kind == "odt":
        path = text_document(
            make_zip,
            f"{head}<office:body {OPEN_TEXT}><office:text><text:p>&x;</text:p></office:text></office:body>",
        )
    elif kind == "epub":
        path = make_book(f"<p>Text.</p><img src='../../../{secret}'/>&x;")
    else:
        path = tmp_path / f"a.{kind}"
        path.write_text(written[kind])

    ended, text = end_of(path)

    assert ended == "ready" if kind not in ("xml", "docx", "odt") else ended == "file_damaged"
    assert "SECRET" not in text


DEEP = 100_000


@pytest.mark.parametrize(
    ("name", "data", "ended"),
    [
        ("a.json", b"[" * DEEP, "ready"),
        ("a.json", b'{"a":' * DEEP + b"1" + b"}" * DEEP, "ready"),
        ("a.ipynb", b"[" * DEEP, "file_damaged"),
        ("a.xml", b"<a>" * DEEP, "parser_limit"),
        ("a.html", b"<div><span>" * DEEP + b"deepest", "ready"),
        ("a.html", b"<table><tr><td>" * 5_000 + b"deepest", "ready"),
        ("a.html", b"<ul><li>" * 5_000 + b"deepest", "ready"),
        ("a.rtf", b"{\\rtf1" + b"{" * DEEP, "file_damaged"),
        ("a.md", b"> " * DEEP + b"deepest", "ready"),
        ("a.tex", b"\\begin{itemize}\\item x" * 5_000, "ready"),
        ("a.rst", b"".join(b" " * n + b"- x\n\n" for n in range(600)), "ready"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_nesting_beyond_reason_ends_within_the_limits(tmp_path, name, data, ended):
    path = tmp_path / name
    path.write_bytes(data)

    assert end_of(path)[0] == ended


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tex", "a.py", "a.html", "a.rtf", "a.eml", "a.mbox", "a.json", "a.rst"]
)
def test_one_endless_line_is_read_in_good_time(tmp_path, name):
    path = tmp_path / name
    head = {"a.rtf": b"{\\rtf1 ", "a.eml": b"To: x\n\n", "a.mbox": b"From x\nTo: x\n\n"}.get(name, b"")
    path.write_bytes(head + b"word (x) = {y} & $z$ \\a, " * 200_000)

    assert end_of(path)[0] in {"ready", "parser_limit"}


def pdf_of(*objects: bytes) -> bytes:
    body = b"%PDF-1.4\n" + b"".join(
        b"%d 0 obj\n%s\nendobj\n" % (n, o) for n, o in enumerate(objects, start=1)
    )
    return body + b"trailer\n<</Root 1 0 R>>\n%%EOF"


def test_a_pdf_whose_pages_go_round_in_a_circle_ends(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_bytes(
        pdf_of(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[2 0 R 3 0 R]/Count 9>>",
            b"<</Type/Pages/Kids[2 0 R]/Count 3/Parent 3 0 R>>",
        )
    )

    assert end_of(path)[0] in {"file_damaged", "no_text"}


def test_a_pdf_that_unpacks_to_far_more_than_it_is_ends(tmp_path):
    bomb = zlib.compress(zlib.compress(b"BT /F 1 Tf (x) Tj ET " * 20_000_000, 9), 9)
    path = tmp_path / "a.pdf"
    path.write_bytes(
        pdf_of(
            b"<</Type/Catalog/Pages 2 0 R>>",
            b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
            b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R>>",
            b"<</Length %d/Filter[/FlateDecode/FlateDecode]>>stream\n%s\nendstream" % (len(bomb), bomb),
        )
    )

    assert end_of(path)[0] in CODES


def test_a_cell_far_from_the_others_does_not_fill_the_memory(tmp_path):
    import openpyxl

    workbook = openpyxl.Workbook()
    workbook.active["A1"] = "here"
    workbook.active["XFD1048576"] = "far"
    path = tmp_path / "far.xlsx"
    workbook.save(path)

    assert end_of(path)[0] in {"parser_limit", "file_damaged"}


@pytest.mark.parametrize(
    "name", ["line\nbreak.docx", "\u202egnp.txt", "😀" * 50 + ".html", " .rtf", "-rf.csv", "$(x).md"]
)
def test_odd_names_are_names_like_any_other(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"{\\rtf1 The text of it.}" if name == " .rtf" else b"<p>The text of it.")

    ended, text = end_of(path)

    assert (ended == "ready" and "The text of it." in text) or name.endswith(".docx")


@pytest.fixture
def samples(tmp_path, make_zip, make_book, make_pdf) -> dict[str, bytes]:
    """A small whole file of every kind that has a form, by suffix."""
    import docx
    import openpyxl
    import pptx
    from compound_file import Storage, compound_file
    from PIL import Image

    folder = tmp_path / "samples"
    folder.mkdir()
    document = docx.Document()
    document.add_heading("A heading", 1)
    document.add_table(2, 2)
    document.save(folder / "a.docx")
    workbook = openpyxl.Workbook()
    workbook.active.append(["one", 2])
    workbook.save(folder / "a.xlsx")
    presentation = pptx.Presentation()
    presentation.slides.add_slide(presentation.slide_layouts[0]).shapes.title.text = "A slide"
    presentation.save(folder / "a.pptx")
    Image.new("RGB", (64, 64), "white").save(folder / "a.png")
    message = EmailMessage()
    message["Subject"] = "A letter"
    message.set_content("Its text.")
    message.add_attachment(b"a,b\n1,2\n", maintype="text", subtype="csv", filename="a.csv")
    inside = text_document(
        make_zip, f"<office:body {OPEN_TEXT}><office:text><text:h>Head</text:h></office:text></office:body>"
    ).read_bytes()
    subject = {"__properties_version1.0": bytes(32), "__substg1.0_0037001F": "Subject".encode("utf-16-le")}
    return {
        **{path.suffix[1:]: path.read_bytes() for path in folder.iterdir()},
        "pdf": make_pdf(pages=2).read_bytes(),
        "odt": inside,
        "epub": make_book("<h1>One</h1><p>Text.").read_bytes(),
        "eml": message.as_bytes(),
        "msg": compound_file(Storage(subject)),
        "rtf": b"{\\rtf1{\\stylesheet{\\s1 heading 1;}}\\s1 Head\\par\\pard Gr\\'f6se \\u8364?\\par}",
        "ipynb": b'{"cells": [{"cell_type": "markdown", "source": ["# Head"]}], "metadata": {}}',
        "html": "<html><body><h1>Größe</h1><table><tr><td>a<td>b</table><ul><li>x</ul>".encode(),
        "xml": "<a b='c'><d>Größe</d><e/></a>".encode(),
    }


def read_here(path: Path) -> str:
    """Read a file in this process, where nothing but an AppError may come of it."""
    from app.backend.documents.parsing import formats

    try:
        kind = kinds.media_type(path.name, path.read_bytes()[: kinds.HEAD_BYTES])
        list(formats.read(path, kind))
    except AppError as error:
        refused = error
    else:
        return "ready"
    assert refused.code in CODES | {"file_unreadable"}
    assert refused.message.endswith(".")
    return refused.code


@pytest.mark.slow
def test_files_cut_off_at_a_hundred_points_are_read_or_refused(tmp_path, samples):
    for suffix, whole in samples.items():
        points = 25 if suffix == "png" else 100
        path = tmp_path / f"cut.{suffix}"
        path.write_bytes(whole)
        assert read_here(path) == "ready", suffix
        for point in range(points):
            path.write_bytes(whole[: len(whole) * point // points])
            read_here(path)


@pytest.mark.slow
def test_files_with_bytes_changed_anywhere_are_read_or_refused(tmp_path, samples):
    chance = random.Random(20261125)
    for suffix, whole in samples.items():
        for _ in range(10 if suffix == "png" else 60):
            data = bytearray(whole)
            for _ in range(chance.choice((1, 10, 100))):
                data[chance.randrange(len(data))] = chance.randrange(256)
            path = tmp_path / f"changed.{suffix}"
            path.write_bytes(data)
            read_here(path)


@pytest.mark.slow
def test_parts_of_documents_changed_inside_a_sound_archive_are_read_or_refused(tmp_path, samples, make_zip):
    import io

    chance = random.Random(20261125)
    for suffix in ("docx", "pptx", "xlsx", "odt", "epub"):
        with zipfile.ZipFile(io.BytesIO(samples[suffix])) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
        for name, data in members:
            for changed in (
                b"",
                data[: len(data) // 2],
                b"<a/>",
                bytes(chance.sample(data, min(len(data), 400))),
            ):
                others = [(other, changed if other == name else kept) for other, kept in members]
                read_here(make_zip(f"changed.{suffix}", others))


@pytest.mark.slow
def test_every_kind_under_the_name_of_every_other_is_read_or_refused(tmp_path, samples):
    for suffix in [*samples, "txt", "md", "csv", "py", "odp", "ods", "mbox", "tex", "rst", "json", "jpg"]:
        for whole in [*samples.values(), b"", b"\x00" * 999, b"Just words.\n", os.urandom(3_000)]:
            path = tmp_path / f"named.{suffix}"
            path.write_bytes(whole)
            read_here(path)


WATCHED = """
import sys
from pathlib import Path
seen = []
def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "shutil.")) or event in (
        "os.system", "os.exec", "os.posix_spawn", "os.remove", "os.rename", "os.mkdir"
    ):
        seen.append(event)
    if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
        seen.append(f"open {arguments[0]}")
sys.addaudithook(watch)
from app.backend.documents import media_types
from app.backend.documents.parsing import formats
from app.errors import AppError
ready = 0
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        kind = media_types.media_type(path.name, path.read_bytes()[:4096])
        list(formats.read(path, kind))
        ready += 1
    except AppError:
        pass
print(ready, seen)
"""


def test_reading_opens_no_socket_writes_no_file_and_starts_no_program(tmp_path, samples):
    folder = tmp_path / "all"
    folder.mkdir()
    for suffix, whole in samples.items():
        (folder / f"whole.{suffix}").write_bytes(whole)
        (folder / f"half.{suffix}").write_bytes(whole[: len(whole) // 2])
    before = sorted(path.name for path in folder.iterdir())

    said = subprocess.run(
        [sys.executable, "-c", WATCHED, str(folder)],
        cwd=Path(__file__).parents[4],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split(maxsplit=1)

    assert int(said[0]) >= len(samples)
    assert said[1].strip() == "[]"
    assert sorted(path.name for path in folder.iterdir()) == before
