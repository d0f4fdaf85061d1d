"""Several conversations on one engine: side by side, sharing what they share, and remembered."""

import asyncio

import pytest

from app.errors import DeadlineError
from app.serving.engine import Engine
from app.serving.generation import Asker, ChatMessage, End, Generation, Prompt, Sampling

CITIES = [("Paris", "France"), ("Rome", "Italy"), ("Tokyo", "Japan"), ("Madrid", "Spain"), ("Cairo", "Egypt")]
URGENT = Asker(urgent=True)
STORY = "Tell me a long story about a library."


def about(engine, city, country, max_tokens=12, **options):
    question = f"{city} is the capital of {country}. Which city is the capital of {country}?"
    return Generation(engine.encode([ChatMessage("user", question)]), max_tokens, **options)


def document(engine, question, max_tokens=4):
    system = ChatMessage("system", "The tenant pays the rent on the third working day. " * 60)
    return Generation(engine.encode([system, ChatMessage("user", question)]), max_tokens)


async def answer(engine, asked, begun=None):
    """The text and the End; sets `begun` at the first piece."""
    items = []
    async for item in engine.generate(asked):
        items.append(item)
        if begun is not None:
            begun.set()
    *pieces, end = items
    return "".join(piece.text for piece in pieces), end


@pytest.mark.model
def test_more_questions_than_slots_at_once_are_all_answered_rightly(engine):
    async def ask_all():
        return await asyncio.gather(*(answer(engine, about(engine, *pair)) for pair in CITIES))

    for (city, _), (text, end) in zip(CITIES, asyncio.run(ask_all()), strict=True):
        assert city in text
        assert isinstance(end, End)


@pytest.mark.model
def test_answers_run_side_by_side_in_one_batch(engine, tap):
    async def ask_all():
        stories = (Generation(engine.encode([ChatMessage("user", STORY)]), 20) for _ in range(3))
        return await asyncio.gather(*(answer(engine, story) for story in stories))

    asyncio.run(ask_all())

    assert max(len(rows) for rows in tap.batches) == 3


@pytest.mark.model
def test_a_document_that_several_ask_about_is_read_once(engine, tap):
    engine.forget()
    asked = [document(engine, f"Question {number}?") for number in range(4)]

    async def ask_all():
        return await asyncio.gather(*(answer(engine, one) for one in asked))

    ends = [end for _, end in asyncio.run(ask_all())]

    length = len(asked[0].prompt.tokens)
    read = sum(len(row.tokens) for rows in tap.batches for row in rows)
    assert read < length * 1.2
    assert sum(end.usage.cached_tokens > 0.9 * length for end in ends) == 3


@pytest.mark.model
def test_a_copied_beginning_changes_no_answer(engine):
    engine.forget()
    alone, _ = asyncio.run(answer(engine, document(engine, "When is the rent paid?", 12)))
    engine.forget()

    async def ask_both():
        questions = ("What is this?", "When is the rent paid?")
        return await asyncio.gather(*(answer(engine, document(engine, one, 12)) for one in questions))

    _, (copied, _) = asyncio.run(ask_both())

    assert copied == alone


@pytest.mark.model
def test_an_urgent_question_is_answered_before_those_that_have_all_places(new_engine):
    engine = new_engine(slots=2)

    async def ask_all():
        ended, begun = [], asyncio.Event()

        async def note(name, asked):
            text, _ = await answer(engine, asked, begun)
            ended.append(name)
            return text

        story = Generation(engine.encode([ChatMessage("user", STORY)]), 150)
        stories = [asyncio.ensure_future(note(f"story {number}", story)) for number in range(3)]
        await begun.wait()
        urgent = about(engine, "Paris", "France", 6, asker=URGENT)
        text = await note("urgent", urgent)
        return ended, text, await asyncio.gather(*stories)

    ended, text, stories = asyncio.run(ask_all())

    assert ended[0] == "urgent"
    assert "Paris" in text
    assert all(stories)


@pytest.mark.model
def test_an_answer_that_made_room_goes_on_as_if_nothing_had_happened(new_engine):
    engine = new_engine(slots=1)
    story = Generation(engine.encode([ChatMessage("user", STORY)]), 40)
    undisturbed, _ = asyncio.run(answer(engine, story))
    engine.forget()  # what is in memory makes other batches, which round otherwise

    async def disturb():
        begun = asyncio.Event()
        running = asyncio.ensure_future(answer(engine, story, begun))
        await begun.wait()
        await answer(engine, about(engine, "Rome", "Italy", 3, asker=URGENT))
        return await running

    text, end = asyncio.run(disturb())

    assert end.usage.completion_tokens == 40
    # Read again in one go, what comes later may differ at a near-tie.
    assert text.split()[:2] == undisturbed.split()[:2]


@pytest.mark.model
def test_an_answer_that_takes_longer_than_it_may_is_given_up(engine):
    asked = Generation(engine.encode([ChatMessage("user", STORY)]), 500, deadline=0.2)

    with pytest.raises(DeadlineError) as late:
        asyncio.run(answer(engine, asked))

    assert late.value.code == "deadline_exceeded"
    assert engine.requests == 0


@pytest.mark.model
def test_a_conversation_is_remembered_over_a_restart(models, tmp_path):
    def opened():
        engine = Engine(
            models.chat.path, context_length=2048, slots=2, states=tmp_path, sha256=models.chat.sha256
        )
        engine.load()
        return engine

    engine = opened()
    asked = document(engine, "When is the rent paid?", 12)
    first, _ = asyncio.run(answer(engine, asked))
    engine.close()

    engine = opened()
    again, end = asyncio.run(answer(engine, asked))
    engine.forget()
    asyncio.run(answer(engine, about(engine, "Paris", "France")))
    engine.close()

    assert end.usage.cached_tokens == end.usage.prompt_tokens - 1
    assert again == first
    engine = opened()
    assert asyncio.run(answer(engine, asked))[1].usage.cached_tokens == 0
    engine.close()


@pytest.mark.model
def test_what_is_to_be_forgotten_while_it_is_answered_is_forgotten_afterwards(models, tmp_path):
    engine = Engine(models.chat.path, context_length=2048, slots=2, states=tmp_path, sha256="-")
    engine.load()
    asked = document(engine, "When is the rent paid?", 40)

    async def forget_meanwhile():
        begun = asyncio.Event()
        running = asyncio.ensure_future(answer(engine, asked, begun))
        await begun.wait()
        engine.forget()
        return await running

    _, end = asyncio.run(forget_meanwhile())
    again = asyncio.run(answer(engine, asked))[1]
    engine.forget()
    engine.close()

    assert end.usage.completion_tokens > 1
    assert again.usage.cached_tokens == 0
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("architecture", ["llama", "gemma2", "mamba", "lfm2"])
def test_every_kind_of_model_answers_several_at_once_and_after_a_restart(tiny, tmp_path, architecture):
    options = {"window": 32} if architecture == "gemma2" else {}
    path = tiny(architecture, **options)
    prompts = [Prompt("", (1, *([number] * 40))) for number in range(3, 9)]

    def answers(states, together):
        engine = Engine(path, sha256="-", slots=3, states=states)
        engine.load()

        async def ask_all():
            asked = [Generation(prompt, 8, Sampling()) for prompt in prompts]
            if together:
                return await asyncio.gather(*(answer(engine, one) for one in asked))
            return [await answer(engine, one) for one in asked]

        found = [text for text, _ in asyncio.run(ask_all())]
        engine.close()
        return found

    alone = answers(None, together=False)

    assert answers(None, together=True) == alone
    assert answers(tmp_path, together=True) == alone
    assert answers(tmp_path, together=False) == alone
