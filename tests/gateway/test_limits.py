"""Sizes and rates."""

import asyncio

import httpx2
import pytest

from app.client.client import Client
from app.client.transport import InProcessTransport
from app.errors import ReportedError
from app.gateway.limits import Limits

SMALL = Limits(body=1_000, upload=50_000)
JSON = {"content-type": "application/json"}


def search_of(size: int) -> bytes:
    frame = b'{"query": "%b"}'
    return frame % (b"x" * (size - len(frame) + 2))


def chunks_of(content: bytes, sizes: int = 100):
    async def chunks():
        for start in range(0, len(content), sizes):
            yield content[start : start + sizes]

    return chunks()


async def post(site, path, content, headers):
    transport = InProcessTransport(site.server.in_process)
    async with httpx2.AsyncClient(transport=transport, base_url="http://carrel") as client:
        token = (await client.post("/sessions")).json()["token"]
        return await client.post(
            path, content=content, headers={**headers, "authorization": f"Bearer {token}"}
        )


async def post_tcp(address, token, path, content, headers):
    async with httpx2.AsyncClient(base_url=address, trust_env=False) as client:
        return await client.post(
            path, content=content, headers={**headers, "authorization": f"Bearer {token}"}
        )


@pytest.mark.parametrize(
    "path", ["/search", "/documents", "/ask", "/v1/chat/completions", "/conversations", "/nothing"]
)
@pytest.mark.parametrize("told", [True, False])
def test_a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(open_site, path, told):
    site = open_site(limits=SMALL)
    content = search_of(1_001)

    async def everywhere():
        body = content if told else chunks_of(content)
        inside = await post(site, path, body, JSON)
        body = content if told else chunks_of(content)
        return inside, await post_tcp(site.address, site_token, path, body, JSON)

    site_token, _ = site.token, site.address
    for answer in site.do(everywhere()):
        unread = not told and path in ("/conversations", "/nothing")  # nobody reads the body there
        assert answer.status_code in ((404, 405) if unread else (413,))
        if not unread:
            assert answer.json()["error"]["code"] == "too_large"


def test_a_body_at_the_limit_passes(open_site):
    site = open_site(limits=SMALL)

    assert site.do(post(site, "/search", search_of(1_000), JSON)).status_code != 413
    assert site.do(post(site, "/search", chunks_of(search_of(1_000)), JSON)).status_code != 413


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "9" * 40, "٣"])
def test_a_length_that_is_no_number_is_refused(site, length):
    async def ask():
        return await post(site, "/search", b"{}", [*JSON.items(), ("content-length", length)])

    async def raw():
        seen = {}

        async def receive():
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message):
            seen.setdefault("status", message.get("status"))

        headers = [
            (b"content-length", length.encode()),
            (b"authorization", f"Bearer {site_token}".encode()),
            (b"content-type", b"application/json"),
        ]
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/search",
            "raw_path": b"/search",
            "query_string": b"",
            "headers": headers,
        }
        await site.server.in_process(scope, receive, send)
        return seen["status"]

    site_token = site.token
    assert site.do(raw()) == 413


def test_an_upload_may_be_larger_but_not_without_limit(open_site):
    site = open_site(limits=SMALL)

    assert site.do(site.client.upload("fits.txt", b"word " * 9_000)).document is not None
    with pytest.raises(ReportedError) as raised:
        site.do(site.client.upload("large.txt", b"word " * 11_000))
    assert raised.value.code == "too_large"
    assert [document.name for document in site.do(site.client.documents())] == ["fits.txt"]


def test_too_many_requests_of_one_session_are_refused_with_a_time_to_wait(open_site):
    site = open_site(limits=Limits(tcp=5, window_s=1_000))

    answers = [site.tcp.get("/models") for _ in range(7)]

    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert answers[-1].json()["error"]["code"] == "rate_limited"
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 2_000


def test_one_session_does_not_use_up_anothers_rate_nor_that_of_another_door(open_site):
    site = open_site(limits=Limits(tcp=5, window_s=1_000))
    for _ in range(6):
        site.tcp.get("/models")
    other = {"authorization": f"Bearer {site.do(site.client.new_session()).token}"}

    assert site.tcp.get("/models").status_code == 429
    assert site.stranger.get("/models", headers=other).status_code == 200
    assert site.do(site.client.models())


def test_requests_without_a_session_share_a_small_rate(open_site):
    site = open_site(limits=Limits(without_session=3, window_s=1_000))
    _ = site.token  # the owner's sessions were begun before

    assert [site.stranger.get("/health").status_code for _ in range(5)] == [200] * 3 + [429] * 2
    assert site.tcp.get("/models").status_code == 200


def test_in_process_a_busy_window_is_never_refused(open_site):
    site = open_site()

    async def busy():
        for _ in range(5):
            await asyncio.gather(*(site.client.models() for _ in range(100)))

    site.do(busy())


def test_the_typed_client_reports_the_refusal(open_site):
    site = open_site(limits=Limits(tcp=2, window_s=1_000))

    async def use():
        transport = httpx2.AsyncHTTPTransport(trust_env=False)
        client = Client(transport, base_url=address, token=token)
        try:
            for _ in range(3):
                await client.models()
        finally:
            await client.close()

    address, token = site.address, site.token
    with pytest.raises(ReportedError) as raised:
        site.do(use())
    assert (raised.value.code, raised.value.status) == ("rate_limited", 429)
