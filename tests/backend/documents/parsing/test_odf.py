"""OpenDocument files, written by odfpy."""

import pytest
from odf import draw, opendocument, style, table, text
from odf import number as dates
from odf.namespaces import PRESENTATIONNS

from app.errors import EncryptedFileError


def grid(name: str, rows: list[list[str]]):
    made = table.Table(name=name)
    for row in rows:
        line = table.TableRow()
        for written in row:
            cell = table.TableCell(valuetype="string")
            cell.addElement(text.P(text=written))
            line.addElement(cell)
        made.addElement(line)
    return made


def test_a_text_keeps_headings_lists_tables_and_notes(read, tmp_path):
    document = opendocument.OpenDocumentText()
    counting = text.ListStyle(name="Counting")
    counting.addElement(text.ListLevelStyleNumber(level=1, numformat="1"))
    document.automaticstyles.addElement(counting)
    document.text.addElement(text.H(outlinelevel=1, text="The house"))
    paragraph = text.P(text="It has")
    paragraph.addElement(text.S(c=2))
    paragraph.addElement(text.Span(text="two"))
    paragraph.addText(" floors.")
    note = text.Note(noteclass="footnote")
    note.addElement(text.NoteCitation(text="1"))
    body = text.NoteBody()
    body.addElement(text.P(text="And a cellar."))
    note.addElement(body)
    paragraph.addElement(note)
    document.text.addElement(paragraph)
    for name in (None, "Counting"):
        listed = text.List(stylename=name) if name else text.List()
        for written in ("Kitchen", "Bath"):
            item = text.ListItem()
            item.addElement(text.P(text=written))
            listed.addElement(item)
        inner = text.List()
        item = text.ListItem()
        item.addElement(text.P(text="Tub"))
        inner.addElement(item)
        listed.lastChild.addElement(inner)
        document.text.addElement(listed)
    document.text.addElement(grid("Rooms", [["Room", "Size"], ["Kitchen", "12"]]))
    document.text.addElement(text.H(outlinelevel=2, text="Garden"))
    path = tmp_path / "house.odt"
    document.save(path)

    found = read(path)

    assert found.titles == [(1, "The house"), (2, "Garden")]
    assert found.text == (
        "# The house\n\nIt has  two floors. [And a cellar.]\n\n- Kitchen\n- Bath\n  - Tub\n1. Kitchen\n"
        "2. Bath\n  1. Tub\n\n| Room | Size |\n| --- | --- |\n| Kitchen | 12 |\n\n## Garden"
    )


def test_slides_are_pages_with_their_titles(read, tmp_path):
    document = opendocument.OpenDocumentPresentation()
    layout = style.PageLayout(name="L")
    document.automaticstyles.addElement(layout)
    # As LibreOffice writes them: an element called text that is not the document's.
    date = dates.DateStyle(name="D")
    date.addElement(dates.Text(text="."))
    document.automaticstyles.addElement(date)
    master = style.MasterPage(name="M", pagelayoutname=layout)
    document.masterstyles.addElement(master)
    for number in (1, 2):
        slide = draw.Page(name=f"page{number}", masterpagename=master)
        for kind, written in (("title", f"Slide {number} of two"), ("outline", f"What {number} says")):
            frame = draw.Frame(width="10cm", height="2cm", x="1cm", y="1cm")
            frame.setAttrNS(PRESENTATIONNS, "class", kind)
            box = draw.TextBox()
            box.addElement(text.P(text=written))
            frame.addElement(box)
            slide.addElement(frame)
        document.presentation.addElement(slide)
    path = tmp_path / "talk.odp"
    document.save(path)

    assert [page.text for page in read(path).pages] == [
        "# Slide 1 of two\n\nWhat 1 says",
        "# Slide 2 of two\n\nWhat 2 says",
    ]


def test_a_spreadsheet_is_read_sheet_by_sheet(read, tmp_path):
    document = opendocument.OpenDocumentSpreadsheet()
    document.spreadsheet.addElement(grid("Costs", [["Item", "Cost"], ["Heating", "90"]]))
    document.spreadsheet.addElement(grid("More", [["a"]]))
    path = tmp_path / "costs.ods"
    document.save(path)

    assert [page.text for page in read(path).pages] == [
        "# Costs\n\n| Item | Cost |\n| --- | --- |\n| Heating | 90 |",
        "# More\n\n| a |\n| --- |",
    ]


def test_a_text_with_a_password_is_told_as_such(read, make_zip):
    path = make_zip(
        "locked.odt",
        [
            ("mimetype", "application/vnd.oasis.opendocument.text"),
            ("META-INF/manifest.xml", "<manifest><encryption-data/></manifest>"),
            ("content.xml", b"\x93\x00\x17"),
        ],
    )

    with pytest.raises(EncryptedFileError):
        read(path)
