"""The benchmarks' own HTTP client, against a server that sends what servers send."""

import asyncio
import json

import pytest
import wire

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def answered(*writes: bytes) -> tuple[dict, float, list[wire.Event]]:
    """Ask a server that answers with `writes`, 20 ms apart: the request's body, its moment, the events."""

    async def run():
        requests = []

        async def serve(reader, writer):
            head = await reader.readuntil(b"\r\n\r\n")
            (length,) = [line[16:] for line in head.split(b"\r\n") if line.startswith(b"Content-Length: ")]
            requests.append(json.loads(await reader.readexactly(int(length))))
            for data in writes:
                writer.write(data)
                await writer.drain()
                await asyncio.sleep(0.02)
            writer.close()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            asked, events = await wire.stream(port, "/x", {"n": 1}, {"Authorization": "Bearer y"})
        return requests[0], asked, events

    return asyncio.run(run())


def test_events_carry_the_moments_at_which_they_came():
    request, asked, events = answered(HEAD, chunk(b'data: {"n": 1}\n\n'), chunk(b'data: {"n": 2}\n\n') + END)

    assert request == {"n": 1}
    assert [event.data["n"] for event in events] == [1, 2]
    first, second = (event.at for event in events)
    assert asked < first
    assert second - first >= 0.015


def test_an_event_is_there_when_its_last_byte_is():
    whole = chunk(b'data: {"n": 1}\n\n')

    _, asked, (event,) = answered(HEAD + whole[:9], whole[9:] + END)

    assert event.data == {"n": 1}
    assert event.at - asked >= 0.015


def test_chunks_need_not_begin_where_events_do():
    body = b'data: {"n": 1}\n\n:\n\ndata: {"n": 2}\n\ndata: [DONE]\n\n'

    _, _, events = answered(HEAD + b"".join(chunk(body[at : at + 5]) for at in range(0, len(body), 5)) + END)

    assert [event.data for event in events] == [{"n": 1}, {"n": 2}]


def test_a_refusal_is_an_error_with_the_servers_words():
    refusal = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\n\r\nloading"

    with pytest.raises(wire.WireError, match="loading"):
        answered(refusal)
    with pytest.raises(wire.WireError, match="closed"):
        answered(b"")
