import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.backend.documents.chunking import Chunker, chunks, embedding_text
from app.backend.documents.parsing.messages import Heading, ReadPage


def words(text: str) -> int:
    return len(re.findall(r"\w+|[^\w\s]", text))


def pieces(text: str) -> int:
    """Like a word piece vocabulary: long words count more; blanks count nothing."""
    return sum((len(word) + 3) // 4 for word in text.split())


prose = st.lists(
    st.one_of(
        st.sampled_from(
            ["the", "deposit", "is", "due.", "No!", "Dr.", "z. B.", "\n", "\n\n", "   ", "• ", "1. "]
        ),
        st.text(max_size=12),
        st.integers(1, 400).map(lambda length: "x" * length),
    ),
    max_size=200,
).map(" ".join)


@st.composite
def read_pages(draw) -> list[ReadPage]:
    pages = []
    for number, text in enumerate(draw(st.lists(prose, max_size=4)), start=1):
        places = sorted(draw(st.sets(st.integers(0, max(len(text) - 1, 0)), max_size=4)))
        headings = tuple(
            Heading(place, draw(st.integers(1, 6)), draw(st.text(min_size=1, max_size=300)))
            for place in places
        )
        pages.append(ReadPage(number, text, headings))
    return pages


@settings(max_examples=300, deadline=None)
@given(read_pages(), st.sampled_from([words, pieces, len]), st.integers(8, 60))
@example([ReadPage(1, "x" * 5000)], pieces, 8)
@example([ReadPage(1, "\ufeff \u2003.\x85\x1c a")], len, 8)
def test_every_character_that_is_not_blank_is_in_one_passage_and_none_is_too_long(pages, count, limit):
    found = chunks(pages, count, limit)

    for page in pages:
        here = [passage for passage in found if passage.page == page.number]
        covered = 0
        for passage in here:
            assert passage.text == page.text[passage.start : passage.end]
            assert passage.text.strip() == passage.text != ""
            assert not page.text[covered : passage.start].strip()
            assert passage.start >= covered
            assert count(passage.text) <= limit
            covered = passage.end
        assert not page.text[covered:].strip()


@settings(max_examples=100, deadline=None)
@given(read_pages(), st.integers(12, 60))
def test_what_is_embedded_fits_with_its_headings(pages, limit):
    for passage in chunks(pages, words, limit):
        assert words(embedding_text(passage)) <= limit


def test_passages_are_near_the_target_and_end_with_sentences():
    sentences = [f"Sentence number {number} speaks of the rent and of the deposit." for number in range(200)]
    page = ReadPage(1, " ".join(sentences))

    found = chunks([page], words, limit=254, target=160)

    assert all(passage.text.endswith(".") for passage in found)
    assert all(120 <= words(passage.text) <= 200 for passage in found[:-1])


def test_paragraphs_stay_whole_where_they_fit():
    paragraphs = [f"Paragraph {number}. " + "It says a little more than that. " * 14 for number in range(6)]
    page = ReadPage(1, "\n\n".join(paragraphs))

    found = chunks([page], words, limit=254, target=160)

    assert [passage.text.split(".")[0] for passage in found] == [f"Paragraph {number}" for number in range(6)]


def test_abbreviations_do_not_end_a_sentence():
    text = "Dr. Lindqvist owns it, cf. p. 4. It is sold. The U.S. agent knows e.g. Mr. Hall. " * 3

    found = chunks([ReadPage(1, text)], words, limit=26, target=13)

    assert {passage.text.split()[0] for passage in found} <= {"Dr.", "It", "The"}


def test_a_heading_begins_a_passage_and_its_path_is_kept():
    text = "# Lease\n## Deposit\nIt is paid in parts.\n\n## Pets\nA dog needs leave."
    headings = tuple(
        Heading(text.index(mark), mark.count("#"), mark.strip("# "))
        for mark in ("# Lease", "## Deposit", "## Pets")
    )

    found = chunks([ReadPage(1, text, headings)], words, limit=254)

    assert [(passage.heading, passage.text) for passage in found] == [
        ("Lease › Deposit", "# Lease\n## Deposit\nIt is paid in parts."),
        ("Lease › Pets", "## Pets\nA dog needs leave."),
    ]


def test_a_heading_holds_on_the_next_page():
    chunker = Chunker(words, 254)
    chunker.page(ReadPage(1, "Deposit\nIt is paid.", (Heading(0, 2, "Deposit"),)))

    assert chunker.page(ReadPage(2, "In three parts."))[0].heading == "Deposit"


def test_a_running_head_is_no_passage_of_its_own():
    text = "Lease agreement, page 2 of 4\n\nDeposit\nIt is paid in three parts."
    headings = (Heading(text.index("Deposit"), 2, "Deposit"),)

    found = chunks([ReadPage(2, text, headings)], words, limit=254)

    assert [passage.text for passage in found] == [text]


def test_a_heading_too_long_for_the_model_is_left_out_of_the_path():
    title = "word " * 100
    found = chunks([ReadPage(1, title + "\nText.", (Heading(0, 1, title),))], words, limit=60)

    assert {passage.heading for passage in found} == {None}


def test_a_word_longer_than_the_limit_is_cut_and_nothing_of_it_lost():
    found = chunks([ReadPage(1, "before " + "x" * 10_000 + " after")], pieces, limit=100)

    assert "".join(passage.text for passage in found).replace(" ", "") == "before" + "x" * 10_000 + "after"


def test_equal_texts_have_equal_hashes_and_others_have_not():
    one, same, other = (
        chunks([ReadPage(1, text)], words, 254)[0].text_hash for text in ("A b.", " A b. ", "A c.")
    )

    assert one == same != other
    assert len(one) == 64


@pytest.mark.slow
def test_three_hundred_pages_are_cut_in_moments():
    page = "The tenant pays the deposit of 2,360 euros in three equal parts, as agreed above. " * 40
    begun = time.perf_counter()

    found = chunks((ReadPage(number, page) for number in range(300)), words, limit=254)

    assert len(found) > 1000
    assert time.perf_counter() - begun < 10


def test_a_page_without_any_border_takes_time_in_proportion_to_its_length():
    calls = 0

    def counted(text: str) -> int:
        nonlocal calls
        calls += len(text)
        return pieces(text)

    chunks([ReadPage(1, "x" * 50_000)], counted, limit=100)

    assert calls < 50_000 * 60
