"""The typed client against small gateways of the test's own: what it makes of every kind of answer."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import httpx2
import pytest

from app.client.client import Client
from app.client.transport import InProcessTransport
from app.errors import ConnectionLostError, ReportedError
from app.events import Delta, Finished, WindowRequested
from app.records import Message

pytestmark = pytest.mark.anyio

MESSAGE = {
    "id": "m",
    "conversation_id": "c",
    "parent_id": None,
    "role": "assistant",
    "state": "complete",
    "text": "Yes.",
    "created_at": 1.0,
}
FINISHED = f"event: finished\ndata: {json.dumps({'message': MESSAGE})}\n\n"


class Gateway:
    """Answers with what a test has laid out; notes what it was asked. Token "2" is the valid one."""

    def __init__(self, content: str = "", status: int = 200, kind: str = "application/json") -> None:
        self.content = content
        self.status = status
        self.kind = kind
        self.tokens = iter(["1", "2", "3"])
        self.valid = {"1", "2", "3"}
        self.asked: list[tuple[str, str, bytes]] = []

    async def __call__(self, scope, receive, send) -> None:
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message["more_body"]:
                break
        self.asked.append((scope["method"], scope["raw_path"].decode(), body))
        token = dict(scope["headers"]).get(b"authorization", b"").decode().removeprefix("Bearer ")
        if scope["path"] == "/sessions":
            session = {"token": next(self.tokens), "user_id": "u", "expires_at": 0.0}
            await self.reply(send, 201, json.dumps(session))
        elif token not in self.valid:
            error = {"code": "unauthorized", "message": "Sign in.", "type": "x", "trace_id": "t"}
            await self.reply(send, 401, json.dumps({"error": error}))
        else:
            await self.reply(send, self.status, self.content)

    async def reply(self, send, status: int, content: str) -> None:
        headers = [(b"content-type", self.kind.encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content.encode("utf-8", "surrogatepass")})


def client_of(gateway: Gateway, token: str | None = None) -> Client:
    return Client(InProcessTransport(gateway), token=token)


async def test_an_error_of_the_gateway_is_raised_with_its_code_status_and_trace():
    error = {"error": {"code": "not_found", "message": "Gone.", "type": "x", "trace_id": "abc"}}
    client = client_of(Gateway(json.dumps(error), 404))

    with pytest.raises(ReportedError) as raised:
        await client.document("d")

    assert (raised.value.code, raised.value.status, raised.value.trace_id) == ("not_found", 404, "abc")
    assert raised.value.message == "Gone."


@pytest.mark.parametrize(
    "content", ["", "<html>", "{}", '{"error": "x"}', '{"error": {"code": 5}}', "\ud800"]
)
async def test_an_error_that_is_not_ours_is_still_reported(content):
    with pytest.raises(ReportedError) as raised:
        await client_of(Gateway(content, 502)).health()

    assert raised.value.status == 502


@pytest.mark.parametrize("content", ["", "[]", "<html>", '{"documents": [{"id": 1}]}', '{"documents": null}'])
async def test_an_answer_that_cannot_be_understood_is_a_lost_connection(content):
    with pytest.raises(ConnectionLostError):
        await client_of(Gateway(content)).documents()


async def test_fields_that_are_not_known_yet_are_passed_over():
    assert await client_of(Gateway('{"documents": [], "more": 1}')).documents() == ()


async def test_a_session_is_begun_by_itself_and_renewed_once_when_it_has_ended():
    gateway = Gateway('{"documents": []}')
    client = client_of(gateway)
    await client.open()
    assert client.token == "1"
    gateway.valid = {"2"}

    assert await client.documents() == ()

    assert client.token == "2"


async def test_requests_at_the_same_time_renew_a_session_once():
    gateway = Gateway('{"documents": []}')
    client = client_of(gateway)

    await asyncio.gather(*(client.documents() for _ in range(10)))

    assert [path for _, path, _ in gateway.asked].count("/sessions") == 1


async def test_a_token_that_was_given_is_never_replaced():
    gateway = Gateway("{}")
    client = client_of(gateway, token="mine")
    await client.open()

    with pytest.raises(ReportedError, match=r"Sign in\."):
        await client.health()

    assert [path for _, path, _ in gateway.asked] == ["/health"]


async def test_a_session_that_is_not_renewed_is_an_error():
    gateway = Gateway("{}")
    gateway.valid = set()

    with pytest.raises(ReportedError) as raised:
        await client_of(gateway).health()

    assert raised.value.code == "unauthorized"


async def test_a_stream_renews_an_ended_session_too():
    gateway = Gateway(FINISHED, kind="text/event-stream")
    gateway.valid = {"2"}
    client = client_of(gateway)
    await client.open()

    assert len([event async for event in client.ask("?")]) == 1


@pytest.mark.parametrize("strange", ["a/b", "..", "?x=1", "#", "ä", "%2e", " "])
async def test_an_id_stays_one_part_of_the_path(strange):
    gateway = Gateway(json.dumps({"stopped": True}))

    await client_of(gateway, token="1").stop(strange)

    method, path, _ = gateway.asked[-1]
    assert method == "POST"
    assert path.startswith("/ask/")
    assert path.endswith("/stop")
    assert path.count("/") == 3


async def test_the_events_of_an_answer_come_as_records_up_to_its_end():
    before = 'event: delta\ndata: {"text": "Y"}\n\n: beat\n\nevent: new\ndata: 5\n\n'
    content = before + FINISHED + "event: delta\ndata: 0\n\n"
    client = client_of(Gateway(content, kind="text/event-stream"))

    found = [event async for event in client.ask("?")]

    assert found == [Delta("Y"), Finished(Message("m", "c", None, "assistant", "complete", "Yes.", 1.0))]


@pytest.mark.parametrize("content", ["", 'event: delta\ndata: {"text": "Y"}\n\n', FINISHED[:-10]])
async def test_an_answer_without_an_end_is_a_lost_connection(content):
    client = client_of(Gateway(content, kind="text/event-stream"))

    with pytest.raises(ConnectionLostError):
        _ = [event async for event in client.ask("?")]


@pytest.mark.parametrize("content", ["event: delta\ndata: {}\n\n", "event: delta\ndata: <\n\n"])
async def test_an_event_that_cannot_be_understood_is_a_lost_connection(content):
    client = client_of(Gateway(content, kind="text/event-stream"))

    with pytest.raises(ConnectionLostError):
        _ = [event async for event in client.ask("?")]


async def test_an_answer_that_is_no_stream_is_a_lost_connection():
    with pytest.raises(ConnectionLostError):
        _ = [event async for event in client_of(Gateway("{}")).ask("?")]


async def test_the_feed_says_when_it_stands_and_ends_in_a_lost_connection():
    gateway = Gateway("event: window_requested\ndata: {}\n\n", kind="text/event-stream")
    client = client_of(gateway)
    heard = []

    async def follow():
        async for event in client.feed(on_open=lambda: heard.append("open")):
            heard.append(event)

    with pytest.raises(ConnectionLostError):
        await follow()

    assert heard == ["open", WindowRequested()]


@pytest.mark.parametrize(
    "use",
    [
        lambda client: client.health(),
        lambda client: client.upload("a", b"b"),
        lambda client: anext(client.ask("?")),
        lambda client: anext(client.feed()),
        lambda client: client.open(),
    ],
)
async def test_a_gateway_that_cannot_be_reached_is_a_lost_connection(
    use: Callable[[Client], Awaitable[object]],
):
    async def nothing(scope, receive, send):
        raise OSError("gone")

    with pytest.raises(ConnectionLostError):
        await use(Client(InProcessTransport(nothing)))


async def test_a_port_where_nothing_listens_is_a_lost_connection():
    client = Client(httpx2.AsyncHTTPTransport(trust_env=False), base_url="http://127.0.0.1:1", token="x")

    with pytest.raises(ConnectionLostError):
        await client.health()
    await client.close()


async def test_a_closed_client_is_a_lost_connection():
    client = client_of(Gateway("{}"))
    await client.open()
    await client.close()

    with pytest.raises(ConnectionLostError):
        await client.health()
    with pytest.raises(ConnectionLostError):
        await anext(client.feed())
