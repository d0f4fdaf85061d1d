import asyncio

import pytest

from app.backend.ask.prompt import Turn
from app.serving.generation import Sampling

pytestmark = pytest.mark.model

LARGE = 4_000_000_000
QUESTION = "What does the contract say about the notice period?"
LONG = [
    f"§ {number} Notice\n\n" + f"The notice period of contract number {number} is {number} months. " * 18
    for number in range(1, 9)
]


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(120):
            return await coroutine

    return asyncio.run(bounded())


async def brief(desk, engine, question: str = QUESTION, **options):
    options.setdefault("sampling", Sampling())
    options.setdefault("answer_tokens", 200)
    return await desk.backend.ask._preparation.brief(engine, desk.user, question, **options)


def test_what_does_not_fit_is_left_out_and_said(open_desk, script):
    async def main():
        engine = script(size=LARGE)
        async with open_desk() as desk:
            await desk.shelve(pages=LONG)
            made = await brief(desk, engine)
            tokens = len(made.generation.prompt.tokens)
            assert tokens + made.generation.max_tokens <= engine.context_length
            assert made.generation.max_tokens == 200
            assert 0 < sum(source.read for source in made.sources) < len(made.sources) == 8
            assert made.found == 8
            for source in made.sources:
                assert (f"[{source.number}] Lease.pdf" in made.generation.prompt.text) is source.read

    run(main())


def test_sources_are_numbered_from_one_in_their_order(open_desk, script):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            made = await brief(desk, script(size=LARGE))
            assert [source.number for source in made.sources] == list(range(1, len(made.sources) + 1))

    run(main())


def test_of_a_long_conversation_the_latest_turns_are_kept(open_desk, script):
    async def main():
        engine = script(size=LARGE)
        async with open_desk() as desk:
            await desk.shelve()
            turns = [Turn(f"Question {number}?", "A long answer indeed. " * 20) for number in range(6)]
            made = await brief(desk, engine, turns=turns)
            asked = made.generation.prompt.text
            assert len(made.generation.prompt.tokens) < engine.context_length
            assert "Question 5?" in asked
            assert "Question 0?" not in asked

    run(main())


def test_a_tiny_model_reads_the_sentence_that_answers_and_its_source_comes_first(open_desk, models):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            made = await brief(desk, await models.chat(), "How long is the notice period?")
            assert made.guarded
            assert made.quote.text.startswith("Either party may end the lease with three months’ notice")
            assert made.quote.text in made.generation.prompt.text
            assert [source.read for source in made.sources] == [True] + [False] * (len(made.sources) - 1)
            quoted = made.sources[0].passage.text[made.quote.start : made.quote.end]
            assert " ".join(quoted.split()) == made.quote.text

    run(main())


def test_where_the_question_fills_the_window_nothing_else_is_read(open_desk, models):
    async def main():
        async with open_desk() as desk:
            engine = await models.chat()
            await desk.shelve()
            made = await brief(desk, engine, "notice " * 960 + "?")
            tokens = len(made.generation.prompt.tokens)
            assert tokens + made.generation.max_tokens <= engine.context_length
            assert not any(source.read for source in made.sources)
            assert made.quote.source == 1

    run(main())
