"""How PDF pages are read: by columns, without what stands on every page, with words made whole."""

from contextlib import closing
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from app.backend.documents.parsing import render
from app.backend.documents.parsing.pdf import page_text
from app.backend.documents.parsing.pdf_lines import DocumentLines
from app.backend.documents.parsing.reading_order import Piece, columns

FONT = Path(__file__).parents[4] / "resources/fonts/JetBrainsMono-Regular.ttf"
LEFT, RIGHT = 60, 310


@pytest.fixture
def draw(tmp_path):
    """Draws pages of (x, y, text) or (x, y, text, size), in the order given."""

    def make(*pages, font: str = "Helvetica"):
        path = tmp_path / "drawn.pdf"
        canvas = Canvas(str(path), pagesize=A4, pageCompression=0)
        for page in pages:
            for x, y, written, *size in page:
                canvas.setFont(font, size[0] if size else 10)
                canvas.drawString(x, y, written)
            canvas.showPage()
        canvas.save()
        return path

    return make


def side_by_side(top: int = 700, rows: int = 8):
    """Two columns as some programs write them: row by row."""
    for row in range(rows):
        y = top - 13 * row
        yield LEFT, y, f"Left line {row} of the text, as it goes on."
        yield RIGHT, y, f"Right line {row} of the text, as it goes on."


def test_columns_written_row_by_row_are_read_column_by_column(read, draw):
    lines = read(draw([*side_by_side()])).text.split("\n")

    assert [line.split(" of")[0] for line in lines] == [
        *(f"Left line {row}" for row in range(8)),
        *(f"Right line {row}" for row in range(8)),
    ]


def test_three_columns_are_read_one_after_the_other(read, draw):
    page = [
        (50 + 175 * column, 700 - 13 * row, f"Column {column} row {row}, and words.")
        for row in range(8)
        for column in range(3)
    ]

    lines = read(draw(page)).text.split("\n")

    assert [line.split(",")[0] for line in lines] == [
        f"Column {column} row {row}" for column in range(3) for row in range(8)
    ]


def test_what_spans_both_columns_is_read_between_what_is_above_and_below(read, draw):
    title = (
        LEFT,
        740,
        "A title that stands above both of the columns of this page, from one side to the other",
        11,
    )
    break_ = (
        LEFT,
        560,
        "A sentence in the middle that goes from the left of the page all the way to the right of it.",
    )

    text = read(draw([title, *side_by_side(700), break_, *side_by_side(520)])).text

    order = ["A title", "Left line 0", "Left line 7", "Right line 0", "Right line 7", "A sentence"]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert text.index("Left line 0", places[-1]) < text.index("Right line 0", places[-1])


def test_a_table_is_read_row_by_row(read, draw):
    page = [
        entry
        for row in range(8)
        for entry in ((60, 700 - 13 * row, f"Item {row}"), (310, 700 - 13 * row, f"{row * 10},00 euros"))
    ]

    assert "Item 3 30,00 euros\nItem 4 40,00 euros" in read(draw(page)).text


def test_a_word_divided_at_the_end_of_a_columns_line_is_whole_again(read, draw):
    page = [*side_by_side()]
    page[2] = (LEFT, 687, "The tenant pays the whole of the depo-")
    page[4] = (LEFT, 674, "sit in three parts, one each month.")

    assert "the whole of the deposit in three parts" in read(draw(page)).text


def test_a_page_of_one_column_stays_as_it_was(read, draw):
    page = [
        (60, 700 - 13 * row, f"Line {row} goes on and on, until it ends at the right edge of it.")
        for row in range(9)
    ]

    assert read(draw(page)).text.split("\n") == [written for _, _, written in page]


def body(number: int, rows: int = 6):
    return [
        (60, 650 - 14 * row, f"Sentence {row} of page {number} says something of its own.")
        for row in range(rows)
    ]


def test_running_headers_and_footers_and_page_numbers_stay_out(read, draw):
    pages = [
        [
            (60, 800, "Lease agreement of the Ödströms"),
            *body(n),
            (60, 40, f"Page {n} of 5"),
            (60, 52, "Confidential paper"),
        ]
        for n in range(1, 6)
    ]

    found = read(draw(*pages)).pages

    assert found[0].text.startswith("Lease agreement of the Ödströms")
    assert "Confidential" in found[0].text
    for page in found[1:]:
        assert page.text.startswith("Sentence 0")
        assert page.text.endswith("of its own.")
    assert not any("of 5" in page.text for page in found)


def test_headers_that_take_turns_on_left_and_right_pages_stay_out(read, draw):
    pages = [
        [
            (60, 800, f"{n} CHAPTER ON RENT") if n % 2 == 0 else (400, 800, f"SECTION ON HEATING {n}"),
            *body(n),
        ]
        for n in range(1, 7)
    ]

    found = read(draw(*pages)).pages

    assert [page.text.startswith("Sentence 0") for page in found] == [False, False, True, True, True, True]


def test_headings_and_first_lines_that_only_look_alike_stay(read, draw):
    pages = [[(60, 790, f"Section {n}", 16), *body(n), (60, 100, f"Total {n * 17}")] for n in range(1, 5)]

    found = read(draw(*pages))

    assert [title for _, title in found.titles] == ["Section 1", "Section 2", "Section 3", "Section 4"]
    assert all(f"Total {n * 17}" in page.text for n, page in enumerate(found.pages, start=1))


def test_a_page_that_says_nothing_else_keeps_what_it_says(read, draw):
    pages = [[(60, 800, "Appendix to the lease")] for _ in range(3)]

    assert [page.text for page in read(draw(*pages)).pages] == ["Appendix to the lease"] * 3


def test_ligatures_and_accents_are_single_letters_that_point_at_the_page(read, draw):
    pdfmetrics.registerFont(TTFont("Mono", FONT))
    path = draw([(60, 700, "The oXce of Cafe\u0301 Go\u0308del")], font="Mono")
    # Few fonts have the ligature; one that calls another letter so does as well.
    path.write_bytes(path.read_bytes().replace(b"<0058>", b"<FB03>"))

    assert read(path).text == "The office of Café Gödel"
    with closing(pdfium.PdfDocument(path)) as document:
        text, indices, _ = page_text(DocumentLines(document), 1)
        assert len(text) == len(indices)
        (box,) = render.boxes(document, 1, text.index("Café"), len(text))
        assert 0.1 < box.left < 0.3 < box.right


def test_the_boxes_of_a_passage_are_where_it_stands_although_lines_before_it_are_left_out(draw):
    pages = [
        [(60, 800, "Lease agreement of the Ödströms"), *side_by_side(700), (60, 40, f"{n}")]
        for n in range(1, 4)
    ]
    with closing(pdfium.PdfDocument(draw(*pages))) as document:
        text, _, _ = page_text(DocumentLines(document), 2)
        start = text.index("Right line 3")
        (box,) = render.boxes(document, 2, start, start + len("Right line 3"))

    assert "Lease" not in text
    assert box.left == pytest.approx(RIGHT / A4[0], abs=0.005)
    assert box.top < 1 - (700 - 39) / A4[1] < box.bottom


def test_pieces_that_cannot_be_columns_are_none():
    row = [Piece(0, 100, y * 12, 10, 30) for y in range(20)]

    assert columns([]) is None
    assert columns(row) is None
    assert columns([*row, *(Piece(300, 320, y * 12, 10, 3) for y in range(20))]) is None


def test_every_piece_is_in_exactly_one_group():
    pieces = [Piece(0, 100, y * 12, 10, 30) for y in range(9)] + [
        Piece(120, 220, y * 12, 10, 30) for y in range(9)
    ]
    pieces += [Piece(0, 220, -20, 10, 60), Piece(50, 60, 200, 10, 2)]

    groups = columns(pieces)

    assert sorted(place for group in groups for place in group) == list(range(len(pieces)))
    assert groups[0] == [18]
    assert groups[-1] == [19]
