"""Garbage of every kind at every address: always an answer in our shape, never a bug."""

import json
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.client.transport import InProcessTransport

WRITING = [
    "/search",
    "/ask",
    "/documents",
    "/models/chat",
    "/listener",
    "/v1/chat/completions",
    "/v1/embeddings",
]
FIELDS = [
    *(
        "query",
        "k",
        "document_ids",
        "types",
        "since",
        "until",
        "question",
        "conversation_id",
        "paths",
        "title",
        "path",
        "on",
        "port",
    ),
    *("model", "messages", "input", "stream", "n", "tools", "max_tokens", "temperature", "stop", "seed"),
    *("role", "content", "type", "text", "encoding_format"),
]

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(FIELDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=5),
    max_leaves=12,
)
bodies = st.dictionaries(st.sampled_from(FIELDS), values, max_size=8) | values
quick = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def send(site):
    transport = InProcessTransport(site.server.in_process)
    client = httpx2.AsyncClient(transport=transport, base_url="http://carrel")
    headers = {"authorization": f"Bearer {site.token}"}

    def send(method: str, url: str, content: bytes = b"", kind: str = "application/json") -> httpx2.Response:
        sent = {**headers, "content-type": kind}
        return site.do(client.request(method, url, content=content, headers=sent))

    yield send
    site.do(client.aclose())


def check(answer: httpx2.Response) -> None:
    assert answer.status_code not in (500, 501, 502), answer.text
    assert len(answer.headers["x-trace-id"]) == 32
    if answer.status_code >= 400:
        error = json.loads(answer.content)["error"]
        assert set(error) == {"code", "message", "type", "trace_id"}
        assert error["code"] != "internal"


@given(path=st.sampled_from(WRITING), method=st.sampled_from(["POST", "PUT", "PATCH"]), body=bodies)
@quick
def test_json_of_any_form_is_answered(send, path, method, body):
    if path == "/listener" and isinstance(body, dict):
        body["port"] = 0  # never a port that may be somebody's
    content = json.dumps(body).encode("utf-8", "surrogatepass")

    check(send(method, path, content))


@given(path=st.sampled_from(WRITING), content=st.binary(max_size=300))
@quick
def test_bytes_of_any_kind_are_answered(send, path, content):
    for kind in ("application/json", "multipart/form-data; boundary=x", "text/plain", "\x7f"):
        check(send("POST", path, content, kind))


@given(
    method=st.sampled_from(["GET", "DELETE", "PATCH", "POST", "HEAD", "OPTIONS", "TRACE"]),
    room=st.sampled_from(["documents", "conversations", "ask", "v1/models", "models", "sessions", ""]),
    part=st.text(max_size=30),
    more=st.sampled_from(["", "/pages/1", "/pages/1/image", "/retry", "/stop", "/current/.."]),
    query=st.text(max_size=30),
)
@quick
def test_addresses_of_any_form_are_answered(send, method, room, part, more, query):
    path = f"/{room}/{quote(part, safe='')}{more}?start={quote(query)}&width={quote(query)}"
    answer = send(method, path)

    if method == "HEAD":
        assert answer.status_code < 500
    else:
        check(answer)


def test_json_nested_without_end_is_answered(send):
    for content in (b"[" * 1_000_000, b'{"a":' * 100_000, b'"' + b"\\u0000" * 100_000 + b'"', b"1" * 100_000):
        answer = send("POST", "/search", content)
        check(answer)
        assert answer.status_code == 400


def test_the_longest_question_that_is_let_in_is_answered(send):
    answer = send("POST", "/search", json.dumps({"query": "wörd " * 39_000}).encode())

    check(answer)
