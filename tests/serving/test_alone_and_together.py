"""The same questions alone and side by side: where greedy answers part, two tokens were nearly as likely.

With flash attention llama.cpp rounds differently on the processor by the shape of a batch: 64 tokens and
more of one sequence go through a tiled kernel, fewer through another, and a single token after more than
256 through a third. So prompts are read with it in parts of no less than 64 tokens, whoever else is there,
and the rest is computed without it, where the shape does not matter. The products of matrices are the same
to the bit, but where weights stay as they are in the file: then one token goes through another kernel than
several.
"""

import asyncio
import random
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from app.serving import llama
from app.serving.generation import ChatMessage, Generation, Sampling
from app.serving.native_context import NativeContext
from app.serving.scheduler import Row

pytestmark = pytest.mark.model

TEXT = (Path(__file__).resolve().parents[2] / "LICENSE").read_text("utf-8").split()
ANSWER = 24  # tokens
NEAR_TIE = 1.7  # between two scores (logits): as much as those of two kernels were seen to differ
SIDE_BY_SIDE = 8  # questions that are under way at once: twice as many as there are slots


@dataclass(frozen=True)
class Parting:
    """Where two answers part: after `tokens`; `margin` from the highest score to the lower of their two."""

    tokens: int
    margin: float


@pytest.fixture
def tokens_of(engine, monkeypatch):
    """The tokens of an answer: the engine gives text, its sequences have them."""
    made = {}
    put = engine._inbox.put

    def noted(request):
        made[id(request.generation)] = request
        put(request)

    monkeypatch.setattr(engine._inbox, "put", noted)

    async def tokens_of(generation):
        async for _ in engine.generate(generation):
            pass
        sequence = made.pop(id(generation))
        return tuple(sequence.tokens[sequence.prompt_tokens :])

    return tokens_of


@pytest.fixture
def margin(engine):
    """Compares two answers that part, by scores computed anew in a context of its own."""
    context = NativeContext(engine._parts.native, length=1_024, batch=512, threads=2, flash=False)

    def margin(prompt, alone, together):
        pairs = zip(alone, together, strict=False)
        tokens = next((at for at, (one, other) in enumerate(pairs) if one != other), None)
        assert tokens is not None, "one answer is the beginning of the other"
        before = (*prompt.tokens, *alone[:tokens])
        context.clear()
        for begin in range(0, len(before), 512):
            chunk = before[begin : begin + 512]
            assert context.decode((Row(0, begin, chunk, True),)) == llama.OK
        scores = context.scores(len(chunk) - 1)
        lower = min(float(scores[alone[tokens]]), float(scores[together[tokens]]))
        return Parting(tokens, float(scores.max()) - lower)

    yield margin
    context.free()


def questions(engine, count):
    """Passages of 10 to 400 words, some of which overlap, each with a question of its own."""
    chance = random.Random(11)
    asked = []
    for number in range(count):
        begin, words = chance.randrange(len(TEXT) - 400), chance.choice((10, 40, 90, 160, 400))
        passage = " ".join(TEXT[begin : begin + words])
        question = ("What does this say?", "Who may do what?", "What must nobody do?")[number % 3]
        prompt = engine.encode([ChatMessage("user", f"{question}\n\n{passage}")])
        asked.append(Generation(prompt, ANSWER))
    return asked


def partings(engine, tokens_of, margin, count):
    asked = questions(engine, count)

    async def one_by_one():
        return [await tokens_of(generation) for generation in asked]

    async def side_by_side():
        room = asyncio.Semaphore(SIDE_BY_SIDE)

        async def one(generation):
            async with room:
                return await tokens_of(generation)

        return await asyncio.gather(*(one(generation) for generation in asked))

    engine.forget()
    alone = asyncio.run(one_by_one())
    engine.forget()
    together = asyncio.run(side_by_side())
    found = [
        margin(generation.prompt, first, second)
        for generation, first, second in zip(asked, alone, together, strict=True)
        if first != second
    ]
    margins = np.array([parting.margin for parting in found] or [0.0])
    print(
        f"\n{count} questions, {count - len(found)} answered alike ({1 - len(found) / count:.1%}); "
        f"margins: median {np.median(margins):.3f}, largest {margins.max():.3f}"
    )
    for parting in sorted(found, key=lambda one: one.margin):
        print(f"  after {parting.tokens:2} tokens, margin {parting.margin:.4f}")
    return found


def nearly_tied(parting):
    return parting.margin <= NEAR_TIE


def test_where_an_answer_differs_side_by_side_two_tokens_were_nearly_as_likely(engine, tokens_of, margin):
    found = partings(engine, tokens_of, margin, 20)
    assert [one for one in found if not nearly_tied(one)] == []
    # Where 95 (93) of 100 are alike, fewer than 16 (14) of 20 are in one run of 400 (3,500).
    assert len(found) <= (6 if llama.has_tiles() else 4)


@pytest.mark.long
def test_of_200_answers_each_that_differs_side_by_side_differs_at_a_near_tie(engine, tokens_of, margin):
    found = partings(engine, tokens_of, margin, 200)
    assert [one for one in found if not nearly_tied(one)] == []
    assert len(found) <= (25 if llama.has_tiles() else 10)  # seen: 13


def test_a_drawn_answer_is_the_same_each_time_it_is_alone(engine, tokens_of):
    prompt = questions(engine, 1)[0].prompt
    drawn = Sampling(temperature=1.0, seed=5)

    async def twice():
        answers = []
        for _ in range(2):
            engine.forget()
            answers.append(await tokens_of(Generation(prompt, ANSWER, drawn)))
        return answers

    first, second = asyncio.run(twice())

    assert first == second
