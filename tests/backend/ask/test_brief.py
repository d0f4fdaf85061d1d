import asyncio

import pytest

from app.backend.ask.prompt import Turn
from app.records import Manner
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


def test_without_documents_nothing_is_searched_and_the_prompt_has_no_passage(open_desk, script):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            turns = [Turn("Who are you?", "Carrel.")]
            made = await brief(desk, script(size=LARGE), turns=turns, manner=Manner(without_documents=True))
            assert (made.sources, made.found, made.guarded) == ((), 0, False)
            assert QUESTION in made.generation.prompt.text
            assert "Who are you?" in made.generation.prompt.text
            assert "Passages" not in made.generation.prompt.text

    run(main())


def test_what_is_left_out_to_save_time_is_told_and_read_when_all_is_wanted(open_desk, script):
    async def main():
        engine = script(size=LARGE)
        async with open_desk() as desk:
            await desk.shelve(pages=LONG)
            desk.backend.ask._preparation._pace.measured(engine.model.sha256, 100, 1_000.0)
            some = await brief(desk, engine, answer_tokens=50)
            every = await brief(desk, engine, answer_tokens=50, manner=Manner(read_all=True))
            read = [sum(source.read for source in one.sources) for one in (some, every)]
            assert read[0] < read[1]
            assert every.unread_ms == 0
            # 100 tokens a second, as it was measured.
            more = len(every.generation.prompt.tokens) - len(some.generation.prompt.tokens)
            assert some.unread_ms == pytest.approx(more * 10, rel=0.1)

    run(main())


@pytest.mark.parametrize(("style", "written", "quoted"), [("quote", False, True), ("write", True, False)])
def test_a_question_may_say_in_which_style_it_is_answered(open_desk, script, style, written, quoted):
    async def main():
        async with open_desk(answer_style="auto") as desk:
            await desk.shelve()
            made = await brief(
                desk, script(size=LARGE), "How long is the notice period?", manner=Manner(style=style)
            )
            assert ((made.generation is not None), bool(made.quotes)) == (written, quoted)

    run(main())


def test_as_the_model_is_fit_for_it_quotes_writes_below_a_quote_or_writes(open_desk, script):
    async def main():
        async with open_desk(answer_style="auto") as desk:
            await desk.shelve()
            engine = script(size=LARGE)
            aptitudes = desk.backend.ask._preparation._aptitudes
            for fit, quotes, above, written in (
                ("quote", True, False, False),
                ("both", False, True, True),
                ("write", False, False, True),
            ):
                aptitudes.of = lambda _engine, fit=fit: fit
                made = await brief(desk, engine, "How long is the notice period?")
                assert (bool(made.quotes), bool(made.above), bool(made.generation)) == (
                    quotes,
                    above,
                    written,
                )

    run(main())


def test_above_a_written_answer_stands_no_quote_that_may_not_answer(open_desk, script):
    async def main():
        async with open_desk(answer_style="auto") as desk:
            await desk.shelve()
            desk.backend.ask._preparation._aptitudes.of = lambda _engine: "both"
            made = await brief(desk, script(size=LARGE), "How deep is the swimming pool of the house?")
            assert made.above is None

    run(main())


def test_a_long_document_leaves_room_for_others_among_the_sources(open_desk, script):
    async def main():
        async with open_desk() as desk:
            await desk.shelve("Contracts.pdf", pages=[f"{page} Contract {page}." for page in LONG])
            for number in range(4):
                await desk.shelve(
                    f"Letter {number}.pdf", pages=[f"The notice period of letter {number} ends."]
                )
            made = await brief(desk, script(size=LARGE))
            names = [source.passage.document_name for source in made.sources]
            assert names.count("Contracts.pdf") == len(names) // 2 == 4

            every = await brief(desk, script(size=LARGE), manner=Manner(read_all=True))
            assert len(every.sources) == 12
            assert [source.passage.id for source in every.sources[:8]] == [
                source.passage.id for source in made.sources
            ]

    run(main())
