"""A context grows while it is at work, and nothing that was read is lost."""

import asyncio

import pytest

from app.errors import ContextOverflowError, DecodeError, ModelError
from app.serving import growing_context, llama
from app.serving.engine import Engine
from app.serving.growing_context import GrowingContext
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel
from app.serving.scheduler import Row
from tests.serving.answering import answer

pytestmark = pytest.mark.model


class Refusal:
    """What `Make` is: remembers what it was asked for, and refuses as many as it is told."""

    def __init__(self, make):
        self._make, self.asked, self.refuses = make, [], 0

    def __call__(self, slots, positions):
        self.asked.append((slots, positions))
        if self.refuses:
            self.refuses -= 1
            raise ModelError("not enough memory")
        return self._make(slots, positions)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch):
    monkeypatch.setattr(growing_context, "FIRST_POSITIONS", 64)


@pytest.fixture
def make(models):
    model = NativeModel(models.chat.path)
    yield Refusal(
        lambda slots, positions: NativeContext(
            model, length=positions, batch=64, threads=2, slots=slots, flash=False
        )
    )
    model.free()


@pytest.fixture
def context(make):
    made = GrowingContext(make, length=512, slots=4)
    yield made
    if not made._gone:
        made.free()


def read(context, slot, tokens, start=0):
    code = context.decode((Row(slot, start, tuple(tokens), True),))
    return code, context.scores(len(tokens) - 1).copy() if code == llama.OK else None


def test_it_begins_with_one_short_slot_then_makes_the_others_and_doubles(context, make):
    assert context.length == 512
    assert context.slots == 4

    assert not context.reserve(1, 64)
    assert context.reserve(2, 60)
    assert context.reserve(1, 65)
    assert not context.reserve(3, 10)
    assert context.reserve(4, 500)
    assert not context.reserve(9, 900)  # as much as is planned
    assert make.asked == [(1, 64), (4, 64), (4, 128), (4, 512)]


def test_what_was_read_moves_with_it(context):
    tokens = [5, 9, 2, 7, 3, 8]
    _, before = read(context, 0, tokens)

    context.reserve(4, 512)

    assert context.held(0) == len(tokens)
    context.truncate(0, len(tokens) - 1)
    _, after = read(context, 0, tokens[-1:], start=len(tokens) - 1)
    assert after == pytest.approx(before, abs=1e-3)


def test_a_slot_that_is_not_made_holds_nothing_and_breaks_nothing(context):
    read(context, 0, [5, 9, 2])

    context.copy(0, 3)

    assert context.held(3) == context.truncate(3, 2) == 0
    assert context.save(3) is None
    assert not context.restore(3, b"")
    assert read(context, 3, [5])[0] == llama.NO_SLOT


def test_where_there_is_no_memory_it_stays_as_it_was(context, make):
    read(context, 0, [5, 9, 2])
    make.refuses = 1

    with pytest.raises(ModelError, match="not enough"):
        context.reserve(2, 100)

    assert not context.reserve(2, 100)  # it is tried once
    assert make.asked[-2:] == [(4, 128), (1, 64)]
    assert context.held(0) == 3
    assert read(context, 0, [7], start=3)[0] == llama.OK


def test_where_there_is_not_even_memory_for_what_it_was_it_holds_nothing(context, make):
    read(context, 0, [5, 9, 2])
    make.refuses = 2

    with pytest.raises(ModelError, match="not enough"):
        context.reserve(2, 100)

    assert context.held(0) == 0
    assert read(context, 0, [5])[0] == llama.NO_SLOT
    context.clear()
    with pytest.raises(ModelError, match="no memory"):
        context.reserve(1, 1)


@pytest.fixture
def growing(new_engine):
    return new_engine(slots=4)


def test_an_answer_goes_on_where_its_context_becomes_too_short(growing, engine):
    tokens = engine._parts.native.tokenize(b"One, two, three, four, five, six, " * 4)
    expected, _ = asyncio.run(answer(engine, tokens, 120))

    said, end = asyncio.run(answer(growing, tokens, 120))

    assert said == expected
    assert growing._parts.context.writing.positions >= len(tokens) + end.usage.completion_tokens - 1 > 64


def test_answers_side_by_side_and_copies_live_through_it(growing):
    native = growing._parts.native
    shared = native.tokenize(b"The tenant pays the rent on the first of the month. " * 12)

    async def main():
        first, _ = await answer(growing, [*shared, *native.tokenize(b" Rent:")])
        asked = [[*shared, *native.tokenize(text)] for text in (b" Rent:", b" Who?", b" When?", b" What?")]
        return first, await asyncio.gather(*(answer(growing, tokens) for tokens in asked))

    first, answers = asyncio.run(main())

    assert answers[0][0] == first
    assert growing._parts.context.made == 4
    assert sum(end.usage.cached_tokens for _, end in answers) >= 4 * (len(shared) - 1)


def test_where_there_is_no_memory_for_a_second_conversation_it_waits_for_the_first(growing, monkeypatch):
    context = growing._parts.context.writing
    native = growing._parts.native
    make = context._make

    def only_one(slots, positions):
        if slots > 1:
            raise ModelError("not enough memory")
        return make(slots, positions)

    monkeypatch.setattr(context, "_make", only_one)
    texts = [native.tokenize(text) for text in (b"One, two, three,", b"Red, green, blue,")]

    async def main():
        return await asyncio.gather(*(answer(growing, tokens) for tokens in texts))

    assert all(said for said, _ in asyncio.run(main()))
    assert asyncio.run(answer(growing, texts[0]))[0]


def test_an_answer_that_there_is_no_memory_for_ends_and_the_next_one_does_not(growing, monkeypatch):
    native = growing._parts.native
    make = growing._parts.context.writing._make

    def short(slots, positions):
        if positions > 64:
            raise ModelError("not enough memory")
        return make(slots, positions)

    monkeypatch.setattr(growing._parts.context.writing, "_make", short)

    long = native.tokenize(b"One, two, three, four, five, six, " * 40)
    with pytest.raises(DecodeError):
        asyncio.run(answer(growing, long))
    with pytest.raises(ContextOverflowError) as told:  # from now on before anything is computed
        asyncio.run(answer(growing, long))
    assert told.value.available == 64
    assert asyncio.run(answer(growing, native.tokenize(b"One, two, three,")))[0]


def test_a_saved_conversation_that_is_longer_than_the_question_finds_room(new_engine, tmp_path):
    native = new_engine()._parts.native
    tokens = native.tokenize(b"The tenant pays the rent on the first of the month. " * 40)
    before = new_engine(slots=4, states=tmp_path)
    asyncio.run(answer(before, tokens))
    before.close()

    _, end = asyncio.run(answer(new_engine(slots=4, states=tmp_path), tokens[:300]))

    assert end.usage.cached_tokens == 299


@pytest.mark.parametrize("architecture", ["mamba", "lfm2"])
def test_models_that_cannot_be_cut_grow_in_length_only(tiny, monkeypatch, architecture):
    def ask(first_positions):
        monkeypatch.setattr(growing_context, "FIRST_POSITIONS", first_positions)
        engine = Engine(tiny(architecture), context_length=256, slots=2, sha256="-", drafting="off")
        engine.load()
        try:
            context = engine._parts.context.writing
            begun = (context.made, context.positions)
            return asyncio.run(answer(engine, range(5, 45), 200))[0], begun, context.positions
        finally:
            engine.close()

    whole, _, _ = ask(256)
    grown, begun, ended = ask(64)

    assert begun == (2, 64)
    assert ended == 256
    assert grown == whole
