"""The in-process transport against plain ASGI applications: what HTTP promises, without a socket."""

import asyncio
import json
import os
import socket

import httpx2
import pytest

from app.client.transport import InProcessTransport, local_socket_transport
from app.errors import ConnectionLostError

pytestmark = pytest.mark.anyio


def client_of(application, **options) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=InProcessTransport(application, **options), base_url="http://carrel")


async def start(send, status=200, headers=()):
    await send({"type": "http.response.start", "status": status, "headers": list(headers)})


async def body(send, content, more=True):
    await send({"type": "http.response.body", "body": content, "more_body": more})


async def read_all(receive) -> bytes:
    whole = b""
    while True:
        message = await receive()
        whole += message["body"]
        if not message["more_body"]:
            return whole


async def test_the_application_sees_the_request_as_a_server_would_show_it():
    seen = {}

    async def application(scope, receive, send):
        seen.update(scope, body=await read_all(receive))
        await start(send, 201, [(b"x-made", b"yes")])
        await body(send, b"done", more=False)

    async with client_of(application) as client:
        answer = await client.post("/caf%C3%A9/a%2Fb?k=%26", content=b"hello", headers={"X-Trace": "1"})

    assert (answer.status_code, answer.headers["x-made"], answer.content) == (201, "yes", b"done")
    assert (seen["method"], seen["path"], seen["raw_path"]) == ("POST", "/café/a/b", b"/caf%C3%A9/a%2Fb")
    assert seen["query_string"] == b"k=%26"
    assert seen["body"] == b"hello"
    assert (b"x-trace", b"1") in seen["headers"]


async def test_a_request_body_streams_in_chunks():
    sizes = []

    async def application(scope, receive, send):
        while (message := await receive())["more_body"]:
            sizes.append(len(message["body"]))
        await start(send)
        await body(send, b"", more=False)

    async def chunks():
        for _ in range(3):
            yield b"x" * 1_000

    async with client_of(application) as client:
        await client.post("/", content=chunks())

    assert sizes == [1_000, 1_000, 1_000]


async def test_a_chunk_arrives_before_the_response_has_ended():
    go_on = asyncio.Event()

    async def application(scope, receive, send):
        await start(send)
        await body(send, b"first")
        await go_on.wait()
        await body(send, b"second", more=False)

    async with client_of(application) as client, client.stream("GET", "/") as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b"first"
        go_on.set()
        assert await anext(chunks) == b"second"


async def test_an_application_waits_when_nobody_reads_what_it_sends():
    sent = 0

    async def application(scope, receive, send):
        nonlocal sent
        await start(send)
        for _ in range(1_000):
            await body(send, b"x")
            sent += 1
        await body(send, b"", more=False)

    async with client_of(application, chunks_ahead=4) as client, client.stream("GET", "/") as answer:
        for _ in range(100):
            await asyncio.sleep(0)
        assert sent <= 4
        assert len(await answer.aread()) == 1_000
    assert sent == 1_000


async def test_closing_a_response_tells_the_application_and_waits_for_its_end():
    ended = []

    async def application(scope, receive, send):
        await read_all(receive)
        await start(send)
        await body(send, b"first")
        ended.append((await receive())["type"])
        await body(send, b"to nobody")
        ended.append("cleaned up")

    async with client_of(application) as client, client.stream("GET", "/"):
        pass

    assert ended == ["http.disconnect", "cleaned up"]


async def test_closing_a_response_wakes_an_application_that_waits_for_room():
    ended = asyncio.Event()

    async def application(scope, receive, send):
        await start(send)
        try:
            while not ended.is_set():
                await body(send, b"x" * 100)
                if (await asyncio.wait_for(receive(), 5))["type"] == "http.disconnect":
                    ended.set()
        finally:
            ended.set()

    async with client_of(application, chunks_ahead=1) as client, client.stream("GET", "/"):
        pass

    assert ended.is_set()


async def test_an_application_that_does_not_end_is_cancelled(monkeypatch):
    monkeypatch.setattr("app.client.transport._SECONDS_TO_END", 0.01)
    cancelled = asyncio.Event()

    async def application(scope, receive, send):
        await start(send)
        await body(send, b"first")
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    async with client_of(application) as client, client.stream("GET", "/"):
        pass

    assert cancelled.is_set()


async def test_cancelling_the_caller_before_the_response_ends_the_application():
    began, told = asyncio.Event(), asyncio.Event()

    async def application(scope, receive, send):
        await read_all(receive)
        began.set()
        await receive()
        told.set()

    async with client_of(application) as client:
        asking = asyncio.create_task(client.get("/"))
        await began.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    assert told.is_set()


async def test_after_a_whole_response_a_listening_application_hears_the_end():
    heard = asyncio.Event()

    async def application(scope, receive, send):
        await read_all(receive)
        await start(send)
        await body(send, b"all", more=False)
        assert (await receive())["type"] == "http.disconnect"
        heard.set()

    async with client_of(application) as client:
        assert (await client.get("/")).content == b"all"

    assert heard.is_set()


async def test_an_application_that_fails_before_the_response_cannot_be_reached():
    async def application(scope, receive, send):
        raise ValueError("broken")

    async with client_of(application) as client:
        with pytest.raises(httpx2.ConnectError) as raised:
            await client.get("/")

    assert isinstance(raised.value.__cause__, ValueError)


async def test_an_application_that_fails_in_the_response_breaks_it_off():
    async def application(scope, receive, send):
        await start(send)
        await body(send, b"first")
        raise ValueError("broken")

    async with client_of(application) as client:
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get("/")


async def test_closing_the_transport_ends_open_streams():
    ended = asyncio.Event()

    async def application(scope, receive, send):
        await read_all(receive)
        await start(send)
        await receive()
        ended.set()

    client = client_of(application)
    await client.send(client.build_request("GET", "/"), stream=True)
    await client.aclose()

    assert ended.is_set()


async def test_each_request_has_context_variables_of_its_own():
    from app.log import trace_id

    async def application(scope, receive, send):
        assert trace_id.get() == ""
        trace_id.set(scope["path"])
        await asyncio.sleep(0)
        await start(send)
        await body(send, trace_id.get().encode(), more=False)

    async with client_of(application) as client:
        answers = await asyncio.gather(*(client.get(f"/{number}") for number in range(20)))

    assert [answer.text for answer in answers] == [f"/{number}" for number in range(20)]
    assert trace_id.get() == ""


async def test_a_local_socket_that_is_not_there_is_a_lost_connection(tmp_path):
    with pytest.raises(ConnectionLostError):
        local_socket_transport(tmp_path / "carrel.sock")


async def test_a_local_socket_of_another_user_is_not_used(tmp_path, monkeypatch):
    path = tmp_path / "carrel.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        monkeypatch.setattr(os, "getuid", lambda: path.lstat().st_uid + 1)

        with pytest.raises(ConnectionLostError, match="another user"):
            local_socket_transport(path)


@pytest.mark.parametrize("content", ["", "{}", "[]", json.dumps({"port": "x", "secret": "s"}), "\x00"])
async def test_a_token_file_with_anything_else_in_it_is_a_lost_connection(tmp_path, content):
    path = tmp_path / "carrel.sock"
    path.write_text(content)

    with pytest.raises(ConnectionLostError):
        local_socket_transport(path)
