from contextlib import closing
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from app.backend.documents.parsing import pdf
from app.backend.documents.parsing.messages import Opened, ReadPage
from app.backend.documents.parsing.pdf_lines import DocumentLines
from app.errors import DamagedFileError, EncryptedFileError

SAMPLES = Path(__file__).parents[5] / "shared" / "data" / "pdf"


def read(path: Path) -> list[ReadPage]:
    opened, *messages = pdf.pages(path)
    pages = [message for message in messages if isinstance(message, ReadPage)]
    assert opened == Opened(len(pages))
    return pages


def drawn(path: Path, *lines: tuple[float, float, str], size: float = 11, font: str = "Helvetica") -> Path:
    canvas = Canvas(str(path), pagesize=A4)
    canvas.setFont(font, size)
    for x, y, text in lines:
        canvas.drawString(x, y, text)
    canvas.save()
    return path


def test_pages_come_one_by_one_with_their_text(make_pdf):
    pages = read(make_pdf(pages=3, lines=2))

    assert [page.number for page in pages] == [1, 2, 3]
    assert [page.text.split("\n")[0] for page in pages] == ["Section 1", "Section 2", "Section 3"]
    assert "\r" not in pages[0].text


def test_large_and_bold_lines_are_headings_with_their_place(make_pdf):
    for page in read(make_pdf(pages=2)):
        (heading,) = page.headings
        assert heading.title == f"Section {page.number}"
        assert page.text[heading.start :].startswith(heading.title)


def test_a_gap_between_lines_is_a_paragraph(tmp_path):
    path = drawn(
        tmp_path / "a.pdf",
        *((72, 700 - 14 * line, f"First paragraph, line {line}.") for line in range(4)),
        *((72, 620 - 14 * line, f"Second paragraph, line {line}.") for line in range(4)),
    )

    first, second = read(path)[0].text.split("\n\n")

    assert first.count("\n") == second.count("\n") == 3
    assert second.startswith("Second")


def test_a_word_divided_at_a_line_end_is_whole_again(tmp_path):
    path = drawn(tmp_path / "a.pdf", (72, 700, "The tenant pays the depo-"), (72, 686, "sit in three parts."))

    assert read(path)[0].text == "The tenant pays the deposit in three parts."


def test_two_columns_are_read_one_after_the_other(tmp_path):
    left = [(72, 700 - 14 * line, f"Left line {line} of the text.") for line in range(5)]
    right = [(320, 700 - 14 * line, f"Right line {line} of the text.") for line in range(5)]

    text = read(drawn(tmp_path / "a.pdf", *left, *right))[0].text

    assert text.index("Left line 4") < text.index("Right line 0")


def test_every_stored_character_has_its_place_in_the_list_of_pdfium(make_pdf):
    with closing(pdfium.PdfDocument(make_pdf(pages=1))) as document:
        page = document[0]
        characters = page.get_textpage()
        text, indices, _ = pdf.page_text(DocumentLines(document), 1)

        assert len(text) == len(indices)
        for character, index in zip(text, indices, strict=True):
            if index != pdf.INSERTED and character != "\n":
                assert characters.get_text_range(index, 1) == character


def test_an_encrypted_pdf_is_refused_as_such(locked_pdf):
    with pytest.raises(EncryptedFileError):
        read(locked_pdf)


def test_a_pdf_that_only_its_owner_may_change_is_read(tmp_path):
    from reportlab.lib.pdfencrypt import StandardEncryption

    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), encrypt=StandardEncryption("", "owner", canCopy=0))
    canvas.drawString(72, 700, "Everybody reads this.")
    canvas.save()

    assert read(path)[0].text == "Everybody reads this."


def test_a_broken_pdf_is_refused_as_such(broken_pdf):
    with pytest.raises(DamagedFileError, match="broken"):
        read(broken_pdf)


def test_a_file_that_is_no_pdf_at_all_says_so(tmp_path):
    path = tmp_path / "a.pdf"
    path.write_text("Dear Elena,")

    with pytest.raises(DamagedFileError, match="not a PDF"):
        read(path)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_pdf_cut_off_is_read_as_far_as_it_goes_or_refused(make_pdf, kept):
    path = make_pdf(pages=5)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])

    try:
        pages = read(path)
    except DamagedFileError:
        return
    assert pages


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the sample PDFs are not here")
def test_every_sample_is_read_or_refused_with_a_reason():
    refused = {}
    for path in sorted(SAMPLES.glob("*.pdf")):
        try:
            pages = read(path)
        except (EncryptedFileError, DamagedFileError) as error:
            refused[path.name] = error.code
            continue
        for page in pages:
            assert not any(ord(character) < 0x20 and character not in "\n\t" for character in page.text)
            assert "\ufffe" not in page.text
            for heading in page.headings:
                assert page.text[heading.start :].strip().startswith(heading.title.split()[0])

    assert refused == {
        "libreoffice-writer-password.pdf": "file_encrypted",
        "unreadablemetadata.pdf": "file_damaged",
    }


def test_a_line_that_stands_on_every_page_is_a_heading_only_once(tmp_path):
    path = tmp_path / "a.pdf"
    canvas = Canvas(str(path), pagesize=A4)
    for number in range(1, 6):
        canvas.setFont("Helvetica-Bold", 16)
        canvas.drawString(72, 790, f"Annual report, page {number}")
        canvas.drawString(72, 700, f"Chapter {'ABCDE'[number - 1]}")
        canvas.setFont("Helvetica", 11)
        for line in range(10):
            canvas.drawString(72, 660 - 14 * line, "The year was good, and the next one will be better.")
        canvas.showPage()
    canvas.save()

    titles = [heading.title for page in read(path) for heading in page.headings]

    assert titles == ["Annual report, page 1", *(f"Chapter {letter}" for letter in "ABCDE")]


def test_a_text_that_is_bold_throughout_has_no_headings(tmp_path):
    lines = [(72, 700 - 14 * line - 20 * (line // 3), f"Bold line number {line}") for line in range(9)]

    (page,) = read(drawn(tmp_path / "a.pdf", *lines, font="Helvetica-Bold"))

    assert page.headings == ()


def test_headings_are_seen_on_a_page_of_short_paragraphs(sample):
    last = read(sample.document)[3]

    assert [heading.title for heading in last.headings][:2] == ["§ 12 Returning the flat", "§ 13 House rules"]
