from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from app.serving.detokenizer import Detokenizer


def run(detokenizer: Detokenizer, pieces: list[bytes]) -> list[str]:
    return [detokenizer.push(piece) for piece in pieces] + [detokenizer.finish()]


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(text=st.text(), cuts=st.lists(st.integers(0, 10_000)))
def test_pieces_concatenate_to_the_whole_wherever_the_bytes_were_cut(text, cuts):
    assert "".join(run(Detokenizer(), split(text.encode(), cuts))) == text


@given(data=st.binary(), cuts=st.lists(st.integers(0, 10_000)))
def test_bytes_that_are_no_text_become_replacement_characters(data, cuts):
    assert "".join(run(Detokenizer(), split(data, cuts))) == data.decode("utf-8", "replace")


@given(
    text=st.text(alphabet="ab\n字", max_size=30),
    stop=st.lists(st.text(alphabet="ab\n字", min_size=1, max_size=4), max_size=3),
    cuts=st.lists(st.integers(0, 10_000)),
)
def test_an_answer_ends_before_its_first_stop_string_wherever_the_bytes_were_cut(text, stop, cuts):
    detokenizer = Detokenizer(tuple(stop))

    said = "".join(run(detokenizer, split(text.encode(), cuts)))

    if detokenizer.stopped:
        assert text.startswith(said)
        assert any(text[len(said) :].startswith(one) for one in stop)
        assert not any(one in said for one in stop)
    else:
        assert said == text
        assert not any(one in text for one in stop)


def test_a_character_is_held_back_until_it_is_whole():
    detokenizer = Detokenizer()
    first, second = "🌈".encode()[:2], "🌈".encode()[2:]

    assert detokenizer.push(first) == ""
    assert detokenizer.push(second) == "🌈"


def test_the_beginning_of_a_stop_string_is_held_back_and_sent_when_it_was_none():
    detokenizer = Detokenizer(("\nUser:",))

    assert detokenizer.push(b"Yes.\nUs") == "Yes."
    assert detokenizer.push(b"ed") == "\nUsed"
    assert detokenizer.finish() == ""


def test_a_stop_string_across_three_tokens_is_never_shown():
    detokenizer = Detokenizer(("END",))

    assert run(detokenizer, [b"done E", b"N", b"D more"]) == ["done ", "", "", ""]
    assert detokenizer.stopped


def test_an_unfinished_character_at_the_end_is_shown_as_one_replacement():
    assert run(Detokenizer(), ["é".encode()[:1]]) == ["", "\ufffd"]


def test_an_empty_stop_string_stops_nothing():
    assert "".join(run(Detokenizer(("",)), [b"text"])) == "text"
