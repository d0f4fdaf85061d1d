"""GET /export: streamed, refused before its beginning, or seen to be cut off."""

import asyncio
import json

import pytest

from app.backend.export.service import ExportService
from app.errors import ConnectionLostError, ReportedError, StorageError


class Scripted(ExportService):
    """Yields chunks; an exception among them is raised, None waits for ever."""

    def __init__(self, *script: object) -> None:
        self.script = script
        self.closed = asyncio.Event()

    async def stream(self, *_args, **_kwargs):
        try:
            for item in self.script:
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    await asyncio.Event().wait()
                yield item
        finally:
            self.closed.set()


async def whole(chunks):
    return b"".join([chunk async for chunk in chunks])


def test_every_way_to_the_gateway_gets_the_same_bytes(site, answer):
    asked = {"conversation_id": answer.conversation_id}
    in_process = site.do(whole(site.client.export("markdown", **asked)))
    local = site.do(whole(site.local.export("markdown", **asked)))
    over_tcp = site.tcp.get("/export", params={"format": "markdown", "conversation": answer.conversation_id})

    assert in_process == local == over_tcp.content
    assert b"# The rent" in in_process
    assert over_tcp.headers["content-type"] == "text/markdown; charset=utf-8"


def test_the_types_are_named(site, answer):
    assert site.tcp.get("/export").headers["content-type"] == "application/jsonl"
    found = site.tcp.get("/export", params={"format": "json"})
    assert found.headers["content-type"] == "application/json"
    assert json.loads(found.content)["conversations"]


@pytest.mark.parametrize(
    "params",
    [
        {"format": "pdf"},
        {"rated": "sideways"},
        {"since": "yesterday"},
        {"since": "-1"},
        {"since": "inf"},
        {"supported_only": "perhaps"},
        {"conversation": "x" * 101},
    ],
)
def test_what_cannot_be_exported_is_refused(site, params):
    refused = site.tcp.get("/export", params=params)

    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "invalid_request"


def test_a_conversation_that_is_gone_is_a_status_and_not_an_empty_file(site):
    with pytest.raises(ReportedError) as raised:
        site.do(whole(site.client.export(conversation_id="nothing")))
    assert (raised.value.status, raised.value.code) == (404, "not_found")


def test_an_export_that_breaks_off_is_seen_to_on_every_way(open_site):
    site = open_site(export=Scripted(b"one\n", StorageError("The disk is gone.")))

    for client in (site.client, site.local):
        with pytest.raises(ConnectionLostError):
            site.do(whole(client.export()))


def test_who_goes_away_ends_the_export(open_site):
    service = Scripted(b"one\n", None)
    site = open_site(export=service)

    async def leave():
        chunks = site.client.export()
        assert await anext(chunks) == b"one\n"
        await chunks.aclose()
        await asyncio.wait_for(service.closed.wait(), 5)

    site.do(leave())
