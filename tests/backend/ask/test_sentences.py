import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.sentences import SentenceStream, split


def said(text: str, *, wrapped: bool = False) -> list[str]:
    return [text[start:end] for start, end in split(text, wrapped=wrapped)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("   \n ", []),
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("No end", ["No end"]),
        ("Dr. Smith agreed. He signed.", ["Dr. Smith agreed.", "He signed."]),
        ("J. Smith and A. B. Jones signed it.", ["J. Smith and A. B. Jones signed it."]),
        ("Der Ruderfreunde e. V. hat Boote. Gut.", ["Der Ruderfreunde e. V. hat Boote.", "Gut."]),
        ("Nach § 7 i. V. m. Abs. 3 gilt es. Neu.", ["Nach § 7 i. V. m. Abs. 3 gilt es.", "Neu."]),
        ("It is plan b. Then comes the next.", ["It is plan b.", "Then comes the next."]),
        ("See e.g. Section 3. It holds.", ["See e.g. Section 3.", "It holds."]),
        ("It costs 1.5 euros. Not 2.", ["It costs 1.5 euros.", "Not 2."]),
        ("It follows § 7. The end.", ["It follows § 7.", "The end."]),
        ("Due on 1. September 2025. Not later.", ["Due on 1. September 2025.", "Not later."]),
        ("It ended in 2025. Then it began.", ["It ended in 2025.", "Then it began."]),
        ("He asked “why?” and left. Nobody knew.", ["He asked “why?” and left.", "Nobody knew."]),
        ("She said “Go.” Then she left.", ["She said “Go.”", "Then she left."]),
        ("It is (see p. 4). Good.", ["It is (see p. 4).", "Good."]),
        ("Wait... what? Yes.", ["Wait... what?", "Yes."]),
        ("Wait... What? Yes.", ["Wait...", "What?", "Yes."]),
        ("Is it due? No. It is not.", ["Is it due?", "No.", "It is not."]),
        ("See No. 5 and Nos. 6 and 7.", ["See No. 5 and Nos. 6 and 7."]),
        ("- one thing\n- two things.", ["one thing", "two things."]),
        ("1. First item. More.\n2. Second.", ["First item.", "More.", "Second."]),
        ("## Rent\nIt is due.", ["Rent", "It is due."]),
        ("It is **due.** Now go.", ["It is **due.**", "Now go."]),
        ("これは文です。次の文です。", ["これは文です。", "次の文です。"]),
        ("The file notes.txt is read. OK.", ["The file notes.txt is read.", "OK."]),
        ("Really?! Yes.", ["Really?!", "Yes."]),
        ("At 10 p.m. the gate closes.", ["At 10 p.m. the gate closes."]),
    ],
)
def test_a_text_is_cut_into_its_sentences(text, expected):
    assert said(text) == expected


def test_a_wrapped_line_does_not_end_a_sentence():
    page = "The rent is due in\nadvance on the first\nday of each month. It is\npaid by transfer."
    assert said(page, wrapped=True) == [
        "The rent is due in\nadvance on the first\nday of each month.",
        "It is\npaid by transfer.",
    ]


def test_a_heading_on_a_page_stands_alone():
    page = "§ 3 Rent\nThe monthly rent is 1,180 euros and is payable in advance, without any deduction."
    assert said(page, wrapped=True) == [
        "§ 3 Rent",
        "The monthly rent is 1,180 euros and is payable in advance, without any deduction.",
    ]


def test_rows_of_a_table_on_a_page_stand_alone():
    page = (
        "A long line of prose that reaches the right margin of the page, as lines of prose do, and is\n"
        "wrapped there.\n\n"
        "Keys 2 front door, 3 flat\nElectricity meter 18,204 kWh\nRemarks Scratch in the parquet"
    )
    assert said(page, wrapped=True)[1:] == [
        "Keys 2 front door, 3 flat",
        "Electricity meter 18,204 kWh",
        "Remarks Scratch in the parquet",
    ]


def test_a_list_on_a_page_is_cut_into_its_items():
    page = "The tenant pays:\n(a) the rent,\n(b) the heating\nand the water,\n- the garage."
    assert said(page, wrapped=True) == [
        "The tenant pays:",
        "(a) the rent,",
        "(b) the heating\nand the water,",
        "the garage.",
    ]


def test_a_sentence_is_given_as_soon_as_the_next_one_has_begun():
    stream = SentenceStream()
    assert stream.feed("It is due. ") == []
    assert stream.feed("The second sentence") == [(0, 10)]


texts = st.text(alphabet=list("ab AB.!?\n1, “”()-§。"), max_size=120)


@given(texts, st.lists(st.integers(1, 9), min_size=1, max_size=20), st.randoms())
def test_however_a_stream_is_cut_the_sentences_are_the_same(text, sizes, random):
    stream = SentenceStream()
    spans = []
    at = 0
    while at < len(text):
        size = random.choice(sizes)
        spans += stream.feed(text[at : at + size])
        at += size
    spans += stream.finish()
    assert spans == split(text)


@given(texts, st.booleans())
def test_sentences_come_in_order_and_leave_out_no_word(text, wrapped):
    spans = split(text, wrapped=wrapped)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))
    assert all(start < end and text[start:end] == text[start:end].strip() for start, end in spans)
    inside = {place for start, end in spans for place in range(start, end)}
    left_out = "".join(char for place, char in enumerate(text) if place not in inside)
    # What is left out is blank or a list mark.
    assert not set(left_out) - set(" \n-1.)")
