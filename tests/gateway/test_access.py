"""Who may pass: sessions, doors, Host and Origin."""

import json
import socket

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.client.client import Client
from app.client.transport import InProcessTransport
from app.errors import ReportedError

PRIVATE = [
    ("GET", "/documents"),
    ("POST", "/documents"),
    ("GET", "/documents/x"),
    ("DELETE", "/documents/x"),
    ("POST", "/search"),
    ("POST", "/ask"),
    ("GET", "/conversations"),
    ("GET", "/events"),
    ("POST", "/window"),
    ("GET", "/models"),
    ("PUT", "/models/chat"),
    ("PUT", "/listener"),
    ("DELETE", "/sessions/current"),
    ("GET", "/v1/models"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/embeddings"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/nothing"),
    ("OPTIONS", "/health"),
    ("POST", "/health"),
    ("GET", "/health/"),
    ("GET", "//health"),
]


@pytest.mark.parametrize(("method", "path"), PRIVATE)
def test_without_a_session_nothing_is_done_over_tcp(site, method, path):
    answer = site.stranger.request(method, path)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"]["code"] == "unauthorized"


def test_a_session_is_not_given_to_strangers_over_tcp(site):
    assert site.stranger.post("/sessions").status_code == 401


def test_the_owner_gets_a_session_in_process_and_over_the_local_socket(site):
    for client in (site.client, site.local):
        session = site.do(client.new_session())
        answer = site.stranger.get("/documents", headers={"authorization": f"Bearer {session.token}"})
        assert answer.status_code == 200


def test_in_process_and_over_the_local_socket_a_session_is_needed_too(site):
    async def documents_without_session():
        transport = InProcessTransport(site.server.in_process)
        async with httpx2.AsyncClient(transport=transport, base_url="http://carrel") as client:
            return await client.get("/documents")

    assert site.do(documents_without_session()).status_code == 401


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer x", "Basic eDp4", "Token abc", "Bearer " + "x" * 5_000],
)
def test_a_token_that_is_none_is_refused(site, header):
    answer = site.stranger.get("/documents", headers={"authorization": header})

    assert answer.status_code == 401


@given(header=st.binary(max_size=200).filter(lambda value: not set(value) & {0, 10, 13}))
@settings(max_examples=50, deadline=None)
def test_no_authorization_header_opens_the_door_or_breaks_it(site, header):
    async def health():
        transport = InProcessTransport(site.server.in_process)
        async with httpx2.AsyncClient(transport=transport, base_url="http://carrel") as client:
            return await client.get("/documents", headers=[(b"authorization", header)])

    assert site.do(health()).status_code == 401


def test_an_ended_session_is_refused_at_once(site):
    session = site.do(site.client.new_session())
    headers = {"authorization": f"bearer {session.token}"}
    assert site.stranger.get("/documents", headers=headers).status_code == 200

    assert site.stranger.delete("/sessions/current", headers=headers).status_code == 204

    assert site.stranger.get("/documents", headers=headers).status_code == 401


def test_over_tcp_a_stranger_learns_only_that_carrel_is_there(site):
    assert set(site.stranger.get("/health").json()) == {"status", "version"}
    assert "profile" in site.tcp.get("/health").json()


def test_a_wrong_token_gets_no_more_of_health_than_none(site):
    answer = site.stranger.get("/health", headers={"authorization": "Bearer wrong"})

    assert set(answer.json()) == {"status", "version"}


def test_the_client_over_http_needs_a_token(site):
    async def use(token):
        client = Client(httpx2.AsyncHTTPTransport(trust_env=False), base_url=site.address, token=token)
        try:
            await client.open()
            return await client.documents()
        finally:
            await client.close()

    assert site.do(use(site.token)) == ()
    with pytest.raises(ReportedError) as raised:
        site.do(use(None))
    assert raised.value.code == "unauthorized"


def port_of(site) -> int:
    return int(site.address.rpartition(":")[2])


@pytest.mark.parametrize("host", ["127.0.0.1:{}", "localhost:{}", "LOCALHOST:{}"])
def test_the_names_of_this_computer_are_served(site, host):
    assert site.stranger.get("/health", headers={"host": host.format(port_of(site))}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{}",
        "127.0.0.1",
        "localhost",
        "127.0.0.1:1",
        "localhost.evil.example:{}",
        "0:{}",
        "",
    ],
)
def test_a_name_that_was_bent_to_this_computer_is_refused(site, host):
    answer = site.tcp.get("/health", headers={"host": host.format(port_of(site))})

    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"


def test_a_request_without_host_or_with_two_is_refused(site):
    for lines in ("", "Host: evil.example\r\nHost: 127.0.0.1:{}\r\n"):
        with socket.create_connection(("127.0.0.1", port_of(site)), timeout=10) as connection:
            head = f"GET /health HTTP/1.0\r\n{lines.format(port_of(site))}\r\n"
            connection.sendall(head.encode())
            answer = connection.makefile("rb").read()
        assert answer.split(b" ", 2)[1] in (b"403", b"400")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "https://localhost:{}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_web_pages_of_other_sites_are_refused_even_with_a_token(site, headers):
    sent = {name: value.format(port_of(site)) for name, value in headers.items()}

    assert site.tcp.get("/documents", headers=sent).status_code == 403
    assert site.stranger.get("/health", headers=sent).status_code == 403


def test_a_page_of_this_address_itself_may_ask(site):
    sent = {"origin": site.address, "sec-fetch-site": "same-origin"}

    assert site.tcp.get("/documents", headers=sent).status_code == 200


def test_no_answer_allows_other_origins(site):
    answer = site.tcp.options("/documents", headers={"access-control-request-method": "GET"})

    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_the_listener_is_not_switched_over_tcp(site):
    answer = site.tcp.put("/listener", content=json.dumps({"on": False, "port": 0}), headers=JSON)

    assert answer.status_code == 403
    assert site.tcp.get("/health").status_code == 200


JSON = {"content-type": "application/json"}
