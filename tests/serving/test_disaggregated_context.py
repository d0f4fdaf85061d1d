"""Long texts are read in one context and answered in another, and nobody can tell but by the clock."""

import asyncio

import pytest

from app.errors import ModelError
from app.serving import disaggregated_context, growing_context, kv_state, llama
from app.serving.disaggregated_context import DisaggregatedContext
from app.serving.generation import Generation, Prompt, Sampling
from app.serving.growing_context import GrowingContext
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel
from app.serving.scheduler import READ_AT_ONCE, Row
from tests.serving.answering import answer

pytestmark = pytest.mark.model

SMALLEST = 8
TEXT = tuple(range(400, 440))
OTHER = tuple(range(700, 730))
THIRD = tuple(range(900, 930))
NEAR = 1.7  # as much as scores (logits) of the two ways differ


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(disaggregated_context, "SMALLEST_PART", SMALLEST)


@pytest.fixture
def model(models):
    model = NativeModel(models.chat.path)
    yield model
    model.free()


class Makes:
    """Makes contexts of one kind, notes of how many positions, and refuses more than it is told."""

    def __init__(self, model, *, flash):
        self._model, self._flash, self.most = model, flash, 1_024
        self.asked = []

    def __call__(self, slots, positions):
        self.asked.append(positions)
        if positions > self.most:
            raise ModelError("not enough memory")
        return NativeContext(
            self._model, length=positions, batch=128, threads=2, slots=slots, flash=self._flash
        )


@pytest.fixture
def reading(model):
    return Makes(model, flash=True)


@pytest.fixture
def context(model, reading, small_parts):
    writing = GrowingContext(Makes(model, flash=False), length=512, slots=4, whole=True)
    made = DisaggregatedContext(writing, lambda: GrowingContext(reading, length=512, slots=4), 512)
    yield made
    made.free()


@pytest.fixture
def plain(model):
    """What everything is compared with: one context without flash attention."""
    made = NativeContext(model, length=512, batch=128, threads=2, slots=4, flash=False)
    yield made
    made.free()


def expected(plain, tokens):
    """The scores after `tokens`."""
    plain.clear()
    assert plain.decode((Row(0, 0, tokens, True),)) == llama.OK
    return plain.scores(len(tokens) - 1).copy()


def ask(context, *rows):
    assert context.decode(rows) == llama.OK


def apart(context):
    return sorted(context._reading)


def test_a_text_is_read_apart_and_moves_when_its_answer_begins(context, plain):
    ask(context, Row(0, 0, TEXT, True))

    assert apart(context) == [0]
    assert context.writing.held(0) == 0
    assert context.held(0) == len(TEXT)
    assert context.scores(len(TEXT) - 1) == pytest.approx(expected(plain, TEXT), abs=NEAR)

    ask(context, Row(0, len(TEXT), (7,), True))

    assert apart(context) == []
    assert context.writing.held(0) == len(TEXT) + 1
    assert context.scores(0) == pytest.approx(expected(plain, (*TEXT, 7)), abs=NEAR)


def test_a_short_one_is_not(context, reading):
    ask(context, Row(0, 0, TEXT[: SMALLEST - 1], True))

    assert apart(context) == []
    assert reading.asked == []


def test_it_is_read_in_parts_and_a_small_rest_where_answers_are_written(context, plain):
    rest = SMALLEST - 2
    ask(context, Row(0, 0, TEXT[:20], False, left=len(TEXT) - 20))
    ask(context, Row(0, 20, TEXT[20:-rest], False, left=rest))
    assert apart(context) == [0]

    ask(context, Row(0, len(TEXT) - rest, TEXT[-rest:], True))

    assert apart(context) == []
    assert context.scores(rest - 1) == pytest.approx(expected(plain, TEXT), abs=NEAR)


def test_what_was_read_before_is_taken_along_where_that_is_worth_it(context, plain):
    ask(context, Row(0, 0, TEXT[:6], True))
    assert apart(context) == []

    ask(context, Row(0, 6, TEXT[6:], True))

    assert apart(context) == [0]
    assert context.held(0) == len(TEXT)
    assert context.scores(len(TEXT) - 7) == pytest.approx(expected(plain, TEXT), abs=NEAR)


def test_little_text_after_much_is_read_where_that_is(context):
    ask(context, Row(0, 0, tuple(range(300, 420)), True))
    ask(context, Row(0, 120, (7,), True))

    ask(context, Row(0, 121, TEXT[:SMALLEST], True))

    assert apart(context) == []


def test_the_scores_of_each_row_are_found_wherever_it_was_computed(context, plain):
    for slot, text in ((0, TEXT), (2, OTHER)):
        ask(context, Row(slot, 0, text, True))
        ask(context, Row(slot, len(text), (7,), True))

    ask(
        context,
        Row(0, len(TEXT) + 1, (8,), True),
        Row(1, 0, THIRD, True),
        Row(2, len(OTHER) + 1, (9,), True),
        Row(3, 0, TEXT, True),
    )

    assert apart(context) == [1, 3]
    last = 1 + len(THIRD)
    for index, tokens in (
        (0, (*TEXT, 7, 8)),
        (last - 1, THIRD),
        (last, (*OTHER, 7, 9)),
        (last + len(TEXT), TEXT),
    ):
        found = context.scores(index).copy()
        assert found == pytest.approx(expected(plain, tokens), abs=NEAR)
        handle, there = context.output(index)
        native = llama.native.llama_get_logits_ith(handle, there)
        assert native[5] == found[5]
    with pytest.raises(ModelError):
        context.scores(last + len(TEXT) + 1)


def test_as_many_are_read_apart_as_there_is_room_for_and_whoever_rests_makes_room(context):
    for slot in range(READ_AT_ONCE):
        ask(context, Row(slot, 0, TEXT, True))
    reading = [Row(slot, 40, OTHER, True) for slot in range(READ_AT_ONCE)]

    ask(context, *reading, Row(3, 0, THIRD, True))
    assert apart(context) == [0, 1]
    assert context.writing.held(3) == len(THIRD)

    ask(context, Row(2, 0, TEXT, True))
    assert len(apart(context)) == READ_AT_ONCE
    assert 2 in apart(context)
    assert [context.held(slot) for slot in range(4)] == [70, 70, 40, 30]


def test_it_can_be_cut_copied_saved_and_restored_while_it_is_read(context, plain):
    ask(context, Row(0, 0, TEXT, True))

    assert context.truncate(0, 30) == 30
    assert apart(context) == [0]
    context.copy(0, 1)
    assert apart(context) == []
    ask(context, Row(1, 30, TEXT[30:], True))  # whose copy is under way: it is not moved
    assert context.scores(9) == pytest.approx(expected(plain, TEXT), abs=NEAR)

    ask(context, Row(2, 0, OTHER, True))
    state = context.save(2)
    assert apart(context) == []
    ask(context, Row(3, 0, TEXT, True))
    assert context.restore(3, state)
    assert apart(context) == []
    ask(context, Row(3, len(OTHER), (7,), True))
    assert context.scores(0) == pytest.approx(expected(plain, (*OTHER, 7)), abs=NEAR)

    ask(context, Row(0, 30, OTHER, True))
    assert context.truncate(0, 0) == context.held(0) == context.writing.held(0) == 0
    context.clear()
    assert [context.held(slot) for slot in range(4)] == [0] * 4


def test_a_copy_to_a_slot_takes_the_place_of_what_is_read_for_it(context, plain):
    ask(context, Row(0, 0, TEXT[:6], True))
    ask(context, Row(1, 0, OTHER, True))

    context.copy(0, 1)

    assert apart(context) == []
    ask(context, Row(1, 6, (7,), True))
    assert context.scores(0) == pytest.approx(expected(plain, (*TEXT[:6], 7)), abs=NEAR)


def test_a_text_that_is_longer_than_there_is_room_for_is_read_where_answers_are_written(context, reading):
    ask(context, Row(0, 0, TEXT, False, left=500))

    assert apart(context) == []
    assert reading.asked == []


@pytest.mark.parametrize("most", [0, 64])
def test_without_memory_texts_are_read_where_answers_are_written_and_it_is_tried_once(
    context, reading, monkeypatch, plain, most
):
    monkeypatch.setattr(growing_context, "FIRST_POSITIONS", 64)
    reading.most = 64
    ask(context, Row(1, 0, OTHER, True))
    reading.most = most

    ask(context, Row(0, 0, TEXT, True, left=60))

    assert apart(context) == []
    tried = len(reading.asked)
    assert context.held(1) == len(OTHER)
    assert context.scores(len(TEXT) - 1) == pytest.approx(expected(plain, TEXT), abs=NEAR)
    ask(context, Row(2, 0, TEXT, True))
    assert len(reading.asked) == tried


def test_what_was_lost_on_its_way_is_read_again(context, monkeypatch, plain):
    ask(context, Row(0, 0, TEXT, True))
    monkeypatch.setattr(kv_state, "turn", lambda state, *, by_numbers: False)

    assert context.decode((Row(0, len(TEXT), (7,), True),)) == llama.ABORTED

    assert context.held(0) == 0
    ask(context, Row(0, 0, (*TEXT, 7), True))
    assert apart(context) == []
    assert context.scores(len(TEXT)) == pytest.approx(expected(plain, (*TEXT, 7)), abs=NEAR)


def test_what_cannot_be_taken_along_stays_where_it_is(context, monkeypatch, plain):
    ask(context, Row(0, 0, TEXT[:6], True))
    monkeypatch.setattr(kv_state, "turn", lambda state, *, by_numbers: False)

    ask(context, Row(0, 6, TEXT[6:], True))

    assert apart(context) == []
    assert context.scores(len(TEXT) - 7) == pytest.approx(expected(plain, TEXT), abs=NEAR)


def test_the_memory_of_a_long_text_is_given_back_and_that_of_a_short_one_used_again(
    context, reading, monkeypatch
):
    monkeypatch.setattr(growing_context, "FIRST_POSITIONS", 64)
    monkeypatch.setattr(disaggregated_context, "FIRST_POSITIONS", 64)
    for slot, text in enumerate((TEXT, OTHER)):
        ask(context, Row(slot, 0, text, True))
        ask(context, Row(slot, len(text), (7,), True))
    assert reading.asked == [64]

    ask(context, Row(2, 0, TEXT, False, left=60))
    ask(context, Row(2, len(TEXT), (7,), True))
    ask(context, Row(3, 0, TEXT, True))
    assert reading.asked == [64, 128, 64]


@pytest.fixture
def prompt(engine):
    """Tokens of a text that is long enough, with an end of its own."""
    native = engine._parts.native

    def prompt(end):
        text = b"The tenant pays the rent on the first of the month, and the landlord mends the roof. "
        return (*native.tokenize(text * 16), *native.tokenize(end.encode()))

    return prompt


def test_what_is_read_side_by_side_is_read_as_it_is_alone(new_engine, prompt):
    engine = new_engine(slots=4)
    native = engine._parts.native
    ends = tuple(token for token in range(native.vocabulary_size) if native.ends(token))
    never_ends = Sampling(temperature=0, banned=ends)
    asked = [prompt(end)[begin:] for begin, end in enumerate((" Rent:", " Who?", " When?", " What?"))]

    async def likeliest(tokens):
        """The first token, and how likely it and those next to it are: what is written later is rounded
        differently beside others, where one token goes through another kernel than several."""
        generation = Generation(Prompt("", tokens), 1, sampling=never_ends, logprobs=8)
        said = [item async for item in engine.generate(generation)]
        first = said[0].logprobs[0]
        return first.token, [first.logprob, *(other.logprob for other in first.top_logprobs)]

    async def alone():
        return [await likeliest(tokens) for tokens in asked]

    async def together():
        return await asyncio.gather(*(likeliest(tokens) for tokens in asked))

    one_by_one = asyncio.run(alone())
    engine.forget()
    side_by_side = asyncio.run(together())

    for (token, likely), (same, as_likely) in zip(one_by_one, side_by_side, strict=True):
        assert token == same
        assert likely == pytest.approx(as_likely, abs=0.02)
    context = engine._parts.context
    assert context._reading or context._unused  # they were read apart


def test_an_answer_comes_though_what_was_read_for_it_was_lost(engine, prompt, monkeypatch):
    monkeypatch.setattr(kv_state, "turn", lambda state, *, by_numbers: False)

    said, end = asyncio.run(answer(engine, prompt(" Rent:")))

    assert said
    assert end.reason == "length"


def test_what_was_read_apart_is_there_after_a_restart(new_engine, prompt, tmp_path):
    before = new_engine(states=tmp_path)
    asyncio.run(answer(before, prompt(" Rent:"), 1))  # nothing is written: it has not moved when it is saved
    before.close()

    _, end = asyncio.run(answer(new_engine(states=tmp_path), prompt(" Rent:")))

    assert end.usage.cached_tokens == len(prompt(" Rent:")) - 1
