"""A client of streaming HTTP APIs that costs the server next to nothing.

It shares two cores with the server it measures. So while bytes come they are only stamped; they
are read once the answer is over.
"""

import asyncio
import json
import time
from bisect import bisect_left
from dataclasses import dataclass

LONGEST_S = 300.0  # an answer
_HEAD_END, _LINE_END = b"\r\n\r\n", b"\r\n"


class WireError(Exception):
    """The server did not answer as it should."""


@dataclass(frozen=True, slots=True)
class Event:
    """The JSON of one server-sent event, and when its last byte came."""

    at: float
    data: dict


async def stream(port: int, path: str, body: dict, headers: dict[str, str]) -> tuple[float, list[Event]]:
    """POST to a server on loopback; return the moment of the request, and the answer's events.

    Raises:
        WireError: another status than 200, or nothing at all.
        TimeoutError: no end within LONGEST_S.
    """
    content = json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
    head += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    loop = asyncio.get_running_loop()
    asked = time.perf_counter()
    transport, recording = await loop.create_connection(lambda: _Recording(loop), "127.0.0.1", port)
    try:
        transport.write("\r\n".join(head).encode() + _HEAD_END + content)
        await asyncio.wait_for(recording.over, LONGEST_S)
    finally:
        transport.close()
    return asked, recording.events()


class _Recording(asyncio.Protocol):
    """What came, and when."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.over: asyncio.Future[None] = loop.create_future()
        self._reads: list[bytes] = []
        self._moments: list[float] = []

    def data_received(self, data: bytes) -> None:
        self._moments.append(time.perf_counter())
        self._reads.append(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.over.done():
            self.over.set_result(None)

    def events(self) -> list[Event]:
        whole = b"".join(self._reads)
        ends = []  # how many bytes there were after each read
        for read in self._reads:
            ends.append(len(read) + (ends[-1] if ends else 0))
        head, found, _ = whole.partition(_HEAD_END)
        if not found or b" 200 " not in head.split(_LINE_END)[0] + b" ":
            raise WireError(whole[:1000].decode("utf-8", "replace") or "The server closed the connection.")
        events = []
        for end, block in _blocks(whole, len(head) + len(_HEAD_END)):
            if block.startswith(b"data: ") and block != b"data: [DONE]":
                moment = self._moments[bisect_left(ends, end)]
                events.append(Event(moment, json.loads(block.removeprefix(b"data: "))))
        return events


def _blocks(whole: bytes, at: int) -> list[tuple[int, bytes]]:
    """The blocks of a chunked body, each with the place in `whole` where its last byte ends."""
    blocks, begun = [], b""
    while True:
        line_end = whole.find(_LINE_END, at)
        size = int(whole[at:line_end].split(b";")[0], 16) if line_end > 0 else 0
        if not size:
            return blocks
        start = line_end + len(_LINE_END)
        *complete, rest = (begun + whole[start : start + size]).split(b"\n\n")
        blocks += [(start + size, block) for block in complete]
        begun, at = rest, start + size + len(_LINE_END)
