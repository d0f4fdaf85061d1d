"""POST /messages/{id}/replay: a stored prompt on the model at work and on another."""

import asyncio
import os

import pytest

from app.errors import ReportedError
from app.events import Checked, Delta, Failed, Finished, Retrieved

pytestmark = pytest.mark.model


async def events_of(stream):
    return [event async for event in stream]


@pytest.fixture(scope="module")
def answer(answering, sample):
    async def ask():
        async for event in answering.client.ask(sample.question):
            if isinstance(event, Finished):
                return event.message
        raise AssertionError

    return answering.do(ask())


def test_the_stored_prompt_is_answered_again_with_checks_and_figures(answering, answer):
    events = answering.do(events_of(answering.client.replay(answer.id)))

    assert isinstance(events[0], Retrieved)
    assert events[0].sources == answer.sources
    assert isinstance(events[-1], Finished)
    again = events[-1].message
    assert again.text == "".join(event.text for event in events if isinstance(event, Delta))
    assert again.citations == tuple(
        c for event in events if isinstance(event, Checked) for c in event.citations
    )
    assert again.usage.prompt_tokens == answer.usage.prompt_tokens
    assert again.timings.first_token_ms > 0
    assert again.parent_id == answer.parent_id


def test_nothing_of_it_is_stored(answering, answer):
    before = answering.do(answering.client.conversation(answer.conversation_id))

    (*_, end) = answering.do(events_of(answering.client.replay(answer.id)))

    assert answering.do(answering.client.conversation(answer.conversation_id)) == before
    with pytest.raises(ReportedError):
        answering.do(answering.client.message(end.message.id))


def test_another_model_answers_and_the_one_before_is_put_back(answering, answer, tmp_path):
    before = next(m for m in answering.do(answering.client.models()) if m.kind == "chat")
    other = tmp_path / "other.gguf"
    os.link(before.path, other)

    (*_, end) = answering.do(events_of(answering.client.replay(answer.id, str(other))))

    assert isinstance(end, Finished)
    assert end.message.text
    after = next(m for m in answering.do(answering.client.models()) if m.kind == "chat")
    assert (after.path, after.loaded) == (before.path, True)


def test_a_model_that_cannot_be_loaded_is_said_and_the_one_before_stays(answering, answer, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF and nothing else")

    (first, end) = answering.do(events_of(answering.client.replay(answer.id, str(broken))))

    assert isinstance(first, Retrieved)
    assert isinstance(end, Failed)
    assert end.problem.code == "model_file_invalid"
    assert next(m for m in answering.do(answering.client.models()) if m.kind == "chat").loaded


def test_only_answers_for_which_something_was_read_are_run_again(answering, answer):
    async def ask():
        async for event in answering.client.ask("What does Zwickelstein of Obertupfing say?"):
            if isinstance(event, Finished):
                return event.message
        raise AssertionError

    nothing = answering.do(ask())

    for message_id, status in ((nothing.id, 400), (answer.parent_id, 400), ("nothing", 404)):
        with pytest.raises(ReportedError) as raised:
            answering.do(events_of(answering.client.replay(message_id)))
        assert raised.value.status == status


def test_who_goes_away_stops_it(answering, answer):
    async def leave():
        stream = answering.client.replay(answer.id)
        await anext(stream)
        await stream.aclose()
        # The engine is free again: the next answer comes whole.
        return [event async for event in answering.client.replay(answer.id)]

    events = answering.do(asyncio.wait_for(leave(), 60))

    assert isinstance(events[-1], Finished)
