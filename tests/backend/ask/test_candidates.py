from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.candidates import Candidate, fair, joined, without_repeats
from app.records import Passage


def passage(
    number: int, text: str = "", *, document: str = "d", page: int = 1, start: int = 0, end: int = 100
):
    return Passage(
        number, document, f"{document}.pdf", True, page, start, end, None, text or f"text {number}"
    )


def ids(candidates) -> list[int]:
    return [candidate.passage.id for candidate in candidates]


def test_of_equal_texts_the_first_is_a_source_and_names_the_other_documents():
    found = [
        Candidate(passage(1, "The rent  is due.", document="a"), 1.0, 0.5),
        Candidate(passage(2, "The rent is\ndue.", document="b"), 0.9, 0.5),
        Candidate(passage(3, "The rent is paid.", document="b"), 0.8, 0.5),
        Candidate(passage(4, "The rent is due.", document="a", page=2), 0.7, 0.5),
    ]

    kept = without_repeats(found)

    assert ids(kept) == [1, 3]
    assert [candidate.also for candidate in kept] == [("b.pdf",), ()]


def test_of_overlapping_spans_of_a_page_only_the_first_is_a_source():
    found = [
        Candidate(passage(1, start=0, end=100), 1.0, 0.5),
        Candidate(passage(2, start=20, end=120), 0.9, 0.5),
        Candidate(passage(3, start=90, end=190), 0.8, 0.5),
        Candidate(passage(4, start=20, end=120, page=2), 0.7, 0.5),
    ]
    assert ids(without_repeats(found)) == [1, 3, 4]


def test_neighbours_are_one_source_at_the_place_of_the_better_one():
    page = "The rent is 900 euros.\n\nIt is due monthly.\n\nPets need consent."
    parts = [page[0:22], page[24:42], page[44:]]
    starts = [0, 24, 44]
    found = [
        Candidate(
            passage(number, parts[number], start=starts[number], end=starts[number] + len(parts[number])),
            1.0,
            cosine,
        )
        for number, cosine in ((1, 0.4), (0, 0.6), (2, 0.2))
    ]

    (whole,) = joined(found)

    assert (whole.passage.id, whole.similarity) == (1, 0.6)
    assert whole.passage.text == page[whole.passage.start : whole.passage.end] == page


def test_what_is_too_long_or_stands_apart_is_not_joined():
    found = [
        Candidate(passage(1, "a" * 1_000, start=0, end=1_000), 1.0, 0.0),
        Candidate(passage(2, "b" * 1_000, start=1_002, end=2_002), 0.9, 0.0),
        Candidate(passage(3, "c" * 90, start=2_100, end=2_190), 0.8, 0.0),
        Candidate(passage(4, "d" * 90, start=2_192, end=2_282, page=2), 0.7, 0.0),
        Candidate(passage(5, "e" * 90, start=2_192, end=2_282, document="e"), 0.6, 0.0),
    ]

    assert joined(found) == found


def of_two_documents(*scores: float) -> list[Candidate]:
    """Four passages of one document, then as many of another as there are scores."""
    one = [Candidate(passage(number, document="a"), 1.0 - number / 100, 0.5) for number in range(4)]
    return one + [
        Candidate(passage(10 + number, document="b"), score, 0.5) for number, score in enumerate(scores)
    ]


def test_one_document_leaves_half_of_the_places_to_others_that_fit():
    assert ids(fair(of_two_documents(0.8, 0.7), 4)) == [0, 1, 10, 11]


def test_what_does_not_fit_half_as_well_takes_nobodys_place():
    assert ids(fair(of_two_documents(0.4, 0.3), 4)) == [0, 1, 2, 3]


def test_a_document_that_the_question_names_may_have_all_places():
    assert ids(fair(of_two_documents(0.8, 0.7), 4, named={"a"})) == [0, 1, 2, 3]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 1)), max_size=20), st.integers(1, 10))
def test_nothing_is_lost_while_there_are_places(found, k):
    ordered = sorted(found, key=lambda pair: -pair[1])
    candidates = [
        Candidate(passage(number, document=document), score, 0.0)
        for number, (document, score) in enumerate(ordered)
    ]

    chosen = fair(candidates, k)

    assert len(chosen) == min(k, len(candidates))
    assert chosen[:1] == candidates[:1]
    assert [one.score for one in chosen] == sorted((one.score for one in chosen), reverse=True)
