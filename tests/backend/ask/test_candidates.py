from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.candidates import Candidate, fair, without_repeats
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
