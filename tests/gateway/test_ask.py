"""/ask as a stream: its beginning, its one end, and what happens when somebody goes."""

import asyncio
import json
from collections.abc import AsyncGenerator

import httpx2
import pytest

from app.backend.ask.service import AskService
from app.errors import BusyError, ContextOverflowError, DecodeError, ReportedError
from app.events import Delta, Failed, Finished, Retrieved
from app.log import trace_id
from app.records import Conversation, Manner, Message

CONVERSATION = Conversation("c", "Rent", 0.0, 0.0)
QUESTION = Message("q", "c", None, "user", "complete", "How much?", 0.0)
ANSWER = Message("a", "c", "q", "assistant", "complete", "Enough.", 0.0)
RETRIEVED = Retrieved(CONVERSATION, QUESTION, "a", (), 0)
FINISHED = Finished(ANSWER)


class Scripted(AskService):
    """Plays a list of events; an exception in it is raised, None waits for ever."""

    def __init__(self, *script: object) -> None:
        self.script = script
        self.closed = asyncio.Event()
        self.reached = asyncio.Event()
        self.traces: list[str] = []
        self.manners: list[Manner] = []

    async def start(self):
        return 0

    async def close(self):
        pass

    async def ask(self, *_args, manner: Manner, **_kwargs) -> AsyncGenerator[object, None]:
        self.manners.append(manner)
        try:
            for item in self.script:
                self.traces.append(trace_id.get())
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    self.reached.set()
                    await asyncio.Event().wait()
                yield item
        finally:
            self.closed.set()


def events_of(text: str) -> list[tuple[str, dict]]:
    found = []
    for block in text.split("\n\n"):
        if block.startswith("event: "):
            name, data = block.splitlines()
            found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def every(events):
    return [event async for event in events]


def names_of(answer: httpx2.Response) -> list[str]:
    return [name for name, _ in events_of(answer.text)]


def test_an_answer_streams_as_named_events(open_site):
    site = open_site(ask=Scripted(RETRIEVED, Delta("En"), Delta("ough."), FINISHED))

    answer = site.tcp.post("/ask", json={"question": "How much?"})

    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert names_of(answer) == ["retrieved", "delta", "delta", "finished"]
    assert events_of(answer.text)[1][1] == {"text": "En"}
    assert events_of(answer.text)[3][1]["message"]["text"] == "Enough."


@pytest.mark.parametrize(
    ("body", "manner"),
    [
        ({}, Manner()),
        ({"style": "quote"}, Manner(style="quote")),
        ({"without_documents": True}, Manner(without_documents=True)),
        ({"read_all": True}, Manner(read_all=True)),
    ],
)
def test_a_question_says_how_it_is_to_be_answered(open_site, body, manner):
    scripted = Scripted(RETRIEVED, FINISHED)
    site = open_site(ask=scripted)

    assert site.tcp.post("/ask", json={"question": "x", **body}).status_code == 200
    assert site.tcp.post("/ask", json={"question": "x", "style": "loud"}).status_code == 400
    site.do(every(site.client.ask("x", manner=manner)))

    assert scripted.manners == [manner, manner]


@pytest.mark.parametrize(
    ("error", "status"),
    [(ContextOverflowError(9_000, 2_048), 400), (BusyError(), 503), (KeyError("bug"), 500)],
)
def test_an_error_before_the_first_event_is_a_status(open_site, error, status):
    site = open_site(ask=Scripted(error))

    answer = site.tcp.post("/ask", json={"question": "x"})

    assert answer.status_code == status
    assert answer.json()["error"]["code"] == getattr(error, "code", "internal")
    with pytest.raises(ReportedError):
        site.do(anext(site.client.ask("x")))


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ((RETRIEVED, Delta("x"), DecodeError("Broken.")), "decode_failed"),
        ((RETRIEVED, KeyError("secret")), "internal"),
        ((RETRIEVED, Delta("x")), "internal"),
        ((), "internal"),
    ],
)
def test_whatever_happens_later_there_is_exactly_one_end(open_site, script, code):
    site = open_site(ask=Scripted(*script))

    answer = site.tcp.post("/ask", json={"question": "x"})

    assert answer.status_code == 200
    name, data = events_of(answer.text)[-1]
    assert name == "failed"
    assert data["problem"]["code"] == code
    assert data["trace_id"] == answer.headers["x-trace-id"]
    assert "secret" not in answer.text
    assert len([name for name in names_of(answer) if name in ("finished", "failed")]) == 1


def test_nothing_comes_after_the_end(open_site):
    scripted = Scripted(RETRIEVED, FINISHED, Delta("more"), Failed(ANSWER, "t"))
    site = open_site(ask=scripted)

    assert names_of(site.tcp.post("/ask", json={"question": "x"})) == ["retrieved", "finished"]
    assert scripted.closed.is_set()


def test_the_trace_id_is_at_hand_through_the_whole_stream(open_site):
    scripted = Scripted(RETRIEVED, *[Delta("x")] * 5, FINISHED)
    site = open_site(ask=scripted)
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"

    site.tcp.post("/ask", json={"question": "x"}, headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})

    assert set(scripted.traces) == {trace}


@pytest.mark.parametrize("script", [(RETRIEVED, Delta("x"), None), (None,)])
@pytest.mark.parametrize("door", ["in_process", "local", "tcp"])
def test_when_the_client_goes_the_answer_is_stopped(open_site, script, door):
    scripted = Scripted(*script)
    site = open_site(ask=scripted)
    client = site.local if door == "local" else site.client
    address, token = (site.address, site.token) if door == "tcp" else ("", "")

    async def go_away():
        async def listen():
            if door == "tcp":
                async with httpx2.AsyncClient(base_url=address, trust_env=False) as http:
                    headers = {"authorization": f"Bearer {token}"}
                    async with http.stream("POST", "/ask", json={"question": "x"}, headers=headers) as answer:
                        _ = [chunk async for chunk in answer.aiter_raw()]
            else:
                _ = [event async for event in client.ask("x")]

        listening = asyncio.create_task(listen())
        await asyncio.wait_for(scripted.reached.wait(), 30)
        assert not scripted.closed.is_set()
        listening.cancel()
        await asyncio.wait({listening})
        await asyncio.wait_for(scripted.closed.wait(), 30)

    site.do(go_away())


def test_closing_the_iterator_stops_the_answer_before_it_returns(open_site):
    scripted = Scripted(RETRIEVED, Delta("x"), None)
    site = open_site(ask=scripted)

    async def close_early():
        events = site.client.ask("x")
        assert isinstance(await anext(events), Retrieved)
        await events.aclose()
        return scripted.closed.is_set()

    assert site.do(close_early())


def test_closing_the_gateway_ends_the_answer_in_a_failure(open_site):
    scripted = Scripted(RETRIEVED, None)
    site = open_site(ask=scripted)
    found = []

    client = site.local

    async def listen():
        async for event in client.ask("x"):
            found.append(event)

    listening = site.server.submit(listen())
    site.do(asyncio.wait_for(scripted.reached.wait(), 30))
    site.server.close()

    listening.result(10)
    assert [type(event) for event in found] == [Retrieved, Failed]
    assert found[-1].problem.code == "connection_lost"
    assert scripted.closed.is_set()


def test_an_answer_nobody_reads_is_not_gathered_in_memory(open_site):
    count = 0

    class Endless(Scripted):
        async def ask(self, *_args, **_kwargs):
            nonlocal count
            yield RETRIEVED
            while True:
                count += 1
                yield Delta("x" * 1_000)

    site = open_site(ask=Endless())

    async def dawdle():
        events = site.client.ask("x")
        await anext(events)
        for _ in range(2_000):
            await asyncio.sleep(0)
        await events.aclose()

    site.do(dawdle())
    assert count < 200


def test_without_a_model_the_question_is_refused_and_kept_out_of_the_history(site):
    answer = site.tcp.post("/ask", json={"question": "How much?"})

    assert answer.status_code == 503
    assert site.do(site.client.conversations()) == ()


def test_stopping_an_answer_that_is_not_there_says_so(site):
    assert site.do(site.client.stop("none")) is False


def test_a_conversation_or_document_that_is_not_there_is_said(site):
    for body in ({"conversation_id": "none"}, {"document_ids": ["none"]}):
        answer = site.tcp.post("/ask", json={"question": "x", **body})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "not_found"


@pytest.mark.model
def test_the_sample_question_is_answered_with_its_page(answering, sample):
    async def ask():
        return [event async for event in answering.client.ask(sample.question)]

    events = answering.do(ask())

    assert isinstance(events[0], Retrieved)
    assert isinstance(events[-1], Finished)
    message = events[-1].message
    assert sample.answered_by(message.text)
    cited = {citation.source for citation in message.citations}
    assert sample.page in [source.passage.page for source in message.sources if source.number in cited]
    assert answering.do(answering.client.conversation(message.conversation_id)).messages[-1] == message


@pytest.mark.model
def test_a_question_longer_than_the_context_is_refused_before_anything_is_stored(answering):
    before = answering.do(answering.client.conversations())

    answer = answering.tcp.post("/ask", json={"question": "word " * 20_000})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "context_overflow"
    assert answering.do(answering.client.conversations()) == before


@pytest.mark.model
def test_stopping_an_answer_ends_its_stream_and_keeps_what_there_is(answering, sample):
    async def stop():
        events = answering.client.ask(
            "Tell everything about the lease, in detail.", manner=Manner(style="write")
        )
        first = await anext(events)
        stopped = await answering.client.stop(first.answer_id)
        return stopped, [event async for event in events][-1]

    stopped, last = answering.do(stop())

    assert stopped
    assert isinstance(last, Finished)
    assert last.message.state == "stopped"


@pytest.mark.model
def test_an_answer_whose_reader_went_is_kept_and_marked(answering):
    async def leave():
        events = answering.client.ask(
            "Tell everything about the lease, in detail.", manner=Manner(style="write")
        )
        first = await anext(events)
        await events.aclose()
        return (await answering.client.conversation(first.conversation.id)).messages[-1]

    assert answering.do(leave()).state == "stopped"


@pytest.mark.model
def test_where_too_many_wait_tools_are_told_so_and_the_window_is_answered(answering, sample, monkeypatch):
    engine = answering.do(answering.backend.models._models.chat())
    monkeypatch.setattr(engine._inbox, "_limit", 0)
    before = answering.do(answering.client.conversations())

    refused = answering.tcp.post("/ask", json={"question": sample.question})

    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "busy"
    assert int(refused.headers["retry-after"]) >= 1
    assert answering.do(answering.client.conversations()) == before

    async def ask():
        return [event async for event in answering.client.ask(sample.question)]

    assert isinstance(answering.do(ask())[-1], Finished)


@pytest.mark.model
@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/ask", {}),
        ("/v1/chat/completions", {"model": "carrel"}),
        ("/v1/chat/completions", {"model": "SmolLM2 135M Instruct"}),
    ],
)
def test_a_model_that_takes_longer_than_the_request_allows_is_given_up(answering, sample, address, body):
    asked = {"question": sample.question}
    if body:
        asked = {**body, "messages": [{"role": "user", "content": sample.question}]}

    answer = answering.tcp.post(address, json={**asked, "deadline_s": 0.000_001})

    assert "deadline_exceeded" in answer.text
    assert answer.status_code == (504 if body else 200)  # of a stream that has begun, the last event says it


@pytest.mark.parametrize("deadline", [0, -1, 1e9, "soon"])
def test_a_deadline_that_is_none_is_refused(site, deadline):
    answer = site.tcp.post("/ask", json={"question": "x", "deadline_s": deadline})

    assert answer.status_code == 400
