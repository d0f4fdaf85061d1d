import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.serving.kv_cache import COPY_WORTH, KvCache, shared_prefix

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=12)
LONG = list(range(1_000, 1_000 + 2 * COPY_WORTH))


def holding(*contents, **options):
    """A cache whose slots hold `contents`, the first one used longest ago."""
    cache = KvCache(10_000, slots=len(contents), **options)
    places = [cache.take([-1 - number, 0]) for number in range(len(contents))]
    for place, content in zip(places, contents, strict=True):
        place.slot.tokens[:] = content
        cache.give_back(place.slot)
    return cache


def test_a_prompt_that_begins_like_the_last_one_skips_what_they_share():
    cache = holding([1, 2, 3, 4, 5])

    assert cache.take([1, 2, 3, 4, 9, 9]).slot.tokens == [1, 2, 3, 4]


def test_the_same_prompt_again_still_computes_its_last_token():
    cache = holding([1, 2, 3])

    assert cache.take([1, 2, 3]).slot.tokens == [1, 2]


def test_of_several_slots_the_one_that_shares_most_is_taken():
    cache = holding([1, 1], [1, 2, 3], [])

    assert cache.take([1, 2, 3, 4]).slot.number == 1


def test_an_empty_slot_is_taken_before_one_that_holds_something():
    cache = holding([1], [], [2])

    assert cache.take([7, 8]).slot.number == 1


def test_a_prompt_unlike_all_others_takes_the_slot_that_was_not_used_for_longest():
    cache = holding([1], [2], [3])
    cache.give_back(cache.take([1, 1]).slot)

    assert cache.take([7, 8]).slot.number == 1


def test_another_conversation_with_the_same_instructions_does_not_push_out_the_first():
    instructions = [9, 9, 9]
    cache = holding([], instructions + LONG)

    place = cache.take([*instructions, 1, 2, 3])

    assert place.slot.number == 0
    assert cache.slots[1].tokens == instructions + LONG


def test_a_long_beginning_is_copied_from_wherever_it_is():
    cache = holding([], LONG)
    running = cache.take([*LONG, 1])
    assert running.slot.number == 1

    place = cache.take([*LONG[:-5], 7, 7])

    assert (place.slot.number, place.source) == (0, running.slot)
    assert place.slot.tokens == LONG[:-5]


def test_a_short_beginning_is_not_worth_a_copy():
    cache = holding([], LONG[: COPY_WORTH - 1] + [5] * COPY_WORTH)

    place = cache.take([*LONG[: COPY_WORTH - 1], 7])

    assert place.source is None
    assert place.slot.tokens == []


def test_a_running_state_is_never_copied():
    cache = holding([], LONG + [5] * len(LONG) * 2, copies=False)

    assert cache.take([*LONG, 7]).source is None


def test_waiting_is_worth_while_another_reads_the_same_beginning():
    cache = holding([], [])
    prompt = [*LONG, 1]
    first = cache.take(prompt).slot
    first.coming = prompt

    assert cache.worth_waiting([*LONG, 2])
    assert not cache.worth_waiting([*LONG[:5], 2])
    first.tokens.extend(LONG[:-2])
    assert cache.worth_waiting([*LONG, 2])
    first.tokens.extend(LONG[-2:])
    assert not cache.worth_waiting([*LONG, 2])
    first.tokens.clear()
    cache.give_back(first)
    assert not cache.worth_waiting([*LONG, 2])


@pytest.mark.parametrize(
    ("held", "kept", "prompt", "lost"),
    [
        ([1, 2, 3, 4], 0, [7, 8], (1, 2, 3, 4)),
        ([1, 2, 3, 4], 4, [7, 8], ()),  # it is on disk
        ([1, 2, 3, 4], 0, [1, 2, 3, 4, 5], ()),  # it goes on
        ([1, 2, 3, 4], 0, [1, 2, 3, 9], ()),  # most of it stays
    ],
)
def test_what_goes_is_named_if_it_is_nowhere_else(held, kept, prompt, lost):
    cache = holding(held)
    cache.slots[0].kept = kept

    assert cache.take(prompt).lost == lost


def test_a_neighbour_of_the_slots_in_use_is_preferred():
    cache = KvCache(100, slots=4)
    for _ in range(4):
        cache.take([1, 2])
    for slot in (0, 2, 3):
        cache.give_back(cache.slots[slot])
        cache.slots[slot].used = 0

    assert cache.take([7, 8]).slot.number in (0, 2)


def test_after_forgetting_nothing_is_reused():
    cache = holding([1, 2])
    cache.forget()

    assert cache.take([1, 2]).slot.tokens == []


@given(prompts=st.lists(tokens, max_size=20), slots=st.integers(1, 3))
def test_what_is_reused_is_always_a_true_beginning_and_never_the_whole(prompts, slots):
    cache = KvCache(100, slots=slots)
    for prompt in prompts:
        slot = cache.take(prompt).slot
        assert slot.tokens == prompt[: len(slot.tokens)]
        assert len(slot.tokens) < len(prompt)
        slot.tokens[:] = prompt
        cache.give_back(slot)
        assert cache.free_slots == slots


@given(first=tokens, second=tokens)
def test_a_shared_prefix_is_the_same_from_both_sides(first, second):
    length = shared_prefix(first, second)

    assert length == shared_prefix(second, first)
    assert first[:length] == second[:length]
    assert first[length : length + 1] != second[length : length + 1] or length == len(first) == len(second)


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 1_000])
def test_a_long_shared_prefix_is_counted_to_the_token(length):
    assert shared_prefix([*range(length), -1, 5], (*range(length), -2, 5, 5)) == length
