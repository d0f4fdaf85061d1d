import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backend.ask import reception
from app.backend.ask.completion import Completed, CompletionRequest, Marked, Said
from app.errors import ContextOverflowError, InvalidRequestError, NotFoundError
from app.events import Delta
from app.filters import Filter
from app.records import Citation

LARGE = 4_000_000_000
QUESTION = "How long is the notice period?"
ANSWER = "It is three months. It is given in writing. It is painted blue."
CITATIONS = (
    Citation(0, 19, "supported", 2, 0, 5),
    Citation(20, 43, "supported", 1, 0, 5),
    Citation(44, 63, "unsupported", None, None, None),
)


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(120):
            return await coroutine

    return asyncio.run(bounded())


async def complete(desk, *said: str, model: str = "carrel", **fields):
    roles = ("user", "assistant")
    messages = tuple(Said(roles[number % 2], text) for number, text in enumerate(said))
    return await collect(desk, CompletionRequest(model, messages, **fields))


async def collect(desk, request):
    events = [event async for event in desk.backend.completions.complete(desk.user, request, trace_id="t")]
    text = "".join(event.text for event in events if isinstance(event, Delta))
    assert isinstance(events[-1], Completed)
    assert sum(isinstance(event, Completed) for event in events) == 1
    return text, events[-1]


@given(st.lists(st.integers(1, 9), min_size=1, max_size=40))
def test_marks_stand_after_their_sentences_however_the_text_streams(sizes):
    marked = Marked()
    shown = ""
    at = 0
    waiting = list(CITATIONS)
    for size in [*sizes, len(ANSWER)]:
        shown += marked.feed(ANSWER[at : at + size])
        at += size
        # A check comes once the next sentence has begun.
        while waiting and (waiting[0].end + 4 < at or at >= len(ANSWER)):
            shown += marked.check([waiting.pop(0)])
    shown += marked.finish()
    assert shown == "It is three months. [2] It is given in writing. [1] It is painted blue."
    assert marked.cited == {1, 2}


def test_words_before_the_end_of_a_sentence_are_not_held_back():
    marked = Marked()
    assert marked.feed("It is three") == "It is three"
    assert marked.feed(" months. It is") == " months"
    assert marked.check([CITATIONS[0]]) == ". [2] It is"


@pytest.mark.model
def test_carrel_answers_from_the_documents_with_marks_and_sources(open_desk, lend, script):
    async def main():
        async with open_desk(
            lend(script("It is three ", "months. ", "It is painted blue.", size=LARGE))
        ) as desk:
            await desk.shelve()
            text, end = await complete(desk, QUESTION)
            assert text == ("It is three months. [1] It is painted blue.\n\nSources:\n[1] Lease.pdf, page 4")
            assert [source.passage.page for source in end.sources] == [4]
            assert end.reason == "stop"
            assert end.usage.completion_tokens == 3
            assert end.usage.prompt_tokens > 20

    run(main())


@pytest.mark.model
def test_the_bundled_model_answers_the_sample_question_through_it(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            text, end = await complete(desk, QUESTION)
            assert "three months" in text or "3 months" in text
            assert "[1]" in text
            assert end.sources[0].passage.page == 4

    run(main())


@pytest.mark.model
def test_nothing_of_a_completion_is_stored(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            await complete(desk, QUESTION)
            assert await desk.backend.conversations.list(desk.user) == ()

    run(main())


@pytest.mark.model
def test_carrel_sees_the_turns_before(open_desk, lend, script):
    async def main():
        engine = script("On the third working day.", size=LARGE)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            await complete(desk, "How much is the rent?", "It is 1,180 euros.", "When is it due?")
            asked = engine.generations[0].prompt.text
            assert "How much is the rent?" in asked
            assert "It is 1,180 euros." in asked

    run(main())


@pytest.mark.model
def test_carrel_says_when_there_is_nothing(open_desk):
    async def main():
        async with open_desk() as desk:
            text, end = await complete(desk, QUESTION)
            assert text.startswith("Nothing in your documents")
            assert end.sources == ()

    run(main())


@pytest.mark.model
def test_carrel_greets_without_searching(open_desk):
    async def main():
        async with open_desk() as desk:
            return await complete(desk, "Hello!")

    text, completed = run(main())
    assert text == reception.reply("Hello!")
    assert completed.sources == ()


def test_the_name_of_the_model_is_a_plain_conversation(open_desk, lend, script):
    async def main():
        engine = script("Hello", " there", ".")
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            name = desk.backend.completions.names()[1]
            text, end = await complete(
                desk,
                "Say hello.",
                model=name,
                max_tokens=7,
                sampling={"temperature": 0.5, "seed": 3},
                stop=("END",),
            )
            assert text == "Hello there."
            assert end.sources == ()
            (generation,) = engine.generations
            assert (generation.max_tokens, generation.stop) == (7, ("END",))
            assert (generation.sampling.temperature, generation.sampling.seed) == (0.5, 3)
            assert "Context" not in generation.prompt.text

    run(main())


@pytest.mark.model
def test_where_told_to_the_oldest_turns_give_way_and_are_named(open_desk, lend, script):
    long = "word " * 300
    said = (
        Said("system", "Be brief."),
        *(Said(role, f"{number} {long}") for number in range(3) for role in ("user", "assistant")),
        Said("user", "Say hello."),
    )

    async def main():
        engine = script("Hello.")
        async with open_desk(lend(engine)) as desk:
            asked = CompletionRequest(desk.backend.completions.names()[1], said)
            with pytest.raises(ContextOverflowError):
                await collect(desk, asked)
            _, end = await collect(desk, replace(asked, drops_oldest=True))
            assert end.dropped == (1, 2, 3, 4)
            (generation,) = engine.generations
            assert "Be brief." in generation.prompt.text
            assert "Say hello." in generation.prompt.text
            assert "2 word" in generation.prompt.text
            assert "1 word" not in generation.prompt.text
            alone = replace(asked, messages=(Said("user", long * 9),), drops_oldest=True)
            with pytest.raises(ContextOverflowError):
                await collect(desk, alone)

    run(main())


@pytest.mark.model
def test_the_form_and_the_likelihoods_of_a_plain_answer_are_the_engines(open_desk, lend, script):
    async def main():
        engine = script("{}")
        async with open_desk(lend(engine)) as desk:
            name = desk.backend.completions.names()[1]
            await complete(desk, "JSON?", model=name, schema={"type": "object"}, logprobs=2)
            await complete(desk, "Yes?", model=name, sampling={"grammar": 'root ::= "yes"', "banned": (5,)})
            formed, constrained = engine.generations
            assert (formed.sampling.json_schema, formed.logprobs) == ('{"type": "object"}', 2)
            assert (constrained.sampling.grammar, constrained.sampling.banned) == ('root ::= "yes"', (5,))
            assert constrained.logprobs is None

    run(main())


@pytest.mark.model
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"schema": {"type": "object"}}, "response_format"),
        ({"sampling": {"grammar": 'root ::= "a"'}}, "response_format"),
        ({"logprobs": 0}, "logprobs"),
    ],
)
def test_carrel_keeps_no_form_and_tells_no_likelihoods(open_desk, fields, said):
    async def main():
        async with open_desk() as desk:
            with pytest.raises(InvalidRequestError, match=said):
                await complete(desk, QUESTION, **fields)

    run(main())


@pytest.mark.model
def test_carrel_takes_what_only_changes_the_choice_of_words(open_desk, lend, script):
    async def main():
        engine = script("It is.", size=LARGE)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            await complete(desk, QUESTION, sampling={"top_k": 3, "logit_bias": ((5, -100.0),)})
            (generation,) = engine.generations
            assert (generation.sampling.top_k, generation.sampling.logit_bias) == (3, ((5, -100.0),))

    run(main())


@pytest.mark.model
def test_an_answer_that_is_cut_off_says_so(open_desk):
    async def main():
        async with open_desk() as desk:
            name = desk.backend.completions.names()[1]
            _, end = await complete(desk, "Tell me a very long story about a ship.", model=name, max_tokens=5)
            assert end.reason == "length"
            assert end.usage.completion_tokens == 5

    run(main())


@pytest.mark.model
def test_a_stop_text_of_the_request_reaches_the_engine_for_carrel_too(open_desk, lend, script):
    async def main():
        engine = script("It is.", size=LARGE)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            await complete(desk, QUESTION, stop=("END",), max_tokens=9)
            assert (engine.generations[0].stop, engine.generations[0].max_tokens) == (("END",), 9)

    run(main())


@pytest.mark.model
@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"model": "gpt-7"}, NotFoundError),
        ({"model": "all-MiniLM-L6-v2"}, InvalidRequestError),
        ({"limited": Filter(documents=("nothing",))}, NotFoundError),
    ],
)
def test_what_cannot_be_done_is_refused_before_the_first_event(open_desk, fields, error):
    async def main():
        async with open_desk() as desk:
            with pytest.raises(error):
                await complete(desk, QUESTION, **fields)

    run(main())


@pytest.mark.model
@pytest.mark.parametrize("own", [True, False])
def test_messages_longer_than_the_context_are_refused(open_desk, own):
    async def main():
        async with open_desk() as desk:
            model = "carrel" if own else desk.backend.completions.names()[1]
            with pytest.raises(ContextOverflowError):
                await complete(desk, "Why is that? " * 1000, model=model)

    run(main())


@pytest.mark.model
def test_without_a_question_there_is_no_answer(open_desk):
    async def main():
        async with open_desk() as desk:
            with pytest.raises(InvalidRequestError):
                await complete(desk, "  ")

    run(main())


@pytest.mark.model
def test_closing_the_stream_releases_the_engine(open_desk, lend, script):
    async def main():
        engine = script("It is ", "so.", size=LARGE, gate=asyncio.Event(), gate_at=1)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            request = CompletionRequest("carrel", (Said("user", QUESTION),))
            events = desk.backend.completions.complete(desk.user, request, trace_id="t")
            await anext(events)
            await events.aclose()
            assert engine.closed == 1

    run(main())
