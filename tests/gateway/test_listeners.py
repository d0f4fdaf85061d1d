"""The sockets themselves: who may connect, what is replaced, how they close."""

import asyncio
import json
import os
import socket
import stat

import httpx2
import pytest

from app.client.transport import local_socket_transport
from app.errors import ProfileInUseError, SettingError, StorageError
from app.gateway.access import LOCAL_HEADER
from app.gateway.door import door_of
from app.gateway.event_stream import EventStream, unnamed
from app.gateway.listeners import Listeners

pytestmark = pytest.mark.anyio


async def application(scope, receive, send):
    """Says which door a request came through, and what it carried."""
    door = door_of(scope)
    secret = dict(scope["headers"]).get(LOCAL_HEADER.encode(), b"").decode()
    content = json.dumps({"door": door.kind, "secret": bool(secret) and secret == door.secret}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": content})


@pytest.fixture
async def listeners():
    opened = Listeners(lambda: application)
    yield opened
    await opened.close()


async def say(transport: httpx2.AsyncBaseTransport | None, url: str) -> dict:
    async with httpx2.AsyncClient(transport=transport, trust_env=False) as client:
        return (await client.get(url)).json()


async def test_the_local_socket_is_for_its_owner_alone_and_leads_to_the_local_door(listeners, tmp_path):
    path = tmp_path / "carrel.sock"
    await listeners.listen_local(path)

    assert stat.S_ISSOCK(path.stat().st_mode)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (await say(local_socket_transport(path), "http://carrel/"))["door"] == "local"


async def test_no_header_makes_a_request_come_through_another_door(listeners):
    address = await listeners.listen(0)

    async with httpx2.AsyncClient(trust_env=False) as client:
        headers = {"carrel.door": "in_process", "x-forwarded-for": "10.0.0.1", LOCAL_HEADER: "x"}
        answer = await client.get(address, headers=headers)

    assert answer.json() == {"door": "tcp", "secret": False}


async def test_the_socket_is_removed_when_the_door_closes(listeners, tmp_path):
    path = tmp_path / "carrel.sock"
    await listeners.listen_local(path)
    await listeners.close()

    assert not path.exists()


async def test_a_socket_left_by_a_killed_process_is_replaced(listeners, tmp_path):
    path = tmp_path / "carrel.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
        left.listen()

    await listeners.listen_local(path)

    assert (await say(local_socket_transport(path), "http://carrel/"))["door"] == "local"


async def test_a_socket_that_answers_is_not_taken_over(listeners, tmp_path):
    path = tmp_path / "carrel.sock"
    await listeners.listen_local(path)
    second = Listeners(lambda: application)

    with pytest.raises(ProfileInUseError):
        await second.listen_local(path)
    await second.close()

    assert (await say(local_socket_transport(path), "http://carrel/"))["door"] == "local"


async def test_a_file_that_is_no_socket_is_never_removed(listeners, tmp_path):
    path = tmp_path / "carrel.sock"
    path.write_text("mine")

    with pytest.raises(StorageError):
        await listeners.listen_local(path)

    assert path.read_text() == "mine"


async def test_a_folder_that_cannot_be_written_is_said(listeners, tmp_path):
    with pytest.raises(StorageError):
        await listeners.listen_local(tmp_path / "missing" / "carrel.sock")


async def test_the_socket_of_another_process_is_not_removed_at_the_end(listeners, tmp_path):
    path = tmp_path / "carrel.sock"
    await listeners.listen_local(path)
    path.unlink()
    path.write_text("somebody else's")

    await listeners.close()

    assert path.read_text() == "somebody else's"


async def test_without_unix_sockets_a_token_file_opens_the_local_door(tmp_path):
    listeners = Listeners(lambda: application, unix=False)
    path = tmp_path / "carrel.sock"
    await listeners.listen_local(path)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    said = await say(local_socket_transport(path), "http://carrel/")
    assert said == {"door": "local", "secret": True}

    await listeners.close()
    assert not path.exists()


async def test_the_port_is_open_on_loopback_only(listeners):
    address = await listeners.listen(0)

    assert address.startswith("http://127.0.0.1:")
    assert listeners.address == address
    assert (await say(None, address))["door"] == "tcp"


async def test_switching_on_twice_keeps_the_port_and_another_port_replaces_it(listeners):
    first = await listeners.listen(0)
    assert await listeners.listen(int(first.rpartition(":")[2])) == first

    second = await listeners.listen(0)

    assert second != first
    with pytest.raises(httpx2.ConnectError):
        await say(None, first)
    assert (await say(None, second))["door"] == "tcp"


async def test_a_port_in_use_is_said_and_what_was_open_stays(listeners):
    first = await listeners.listen(0)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        with pytest.raises(SettingError, match="another program"):
            await listeners.listen(other.getsockname()[1])

    assert listeners.address == first
    assert (await say(None, first))["door"] == "tcp"


async def test_a_port_can_be_closed_and_opened_again(listeners):
    address = await listeners.listen(0)
    await listeners.unlisten()
    assert listeners.address is None
    with pytest.raises(httpx2.ConnectError):
        await say(None, address)

    assert await listeners.listen(int(address.rpartition(":")[2])) == address


async def test_closing_ends_streams_at_once_and_in_order():
    async def forever(scope, receive, send):
        from starlette.requests import Request

        async def blocks():
            yield unnamed("hello")
            await asyncio.Event().wait()

        request = Request(scope, receive)
        await request.body()
        response = await EventStream.begin(request, blocks(), farewell=lambda: unnamed("bye"))
        await response(scope, receive, send)

    listeners = Listeners(lambda: forever)
    address = await listeners.listen(0)
    async with httpx2.AsyncClient(trust_env=False) as client, client.sse(address) as events:
        heard = []
        async for event in events:
            heard.append(event.data)
            if len(heard) == 1:
                closing = asyncio.create_task(listeners.close())
        await asyncio.wait_for(closing, 2)

    assert heard == ['"hello"', '"bye"']


async def test_nonsense_on_the_port_is_refused_and_the_port_stays_open(listeners, capfd):
    address = await listeners.listen(0)
    port = int(address.rpartition(":")[2])
    for nonsense in (b"\x16\x03\x01\x02\x00", os.urandom(2_000), b"GET / HTTP/1.1\r\nHost" + b"x" * 70_000):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(nonsense + b"\r\n\r\n")
        writer.write_eof()
        await asyncio.wait_for(reader.read(), 5)
        writer.close()

    assert (await say(None, address))["door"] == "tcp"
    assert capfd.readouterr().err == ""
