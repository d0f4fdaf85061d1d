"""/messages: ratings, and what stood behind an answer."""

import asyncio

import pytest

from app.errors import ReportedError
from app.events import AnswerRated, Finished


def test_a_rating_is_given_heard_of_and_taken_back(site, answer):
    async def rate():
        standing = asyncio.Event()
        heard = []

        async def follow():
            async for event in site.client.feed(on_open=standing.set):
                heard.append(event)
                if len(heard) == 2:
                    return

        following = asyncio.create_task(follow())
        await standing.wait()
        rated = await site.client.rate(answer.id, "down", ["incorrect"], "  It is 800. ")
        while not heard:
            await asyncio.sleep(0)
        await site.client.unrate(answer.id)
        await following
        return rated, heard

    rated, heard = site.do(rate())

    assert (rated.rating.thumb, rated.rating.reasons) == ("down", ("incorrect",))
    assert rated.rating.comment == "It is 800."
    assert heard == [
        AnswerRated(answer.conversation_id, answer.id, rated.rating),
        AnswerRated(answer.conversation_id, answer.id, None),
    ]
    assert site.do(site.client.message(answer.id)).message == answer


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"thumb": "sideways"},
        {"thumb": "down", "reasons": ["because"]},
        {"thumb": "down", "reasons": ["incorrect"] * 6},
        {"thumb": "down", "comment": "x" * 4_001},
        {"thumb": "down", "stars": 3},
    ],
)
def test_a_rating_that_is_none_is_refused(site, answer, body):
    refused = site.tcp.put(f"/messages/{answer.id}/rating", json=body)

    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "invalid_request"


def test_what_is_not_there_and_what_is_no_answer_cannot_be_rated(site, answer):
    with pytest.raises(ReportedError) as raised:
        site.do(site.client.rate("nothing", "up"))
    assert (raised.value.status, raised.value.code) == (404, "not_found")

    with pytest.raises(ReportedError) as raised:
        site.do(site.client.rate(answer.parent_id, "up"))
    assert (raised.value.status, raised.value.code) == (400, "invalid_request")


@pytest.mark.model
def test_an_answer_says_what_it_was_made_of(answering, sample):
    async def ask():
        async for event in answering.client.ask(sample.question):
            if isinstance(event, Finished):
                return await answering.client.message(event.message.id)
        raise AssertionError

    audit = answering.do(ask())

    (model, _) = answering.backend.models.describe()
    assert (audit.style, audit.model_sha256) == ("write", model.sha256)
    assert [turn.role for turn in audit.prompt] == ["system", "user"]
    assert sample.question in audit.prompt[1].content
    assert audit.prompt[1].content.strip() in audit.rendered_prompt
    assert audit.sampling["max_tokens"] > 0
    assert audit.message.usage.prompt_tokens > 0
    assert audit.message.trace_id
