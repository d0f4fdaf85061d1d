import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.marks import Mark, MarkFilter


def shown(*pieces: str) -> tuple[str, list[Mark]]:
    marks = MarkFilter()
    text = "".join(marks.feed(piece) for piece in pieces)
    return text + marks.finish(), marks.marks


@pytest.mark.parametrize(
    ("text", "without", "numbers"),
    [
        ("It is due [1].", "It is due.", [1]),
        ("It is due. [1] It is paid.", "It is due. It is paid.", [1]),
        ("It is due [1][2].", "It is due.", [1, 2]),
        ("It is due [1, 2].", "It is due.", [1, 2]),
        ("It is due [12].", "It is due.", [12]),
        ("It is due【3】.", "It is due.", [3]),
        ("See [2019] UKSC 1.", "See [2019] UKSC 1.", []),
        ("A list [a] and [ ] and [b1].", "A list [a] and [ ] and [b1].", []),
        ("It ends in [1", "It ends in [1", []),
        ("It ends in [", "It ends in [", []),
        ("trailing space ", "trailing space ", []),
        ("[1] first", " first", [1]),
        ("a [1]\n\nb", "a\n\nb", [1]),
    ],
)
def test_marks_are_taken_out_with_the_space_before_them(text, without, numbers):
    found, marks = shown(text)
    assert found == without
    assert [mark.number for mark in marks] == numbers


def test_half_a_mark_is_never_shown():
    marks = MarkFilter()
    assert marks.feed("It is due [") == "It is due"
    assert marks.feed("1") == ""
    assert marks.feed("].") == "."


def test_what_turns_out_not_to_be_a_mark_is_shown_after_all():
    marks = MarkFilter()
    assert marks.feed("See [20") == "See"
    assert marks.feed("19] UKSC") == " [2019] UKSC"


def test_a_mark_knows_its_place_in_the_shown_text():
    text, marks = shown("One [1]. Two [2].")
    assert text == "One. Two."
    assert marks == [Mark(3, 1), Mark(8, 2)]


@given(
    st.text(alphabet=list("ab .[]【】12,-\n"), max_size=60),
    st.lists(st.integers(1, 7), min_size=1, max_size=60),
)
def test_however_a_stream_is_cut_the_shown_text_is_the_same(text, sizes):
    pieces = []
    at = 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    pieces.append(text[at:])
    assert shown(*pieces) == shown(text)
