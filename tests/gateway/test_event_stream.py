"""Server-sent events: how they begin, beat and end."""

import asyncio

import httpx2
import pytest
from starlette.requests import Request

from app.client.transport import InProcessTransport
from app.errors import NotFoundError
from app.gateway.door import Door
from app.gateway.errors import Guard
from app.gateway.event_stream import EventStream, named, unnamed
from app.records import Problem

pytestmark = pytest.mark.anyio


class Source:
    """Blocks of events from a list; an item that is an exception is raised, None waits for ever."""

    def __init__(self, *items: bytes | Exception | None) -> None:
        self.items = items
        self.closed = asyncio.Event()

    async def blocks(self):
        try:
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    await asyncio.Event().wait()
                yield item
        finally:
            self.closed.set()


def client_of(source: Source, door: Door, **options) -> httpx2.AsyncClient:
    async def application(scope, receive, send):
        request = Request(scope, receive)
        await request.body()
        response = await EventStream.begin(request, source.blocks(), **options)
        await response(scope, receive, send)

    return httpx2.AsyncClient(
        transport=InProcessTransport(door.to(Guard(application))), base_url="http://carrel"
    )


async def test_events_arrive_as_they_are_made_and_the_stream_ends():
    source = Source(named("delta", Problem("a", "line\nbreak")), unnamed({"b": 1}))

    async with client_of(source, Door("tcp")) as client, client.sse("/") as events:
        found = [(event.event, event.data) async for event in events]

    assert found == [("delta", '{"code":"a","message":"line\\nbreak"}'), ("message", '{"b":1}')]
    assert source.closed.is_set()


async def test_a_source_with_no_events_is_an_empty_stream():
    async with client_of(Source(), Door("tcp")) as client:
        answer = await client.get("/")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert "content-length" not in answer.headers


async def test_an_error_before_the_first_event_is_a_status():
    async with client_of(Source(NotFoundError("No such thing.")), Door("tcp")) as client:
        answer = await client.get("/")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


async def test_silence_is_filled_with_comments():
    source = Source(unnamed(1), None)

    async with (
        client_of(source, Door("tcp"), heartbeat=0.001) as client,
        client.stream("GET", "/") as answer,
    ):
        chunks = answer.aiter_raw()
        assert [await anext(chunks) for _ in range(4)] == [b"data: 1\n\n", b":\n\n", b":\n\n", b":\n\n"]


async def test_when_the_client_goes_the_source_is_closed():
    source = Source(unnamed(1), None)

    async with client_of(source, Door("tcp")) as client, client.stream("GET", "/") as answer:
        await anext(answer.aiter_raw())
        assert not source.closed.is_set()

    assert source.closed.is_set()


async def test_when_the_client_goes_before_the_first_event_the_source_is_closed():
    source = Source(None)
    began = asyncio.Event()

    class Noting(Source):
        async def blocks(self):
            began.set()
            async for block in source.blocks():
                yield block

    async with client_of(Noting(), Door("tcp")) as client:
        asking = asyncio.create_task(client.get("/"))
        await began.wait()
        asking.cancel()
        await asyncio.wait({asking})

    await asyncio.wait_for(source.closed.wait(), 5)


async def test_when_the_door_closes_the_source_is_closed_and_the_stream_says_farewell():
    source, door = Source(unnamed(1), None), Door("tcp")

    async with (
        client_of(source, door, farewell=lambda: unnamed("bye")) as client,
        client.stream("GET", "/") as answer,
    ):
        chunks = answer.aiter_raw()
        await anext(chunks)
        door.close()
        assert [chunk async for chunk in chunks] == [b'data: "bye"\n\n']

    assert source.closed.is_set()


async def test_when_the_door_is_closed_before_the_first_event_the_answer_is_503():
    door = Door("tcp")
    asyncio.get_running_loop().call_later(0.01, door.close)

    async with client_of(Source(None), door) as client:
        answer = await client.get("/")

    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "connection_lost"


async def test_a_source_is_read_no_faster_than_the_client_reads():
    made = 0

    class Counting(Source):
        async def blocks(self):
            nonlocal made
            for number in range(10_000):
                made += 1
                yield unnamed(number)

    async with client_of(Counting(), Door("tcp")) as client, client.stream("GET", "/"):
        for _ in range(500):
            await asyncio.sleep(0)
        assert made < 100
