import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask.budget import Pace, fitting, recent, room
from app.backend.ask.candidates import Candidate
from app.records import Passage


def candidates(*sizes: int) -> list[Candidate]:
    return [
        Candidate(Passage(number, "d", "d", True, 1, 0, size, None, "x" * size), 1.0, 0.5)
        for number, size in enumerate(sizes)
    ]


def cost(candidate: Candidate) -> int:
    return len(candidate.passage.text)


@given(st.integers(0, 5000), st.integers(0, 6000), st.integers(1, 5000), st.integers(0, 6000))
def test_passages_and_answer_never_take_more_than_the_window(context, fixed, answer, reading):
    shared = room(context, fixed, answer, reading)
    assert shared.passages >= 0
    assert shared.answer >= 0
    assert shared.passages + shared.answer <= max(context - fixed, 0)


def test_the_answer_keeps_its_room_and_the_passages_get_the_rest():
    assert room(4096, 96, 400, 10_000) == room(4096, 96, 400, 3_600)
    assert room(4096, 96, 400, 10_000).passages == 3_600


def test_in_a_small_window_the_answer_takes_at_most_half():
    assert room(512, 112, 400, 10_000).passages == 200


def test_the_best_passages_are_read_while_there_is_room():
    assert fitting(candidates(100, 100, 100), 250, cost) == (True, True, False)


def test_a_passage_that_is_too_long_is_passed_over_for_a_shorter_one():
    assert fitting(candidates(100, 500, 100), 250, cost) == (True, False, True)


@pytest.mark.parametrize(("tokens", "kept"), [(0, 0), (10, 1), (29, 1), (30, 2), (100, 3)])
def test_the_latest_turns_that_fit_are_kept(tokens, kept):
    assert recent([5, 20, 10], tokens) == kept


def test_a_machine_that_reads_slowly_is_given_less():
    pace = Pace()
    unknown = pace.reading("m", on_gpu=False)
    pace.measured("m", 1000, 10_000.0)
    slow = pace.reading("m", on_gpu=False)
    pace.measured("m", 1000, 100.0)
    fast = pace.reading("m", on_gpu=False)
    assert slow < unknown < fast


def test_a_short_prompt_says_nothing_about_the_speed():
    pace = Pace()
    before = pace.reading("m", on_gpu=False)
    pace.measured("m", 5, 5_000.0)
    assert pace.reading("m", on_gpu=False) == before


def test_a_graphics_card_is_given_more_before_it_was_measured():
    assert Pace().reading("m", on_gpu=True) > Pace().reading("m", on_gpu=False)
