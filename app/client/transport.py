"""How requests reach a Carrel: inside this process, over its local socket, or over HTTP.

In process the ASGI application is called on the running loop, with no socket in between, and
streams: httpx2's own ASGI transport gathers the whole body first, so it cannot carry events.
"""

import asyncio
import json
import os
import ssl
import stat
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

import httpx2

from app.errors import ConnectionLostError

Message = MutableMapping[str, Any]
Application = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

# Shown to the gateway instead of an owner-only socket where there are none (Windows).
LOCAL_HEADER = "x-carrel-local"

_CHUNKS_AHEAD = 32
_SECONDS_TO_END = 2.0


class InProcessTransport(httpx2.AsyncBaseTransport):
    """Calls an ASGI application on the running loop; the response streams.

    The application may run `chunks_ahead` body chunks ahead of the reader, then its `send` waits.
    Closing a response tells the application that the client is gone and waits until it has
    ended; one that has not within 2 s is cancelled. Used from one loop only.
    """

    def __init__(self, application: Application, *, chunks_ahead: int = _CHUNKS_AHEAD) -> None:
        self._application = application
        self._chunks_ahead = chunks_ahead
        self._exchanges: set[_Exchange] = set()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = _Exchange(self._application, request, self._chunks_ahead, self._exchanges.discard)
        self._exchanges.add(exchange)
        try:
            status, headers = await exchange.started()
        except BaseException:
            await exchange.aclose()
            raise
        return httpx2.Response(status, headers=headers, stream=exchange)

    async def aclose(self) -> None:
        """End every exchange that is still open."""
        await asyncio.gather(*(exchange.aclose() for exchange in list(self._exchanges)))


class _Exchange(httpx2.AsyncByteStream):
    """One request and its response: the application's task, and the chunks on their way."""

    def __init__(
        self,
        application: Application,
        request: httpx2.Request,
        chunks_ahead: int,
        on_closed: Callable[["_Exchange"], None],
    ) -> None:
        self._request = request
        self._chunks_ahead = chunks_ahead
        self._on_closed = on_closed
        self._request_chunks = _chunks_of(request)
        self._request_read = False
        self._start: asyncio.Future[tuple[int, list[tuple[bytes, bytes]]]] = (
            asyncio.get_running_loop().create_future()
        )
        self._chunks: deque[bytes] = deque()
        self._changed = asyncio.Event()  # a chunk came, or the response ended
        self._room = asyncio.Event()  # for another chunk; or nobody reads any more
        self._room.set()
        self._complete = False
        self._closed = False
        self._over = asyncio.Event()  # complete or closed: what http.disconnect stands for
        self._task = asyncio.create_task(self._run(application), name=f"in-process {request.method}")
        self._task.add_done_callback(self._ended)

    async def started(self) -> tuple[int, list[tuple[bytes, bytes]]]:
        return await self._start

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._chunks:
                chunk = self._chunks.popleft()
                self._room.set()
                yield chunk
            if self._complete or self._closed:
                return
            if self._task.done():
                raise httpx2.RemoteProtocolError("The application ended its response early.")
            self._changed.clear()
            await self._changed.wait()

    async def aclose(self) -> None:
        self._closed = True
        self._over.set()
        self._room.set()
        self._changed.set()
        self._chunks.clear()
        try:
            await asyncio.wait({self._task}, timeout=_SECONDS_TO_END)
        finally:
            if not self._task.done():
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=_SECONDS_TO_END)
            self._on_closed(self)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if not self._start.done():
            lost = httpx2.ConnectError("The application gave no response.", request=self._request)
            lost.__cause__ = error
            self._start.set_exception(lost)
            self._start.exception()  # marked as seen: the one who waited may be gone
        self._changed.set()

    async def _run(self, application: Application) -> None:
        url = self._request.url
        scope: MutableMapping[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self._request.method,
            "scheme": url.scheme,
            "path": url.path,
            "raw_path": url.raw_path.partition(b"?")[0],
            "query_string": url.query,
            "root_path": "",
            "headers": [(name.lower(), value) for name, value in self._request.headers.raw],
            "server": (url.host, url.port),
            "client": None,
        }
        await application(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        if self._request_read:
            await self._over.wait()
        if self._over.is_set():
            return {"type": "http.disconnect"}
        chunk = await anext(self._request_chunks, b"")
        self._request_read = not chunk
        return {"type": "http.request", "body": chunk, "more_body": bool(chunk)}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self._start.done():
                self._start.set_result((message["status"], list(message.get("headers", []))))
            return
        await self._room.wait()
        if self._closed:
            return
        body: bytes = message.get("body", b"")
        if body and self._request.method != "HEAD":
            self._chunks.append(body)
            if len(self._chunks) >= self._chunks_ahead:
                self._room.clear()
        if not message.get("more_body", False):
            self._complete = True
            self._over.set()
        self._changed.set()


def _chunks_of(request: httpx2.Request) -> AsyncIterator[bytes]:
    if not isinstance(request.stream, httpx2.AsyncByteStream):
        raise TypeError("the body of this request cannot be read asynchronously")
    return aiter(request.stream)


def local_socket_transport(path: Path) -> httpx2.AsyncBaseTransport:
    """A transport to the Carrel that listens at `path` (see `Server.listen_local`).

    Raises:
        ConnectionLostError: there is nothing to connect to at `path`, or it is not ours. The
            socket may lie in a shared temporary folder, where anybody could have put another.
    """
    try:
        found = path.lstat()
    except OSError as error:
        raise ConnectionLostError("No Carrel is running in this profile.") from error
    if hasattr(os, "getuid") and found.st_uid != os.getuid():
        raise ConnectionLostError("The profile's socket belongs to another user.")
    if stat.S_ISSOCK(found.st_mode):
        return httpx2.AsyncHTTPTransport(verify=_no_tls(), uds=str(path), trust_env=False)
    return _SecretTransport(*_read_token_file(path))


def network_transport() -> httpx2.AsyncBaseTransport:
    """A transport to a Carrel over HTTP(S). Proxies of the environment are not used."""
    return httpx2.AsyncHTTPTransport(trust_env=False)


class _SecretTransport(httpx2.AsyncBaseTransport):
    """HTTP to a loopback port, with the secret that only the owner can read from the token file."""

    def __init__(self, port: int, secret: str) -> None:
        self._port = port
        self._secret = secret
        self._inner = httpx2.AsyncHTTPTransport(verify=_no_tls(), trust_env=False)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.url = request.url.copy_with(scheme="http", host="127.0.0.1", port=self._port)
        request.headers["host"] = f"127.0.0.1:{self._port}"
        request.headers[LOCAL_HEADER] = self._secret
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _no_tls() -> ssl.SSLContext:
    """Trusts nobody: these ways are plain HTTP, and reading the usual certificates takes 0.1 s."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _read_token_file(path: Path) -> tuple[int, str]:
    try:
        found = json.loads(path.read_text("utf-8"))
        return int(found["port"]), str(found["secret"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConnectionLostError("The profile's token file could not be read.") from error
