"""A state turned from one layout to the other is what llama.cpp writes in that layout itself."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.serving import kv_state, llama
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel
from app.serving.scheduler import Row

pytestmark = pytest.mark.model

TOKENS = tuple(range(300, 340))
SLOTS = 3


@pytest.fixture(scope="module")
def contexts(models):
    """One with flash attention, whose values lie by tokens, and one without; both have read TOKENS."""
    model = NativeModel(models.chat.path)
    made = [
        NativeContext(model, length=128, batch=64, threads=2, slots=SLOTS, flash=flash)
        for flash in (True, False)
    ]
    for context in made:
        assert context.decode((Row(0, 0, TOKENS, True),)) == llama.OK
    yield made
    for context in made:
        context.free()
    model.free()


@pytest.fixture
def states(contexts):
    return [context.save(0, streams=SLOTS) for context in contexts]


def values(state, by_numbers):
    """Of each layer, shape (tokens, numbers); read here once more, by the picture in kv_state."""
    _, _, _, tokens = np.frombuffer(state, np.uint32, 4)
    at = 16 + 12 * tokens + 4
    (layers,) = np.frombuffer(state, np.uint32, 1, at)
    at += 4
    for _ in range(layers):
        (size,) = np.frombuffer(state, np.uint64, 1, at + 4)
        at += 12 + int(tokens * size)
    for _ in range(layers):
        kind = int(np.frombuffer(state, np.int32, 1, at)[0])
        assert kind == 1  # half floats
        numbers = int(np.frombuffer(state, np.uint32, 2, at + 4)[1]) if by_numbers else 0
        numbers = numbers or int(np.frombuffer(state, np.uint64, 1, at + 4)[0]) // 2
        found = np.frombuffer(state, np.float16, int(tokens) * numbers, at + 12)
        yield found.reshape((numbers, tokens)).T if by_numbers else found.reshape((tokens, numbers))
        at += 12 + found.nbytes


def test_the_two_layouts_hold_the_same_values(states):
    by_tokens, by_numbers = states

    assert len(by_tokens) == len(by_numbers)
    pairs = list(zip(values(by_tokens, False), values(by_numbers, True), strict=True))
    assert np.array_equal(*pairs[0])  # of the first layer nothing comes after attention yet
    for one, other in pairs:
        assert one == pytest.approx(other, abs=0.5)


@pytest.mark.parametrize("by_numbers", [True, False])
def test_turned_it_holds_the_same_and_turned_back_it_is_the_same(states, by_numbers):
    state = states[0 if by_numbers else 1]
    before, expected = bytes(state), [found.copy() for found in values(state, not by_numbers)]

    assert kv_state.turn(state, by_numbers=by_numbers)

    assert bytes(state) != before
    for found, wanted in zip(values(state, by_numbers), expected, strict=True):
        assert np.array_equal(found, wanted)
    assert kv_state.turn(state, by_numbers=not by_numbers)
    assert bytes(state) == before


@pytest.mark.parametrize("by_numbers", [True, False])
def test_the_other_context_takes_it_and_goes_on_where_the_first_would(contexts, states, by_numbers):
    source, target = contexts if by_numbers else contexts[::-1]
    state = states[0 if by_numbers else 1]
    source.copy(0, 1)
    source.decode((Row(1, len(TOKENS), (7,), True),))
    expected = source.scores(0).copy()

    assert kv_state.turn(state, by_numbers=by_numbers)
    assert target.restore(2, state, streams=SLOTS)

    assert target.held(2) == len(TOKENS)
    assert target.decode((Row(2, len(TOKENS), (7,), True),)) == llama.OK
    assert target.scores(0) == pytest.approx(expected, abs=1.0)
    assert target.scores(0).argmax() == expected.argmax()


def test_what_lies_the_other_way_already_is_not_turned(states):
    by_tokens, by_numbers = states

    assert not kv_state.turn(by_tokens, by_numbers=False)
    assert not kv_state.turn(by_numbers, by_numbers=True)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_what_is_cut_or_damaged_is_refused_and_breaks_nothing(contexts, data):
    """Of a stranger's llama.cpp: sizes that lead nowhere. None of it may reach memory that is not its own."""
    state = bytearray(contexts[0].save(0, streams=SLOTS))
    if data.draw(st.booleans()):
        del state[data.draw(st.integers(0, len(state) - 1)) :]
        assert not kv_state.turn(memoryview(state), by_numbers=True)
    else:
        at = data.draw(st.integers(8, 16 + 12 * len(TOKENS) + 20))  # counts, types and sizes
        state[at] ^= data.draw(st.integers(1, 255))
        kv_state.turn(memoryview(state), by_numbers=True)


@pytest.mark.parametrize("byte", range(8))
def test_a_size_that_leads_nowhere_is_refused(states, byte):
    state = states[0]
    state[16 + 12 * len(TOKENS) + 8 + 4 + byte] ^= 0x81  # bytes of a token's keys in the first layer

    assert not kv_state.turn(state, by_numbers=True)


def test_values_in_blocks_have_no_other_layout(models):
    model = NativeModel(models.chat.path)
    context = NativeContext(model, length=128, batch=64, threads=2, compact=True)
    try:
        context.decode((Row(0, 0, TOKENS, True),))
        assert not kv_state.turn(context.save(0, streams=1), by_numbers=True)
    finally:
        context.free()
        model.free()
