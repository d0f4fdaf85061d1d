"""Documents of Word, PowerPoint and Excel, written by the libraries that people write them with."""

import datetime
import io

import docx
import openpyxl
import pptx
import pytest
from pptx.util import Inches

from app.errors import DamagedFileError, EncryptedFileError


@pytest.fixture
def lease(tmp_path):
    document = docx.Document()
    document.add_heading("Lease", 0)
    document.add_heading("Rent", 1)
    document.add_paragraph("The rent is ").add_run("850 euros").bold = True
    document.add_paragraph("Water", style="List Bullet")
    document.add_paragraph("Heating", style="List Bullet")
    document.add_paragraph("First the deposit", style="List Number")
    table = document.add_table(2, 2)
    for cell, written in zip(table._cells, ("Name", "Sum", "Heating | water", "90"), strict=True):
        cell.text = written
    document.add_heading("Pets", 2)
    document.add_paragraph("Pets need consent — always.")
    document.sections[0].header.paragraphs[0].text = "RUNNING HEADER"
    document.sections[0].footer.paragraphs[0].text = "RUNNING FOOTER"
    path = tmp_path / "lease.docx"
    document.save(path)
    return path


def test_a_word_document_keeps_headings_lists_and_tables(read, lease):
    found = read(lease)

    assert found.titles == [(1, "Lease"), (1, "Rent"), (2, "Pets")]
    assert found.text == (
        "# Lease\n\n# Rent\n\nThe rent is 850 euros\n\n- Water\n- Heating\n1. First the deposit\n\n"
        "| Name | Sum |\n| --- | --- |\n| Heating \\| water | 90 |\n\n## Pets\n\nPets need consent — always."
    )


def test_headers_and_footers_of_word_stay_out(read, lease):
    assert "RUNNING" not in read(lease).text


def test_a_word_document_is_known_by_what_it_holds(read, lease):
    named_otherwise = lease.rename(lease.with_name("lease.txt"))

    assert read(named_otherwise).titles[0] == (1, "Lease")


def test_a_long_word_document_is_cut_into_pages_between_paragraphs(read, tmp_path):
    document = docx.Document()
    for number in range(1_000):
        document.add_paragraph(
            f"Paragraph {number} says this and that, at some length, and then it ends here."
        )
    path = tmp_path / "long.docx"
    document.save(path)

    pages = read(path).pages

    assert len(pages) > 1
    assert all(page.text.startswith("Paragraph") and page.text.endswith("here.") for page in pages)


def test_what_was_deleted_with_changes_tracked_is_not_read(read, tmp_path):
    from docx.oxml import parse_xml

    document = docx.Document()
    paragraph = document.add_paragraph("The rent is 850 euros")
    space = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    paragraph._p.append(parse_xml(f"<w:del {space}><w:r><w:delText>, once 700</w:delText></w:r></w:del>"))
    path = tmp_path / "tracked.docx"
    document.save(path)

    assert read(path).text == "The rent is 850 euros"


@pytest.fixture
def talk(tmp_path):
    presentation = pptx.Presentation()
    first = presentation.slides.add_slide(presentation.slide_layouts[1])
    first.shapes.title.text = "Our house"
    frame = first.placeholders[1].text_frame
    frame.text = "Rooms"
    inner = frame.add_paragraph()
    inner.text, inner.level = "Kitchen", 1
    first.notes_slide.notes_text_frame.text = "Speak slowly."
    second = presentation.slides.add_slide(presentation.slide_layouts[6])
    table = second.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    for cell, written in zip(table.iter_cells(), ("Room", "Size", "Kitchen", "12 m²"), strict=True):
        cell.text = written
    group = second.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "In a group"
    presentation.slides.add_slide(presentation.slide_layouts[6])
    path = tmp_path / "talk.pptx"
    presentation.save(path)
    return path


def test_slides_are_pages_with_titles_levels_tables_and_notes(read, talk):
    found = read(talk)

    assert [page.text for page in found.pages] == [
        "# Our house\n\n- Rooms\n  - Kitchen\n\nNotes: Speak slowly.",
        "# Slide 2\n\n| Room | Size |\n| --- | --- |\n| Kitchen | 12 m² |\n\nIn a group",
        "# Slide 3",
    ]


def test_sheets_are_pages_under_their_names_with_values_as_they_are_shown(read, tmp_path):
    workbook = openpyxl.Workbook()
    costs = workbook.active
    costs.title = "Costs 2026"
    costs.append(["Item", "Cost", "When", "Paid"])
    costs.append(["Heating", 12.5, datetime.date(2026, 1, 2), True])
    costs.append(["Water", 1000, datetime.datetime(2026, 1, 2, 13, 30), False])
    costs.append(["Share", 0.1 + 0.2, None, None])
    workbook.create_sheet("Empty")
    workbook.create_sheet("Far")["C3"] = "alone"
    path = tmp_path / "costs.xlsx"
    workbook.save(path)

    found = read(path)

    assert [page.text for page in found.pages] == [
        "# Costs 2026\n\n| Item | Cost | When | Paid |\n| --- | --- | --- | --- |\n"
        "| Heating | 12.5 | 2026-01-02 | TRUE |\n| Water | 1000 | 2026-01-02 13:30:00 | FALSE |\n"
        "| Share | 0.3 |  |  |",
        "# Empty",
        "# Far\n\n| alone |\n| --- |",
    ]


def test_a_long_sheet_goes_on_under_the_same_header(read, tmp_path):
    workbook = openpyxl.Workbook()
    workbook.active.append(["Number", "Sentence"])
    for number in range(3_000):
        workbook.active.append([number, "The quick brown fox jumps over the lazy dog."])
    path = tmp_path / "long.xlsx"
    workbook.save(path)

    found = read(path)

    assert len(found.pages) > 2
    assert all("| Number | Sentence |\n| --- | --- |\n" in page.text for page in found.pages)
    assert found.text.count("The quick brown fox") == 3_000


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx"])
def test_an_office_document_with_a_password_is_told_as_such(read, tmp_path, suffix):
    path = tmp_path / f"locked.{suffix}"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))

    with pytest.raises(EncryptedFileError):
        read(path)


@pytest.mark.parametrize("suffix", ["docx", "pptx", "xlsx", "odt", "odp", "ods", "epub"])
def test_another_archive_under_the_name_of_a_document_says_so(read, make_zip, suffix):
    path = make_zip(f"other.{suffix}", [("notes.txt", "nothing of the kind")])

    with pytest.raises(DamagedFileError) as raised:
        read(path)
    assert raised.value.message.endswith(".")


def test_a_word_document_that_names_a_picture_on_the_disk_does_not_get_it(read, lease, tmp_path, make_zip):
    import zipfile

    secret = tmp_path / "secret.txt"
    secret.write_text("SECRET")
    picture = (
        b'<w:p><w:r><w:drawing><wp:inline xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/'
        b'wordprocessingDrawing"><a:graphic xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main">'
        b'<a:graphicData><pic:pic xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture">'
        b'<pic:blipFill><a:blip r:link="rId99"/></pic:blipFill></pic:pic></a:graphicData></a:graphic>'
        b"</wp:inline></w:drawing></w:r></w:p></w:body>"
    )
    link = (
        '<Relationship Id="rId99" TargetMode="External" Type="http://schemas.openxmlformats.org/officeDocument/'
        f'2006/relationships/image" Target="{secret.as_uri()}"/></Relationships>'
    ).encode()
    with zipfile.ZipFile(io.BytesIO(lease.read_bytes())) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    changed = {
        "word/document.xml": (b"</w:body>", picture),
        "word/_rels/document.xml.rels": (b"</Relationships>", link),
    }
    path = make_zip(
        "linked.docx",
        [(name, data.replace(*changed[name]) if name in changed else data) for name, data in members],
    )

    found = read(path)

    assert found.titles[0] == (1, "Lease")
    assert "SECRET" not in found.text
