import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask import inquiry
from app.backend.ask.inquiry import Named

NAMES = {"a": "Lease.pdf", "b": "Annual_report-2023.pdf", "c": "notes.md", "d": "LICENSE"}


@pytest.mark.parametrize(
    ("question", "quotes"),
    [
        ('Where does it say "without notice"?', ("without notice",)),
        ("Wo steht „ohne Frist“?", ("ohne Frist",)),
        ("What is the tenant's name?", ()),
    ],
)
def test_phrases_in_quotation_marks_are_taken_as_they_are(question, quotes):
    assert inquiry.quotes(question) == quotes


@pytest.mark.parametrize(
    ("question", "ways"),
    [
        ("Is INV-2023-0042 paid?", {"inv 2023 0042", "inv20230042"}),
        ("What is wx8841?", {"wx 8841"}),
        ("a bolt of 3.5 mm", {"3 5"}),
        ("Who owes 1,180 euros?", {"1 180", "1180"}),
        ("Who owes 18000 euros?", {"18 000"}),
        ("What is due on 3 May 2023?", {"2023 05 03", "3 may 2023", "may 3 2023", "03 05 2023"}),
    ],
)
def test_codes_numbers_and_dates_are_looked_for_in_each_way_of_writing_them(question, ways):
    assert ways <= set(inquiry.spellings(question))


def test_a_decimal_is_not_read_as_a_whole_number():
    assert "35" not in inquiry.spellings("a bolt of 3.5 mm")


def test_a_question_without_any_has_no_other_ways():
    assert inquiry.spellings("Who pays the rent?") == ()


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What does Lease.pdf say of pets?", Named(certain=("a",))),
        ("What does the file lease say?", Named(certain=("a",))),
        ("What did the annual report 2023 say of costs?", Named(likely=("b",))),
        ("How long is the lease?", Named()),
        ("What does the license say?", Named()),
        ("What does the license file say?", Named(certain=("d",))),
        ("How many notes are there in the release.pdf?", Named()),
    ],
)
def test_documents_are_named_by_file_name_or_in_passing(question, named):
    assert inquiry.named(question, NAMES) == named


@given(st.dates(datetime.date(1500, 1, 1), datetime.date(2099, 12, 31)))
def test_a_date_in_any_usual_form_is_found_in_every_other(date):
    forms = (f"{date.day}. {date:%B} {date.year}", f"{date:%B} {date.day}, {date.year}", f"{date:%Y-%m-%d}")

    for form in forms:
        assert {f"{date:%Y %m %d}", f"{date.day} {date:%B} {date.year}".lower()} <= set(
            inquiry.spellings(f"What happened on {form}?")
        )


@given(st.text(max_size=80), st.dictionaries(st.text(max_size=3), st.text(max_size=20), max_size=4))
def test_any_text_may_be_asked_whatever_the_documents_are_called(question, names):
    found = inquiry.named(question, names)

    assert set(found.certain) | set(found.likely) <= names.keys()
    assert not set(found.certain) & set(found.likely)
    assert all(way.strip() for way in inquiry.spellings(question))
    assert all(quote in question for quote in inquiry.quotes(question))
