from hypothesis import given
from hypothesis import strategies as st

from app.serving.kv_cache import KvCache, shared_prefix

tokens = st.lists(st.integers(0, 3), min_size=1, max_size=12)


def test_a_prompt_that_begins_like_the_last_one_skips_what_they_share():
    cache = KvCache(100)
    slot = cache.take([1, 2, 3])
    slot.tokens[:] = [1, 2, 3, 4, 5]
    cache.give_back(slot)

    assert cache.take([1, 2, 3, 4, 9, 9]).tokens == [1, 2, 3, 4]


def test_the_same_prompt_again_still_computes_its_last_token():
    cache = KvCache(100)
    slot = cache.take([1, 2, 3])
    slot.tokens[:] = [1, 2, 3]
    cache.give_back(slot)

    assert cache.take([1, 2, 3]).tokens == [1, 2]


def test_of_several_slots_the_one_that_shares_most_is_taken():
    cache = KvCache(100, slots=3)
    for number, held in enumerate(([1, 1], [1, 2, 3], [])):
        slot = cache.take([9 + number])
        slot.tokens[:] = held
    for slot in cache._slots:
        cache.give_back(slot)

    assert cache.take([1, 2, 3, 4]).number == 1


def test_a_prompt_unlike_all_others_takes_the_slot_that_loses_least():
    cache = KvCache(100, slots=2)
    first, second = cache.take([1]), cache.take([2])
    first.tokens[:], second.tokens[:] = [1, 1, 1], [2]
    cache.give_back(first)
    cache.give_back(second)

    assert cache.take([7]).number == second.number


def test_after_forgetting_nothing_is_reused():
    cache = KvCache(100)
    slot = cache.take([1, 2])
    slot.tokens[:] = [1, 2]
    cache.give_back(slot)
    cache.forget()

    assert cache.take([1, 2]).tokens == []


@given(prompts=st.lists(tokens, max_size=20))
def test_what_is_reused_is_always_a_true_beginning_and_never_the_whole(prompts):
    cache = KvCache(100, slots=2)
    for prompt in prompts:
        slot = cache.take(prompt)
        assert slot.tokens == prompt[: len(slot.tokens)]
        assert len(slot.tokens) < len(prompt)
        slot.tokens[:] = prompt
        cache.give_back(slot)
        assert cache.free_slots == 2


@given(first=tokens, second=tokens)
def test_a_shared_prefix_is_the_same_from_both_sides(first, second):
    length = shared_prefix(first, second)

    assert length == shared_prefix(second, first)
    assert first[:length] == second[:length]
    assert first[length : length + 1] != second[length : length + 1] or length == len(first) == len(second)
