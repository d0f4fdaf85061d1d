import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask import places
from app.records import Passage


def passage(text: str, heading: str | None = None) -> Passage:
    return Passage(1, "d", "Manual.pdf", True, 1, 0, len(text), heading, text)


@pytest.mark.parametrize(
    ("question", "pages"),
    [
        ("What does page 12 say?", (12,)),
        ("Was steht auf Seite 12?", (12,)),
        ("see pp. 3-5 and 9", (3, 4, 5, 9)),
        ("What is on p. 4?", (4,)),
        ("the 12th page", (12,)),
        ("How many pages has it?", ()),
        ("The rent on page 3.5", ()),
        ("It has 3 pages.", ()),
    ],
)
def test_pages_are_read_as_people_write_them(question, pages):
    assert places.pages(question) == pages


@pytest.mark.parametrize(
    ("question", "sections"),
    [
        ("What is in section 3.2?", ("3.2",)),
        ("§5 and §§ 7", ("5", "7")),
        ("Was regelt Abschnitt 4?", ("4",)),
        ("appendix B, please", ("B",)),
        ("chapter IV", ("IV",)),
        ("the section I need", ()),
        ("Which section says that?", ()),
    ],
)
def test_sections_are_read_as_people_write_them(question, sections):
    assert places.sections(question) == sections


@pytest.mark.parametrize(
    ("section", "text", "heading"),
    [
        ("3.2", "x", "3 Data › 3.2 Sources"),
        ("3.2", "x", "3 Data › 3.2.1 Sources"),
        ("3.2", "before\n3.2 Sources are named.", None),
        ("5", "§ 5 Rent\n\nIt is due.", None),
        ("5", "x", "Section 5: Rent"),
        ("B", "Appendix B\n\nTables", None),
    ],
)
def test_a_passage_lies_in_the_section_whose_number_begins_a_heading_or_a_line(section, text, heading):
    assert places.lies_in(section, passage(text, heading))


@pytest.mark.parametrize(
    ("section", "text"),
    [("3.2", "13.2 Sources"), ("3.2", "3.2 mm wide"), ("5", "as section 5 says"), ("5", "50 Rent")],
)
def test_a_number_that_only_occurs_begins_no_section(section, text):
    assert not places.lies_in(section, passage(text))


def test_the_pages_are_not_searched_for():
    assert places.without_pages("What does it say on page 12 of the lease?").split() == (
        ["What", "does", "it", "say", "of", "the", "lease?"]
    )


@given(st.text(max_size=80))
def test_any_text_may_be_asked(question):
    assert all(page >= 0 for page in places.pages(question))
    assert len(places.pages(question)) <= 50
    for section in places.sections(question):
        places.lies_in(section, passage(question, question))
    assert places.without_pages(question) or not question.strip()


@given(st.integers(1, 99_999))
def test_every_page_number_is_read_back(number):
    assert places.pages(f"What is on page {number}?") == (number,)
    assert str(number) not in places.without_pages(f"What is on page {number}?")
