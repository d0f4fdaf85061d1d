import pytest

from app.backend.documents.parsing import text

GERMAN = "Die Kaution beträgt 2.360 Euro; Haustiere brauchen eine Erlaubnis. Größe: 78 m². " * 20


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso8859-15"],
)
def test_german_is_read_in_any_encoding(tmp_path, encoding):
    path = tmp_path / "a.txt"
    path.write_bytes(GERMAN.encode(encoding))

    assert [page.text for page in text.pages(path)] == [GERMAN]


@pytest.mark.parametrize(
    ("encoding", "sample"),
    [("cp1251", "Арендатор платит залог. "), ("shift_jis", "敷金は三回に分けて支払う。")],
)
def test_other_scripts_are_read_in_their_old_encodings(tmp_path, encoding, sample):
    path = tmp_path / "a.txt"
    path.write_bytes((sample * 30).encode(encoding))

    assert [page.text for page in text.pages(path)] == [sample * 30]


def test_a_utf8_file_with_a_broken_byte_stays_utf8(tmp_path):
    path = tmp_path / "log.txt"
    path.write_bytes(GERMAN.encode() + b"\xff\n" + GERMAN.encode())

    assert next(iter(text.pages(path))).text == f"{GERMAN}\ufffd\n{GERMAN}"


def test_line_ends_of_every_system_become_one(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\r\ntwo\rthree\nfour")

    assert next(iter(text.pages(path))).text == "one\ntwo\nthree\nfour"


def test_null_characters_are_taken_out(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"one\x00 two")

    assert next(iter(text.pages(path))).text == "one two"


def test_a_blank_file_has_no_pages(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(" \n\n \t")

    assert list(text.pages(path)) == []


def test_a_long_text_is_cut_between_paragraphs_and_nothing_is_lost(tmp_path):
    written = "".join(f"Paragraph {number}. {'It says more. ' * 30}\n\n" for number in range(500))
    path = tmp_path / "a.txt"
    path.write_text(written)

    pages = list(text.pages(path))

    assert [page.number for page in pages] == list(range(1, len(pages) + 1))
    assert len(pages) > 3
    assert "".join(page.text for page in pages) == written
    assert all(page.text.startswith("Paragraph") and len(page.text) <= text.PAGE_CHARACTERS for page in pages)


def test_a_text_without_any_border_is_cut_by_length(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x" * 120_001)

    assert [len(page.text) for page in text.pages(path)] == [50_000, 50_000, 20_001]


def test_ligatures_are_spelt_out_and_letters_with_accents_are_one_character(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("The o\ufb03ce of Cafe\u0301 Go\u0308del", "utf-8")

    assert next(iter(text.pages(path))).text == "The office of Café Gödel"
