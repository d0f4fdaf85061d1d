"""Scoring against the plain way: one text at a time, in a fresh context."""

import asyncio
import threading

import numpy as np
import pytest

from app.errors import ContextOverflowError, DecodeError, InvalidRequestError, ModelError
from app.serving import llama
from app.serving.generation import ChatMessage, Generation, Prompt
from app.serving.logprobs import log_softmax
from app.serving.native_context import NativeContext
from app.serving.scheduler import Row
from app.serving.scoring import LONGEST, log_probability

# A sum in another order, by the shape of a batch, may tip numbers that are rounded to 8 bits after it.
ROUNDED = 0.3
CITIES = (" Paris", " Rome", " Paris, of course", " a sentence of quite a few words that is no city")


@pytest.fixture
def reference(engine):
    """The log-likelihood of `text` after `prefix`, computed token by token in a context of its own."""

    def likelihood(prefix, text):
        native = engine._parts.native
        context = NativeContext(native, length=512, batch=256, threads=2, flash=False)
        tokens = native.tokenize(text.encode())
        assert context.decode((Row(0, 0, prefix.tokens, True),)) == llama.OK
        total, index = 0.0, len(prefix.tokens) - 1
        for number, token in enumerate(tokens):
            total += float(log_softmax(context.scores(index))[token])
            assert context.decode((Row(0, len(prefix.tokens) + number, (token,), True),)) == llama.OK
            index = 0
        context.free()
        return total

    return likelihood


def prefix_of(engine, text):
    return Prompt(text, tuple(engine._parts.tokens(text)))


@pytest.mark.model
def test_scores_are_those_of_the_plain_way(engine, reference):
    prefix = prefix_of(engine, "The capital of France is")

    scored = asyncio.run(engine.score(prefix, CITIES))

    assert scored == pytest.approx([reference(prefix, text) for text in CITIES], abs=ROUNDED)
    assert scored[0] > scored[1]


@pytest.mark.model
def test_many_and_long_texts_are_scored_in_groups_that_change_nothing(engine):
    prefix = prefix_of(engine, "Once upon a time")
    texts = [" " + " ".join(["word"] * (number * 7 % 90 + 1)) for number in range(40)]

    together = asyncio.run(engine.score(prefix, texts))
    alone = [asyncio.run(engine.score(prefix, [text]))[0] for text in texts]

    assert together == pytest.approx(alone, rel=0.03, abs=0.3)  # batches round differently


@pytest.mark.model
def test_answers_go_on_while_texts_are_scored(engine):
    prefix = prefix_of(engine, "The library is open " * 60)
    asked = Generation(engine.encode([ChatMessage("user", "Tell me a long story.")]), 40)

    async def both():
        async def answer():
            return [item async for item in engine.generate(asked)][-1]

        return await asyncio.gather(answer(), engine.score(prefix, CITIES * 10), answer())

    first, scored, second = asyncio.run(both())

    assert first.usage.completion_tokens == second.usage.completion_tokens == 40
    assert scored[:4] == pytest.approx(scored[4:8], abs=ROUNDED)


@pytest.mark.model
def test_giving_up_a_scoring_leaves_the_next_as_it_was(engine, monkeypatch):
    prefix = prefix_of(engine, "The capital of France is")
    expected = asyncio.run(engine.score(prefix, CITIES))

    context, begun = engine._loop._scorings._scorer.context, threading.Event()
    decode = context.decode

    def watched(rows):
        begun.set()
        return decode(rows)

    async def give_up():
        scoring = asyncio.ensure_future(engine.score(prefix_of(engine, "word " * 1_500), CITIES))
        await asyncio.to_thread(begun.wait)
        scoring.cancel()
        await asyncio.wait([scoring])

    with monkeypatch.context() as patch:
        patch.setattr(context, "decode", watched)
        asyncio.run(give_up())

    assert asyncio.run(engine.score(prefix, CITIES)) == pytest.approx(expected, abs=0.05)
    assert engine.requests == 0


@pytest.mark.model
def test_what_cannot_be_scored_is_refused(engine):
    prefix = prefix_of(engine, "a")

    assert asyncio.run(engine.score(prefix, [])) == ()
    with pytest.raises(InvalidRequestError):
        asyncio.run(engine.score(prefix, ["a", ""]))
    with pytest.raises(InvalidRequestError):
        asyncio.run(engine.score(Prompt("", ()), ["a"]))
    with pytest.raises(ContextOverflowError):
        asyncio.run(engine.score(prefix, ["word " * (LONGEST + 1)]))


@pytest.mark.model
def test_a_refused_step_ends_the_scoring_and_not_the_engine(engine, monkeypatch):
    prefix = prefix_of(engine, "The capital of France is")
    expected = asyncio.run(engine.score(prefix, CITIES))
    context = engine._loop._scorings._scorer.context

    for broken in (lambda rows: -3, lambda rows: 1 / 0):
        with monkeypatch.context() as patch:
            patch.setattr(context, "decode_scored", broken)
            with pytest.raises(DecodeError):
                asyncio.run(engine.score(prefix, CITIES))

    assert asyncio.run(engine.score(prefix, CITIES)) == pytest.approx(expected, abs=0.05)


@pytest.mark.model
def test_closing_ends_a_scoring_that_waits(new_engine):
    engine = new_engine()
    prefix = prefix_of(engine, "word " * 900)

    async def close_meanwhile():
        scoring = asyncio.ensure_future(engine.score(prefix, CITIES))
        await asyncio.sleep(0)  # lets it submit
        await asyncio.to_thread(engine.close)
        with pytest.raises(ModelError):
            await scoring

    asyncio.run(close_meanwhile())


def test_the_likelihood_of_one_token_is_that_of_all_of_them_however_large_the_scores():
    scores = np.array([1e4, 1e4 - 1, -1e4, 0], np.float32)

    together = log_softmax(scores)

    assert np.exp(together).sum() == pytest.approx(1.0)
    assert [log_probability(scores, token) for token in range(4)] == pytest.approx(together.tolist())
