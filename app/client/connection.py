"""How the client talks: sessions that renew themselves, requests, streams of events and of bytes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import httpx2
import msgspec

from app.client.wire import events, lost_when_broken, read, read_error
from app.errors import ConnectionLostError
from app.records import Session

Record = TypeVar("Record")

_JSON = {"content-type": "application/json"}

# A request may wait for a model to load or a large file to be copied; a stream is never silent
# for longer than the gateway's heartbeat of 15 s.
_ORDINARY = httpx2.Timeout(300.0, connect=5.0)
_STREAM = httpx2.Timeout(60.0, connect=5.0)


class Connection:
    """One user's way to one Carrel. Used from one asyncio loop.

    `open()` asks for a session where no token was given (a token is needed over HTTP; in process
    and over the local socket the owner is known). A session that ended is renewed once by itself.
    """

    def __init__(
        self,
        transport: httpx2.AsyncBaseTransport,
        *,
        base_url: str = "http://carrel",
        token: str | None = None,
    ) -> None:
        self._given = token is not None
        self._token = token
        self._renewing = asyncio.Lock()
        self._http = httpx2.AsyncClient(
            transport=transport,
            base_url=base_url,
            timeout=_ORDINARY,
            trust_env=False,
            headers={"user-agent": "carrel", "accept-encoding": "identity"},
        )

    @property
    def token(self) -> str | None:
        """The bearer token in use."""
        return self._token

    async def open(self) -> None:
        """Begin a session, unless a token was given.

        Raises:
            ConnectionLostError: the other side cannot be reached.
            ReportedError: it gives no session without a token (forbidden).
        """
        if self._token is None:
            await self._renew(None)

    async def close(self) -> None:
        """End every stream and connection. The session stays valid (24 h)."""
        await self._http.aclose()

    async def _get(self, path: str, kind: type[Record]) -> Record:
        return read(await self._request("GET", path), kind)

    async def _send(self, method: str, path: str, body: object) -> httpx2.Response:
        return await self._request(method, path, content=msgspec.json.encode(body), headers=_JSON)

    async def _request(self, method: str, path: str, **content: Any) -> httpx2.Response:
        """Do one request; with a renewed session once more, where the first had ended."""
        used = self._token
        answer = await self._once(method, path, used, content)
        if answer.status_code == httpx2.codes.UNAUTHORIZED and await self._renew(used):
            answer = await self._once(method, path, self._token, content)
        if not answer.is_success:
            raise read_error(answer)
        return answer

    async def _once(
        self, method: str, path: str, token: str | None, content: dict[str, Any]
    ) -> httpx2.Response:
        self._check_open()
        with lost_when_broken():
            return await self._http.request(method, path, **_with_token(content, token))

    async def _stream(
        self,
        method: str,
        path: str,
        kinds: Mapping[str, type[Record]],
        *,
        body: object = None,
        on_open: Callable[[], None] | None = None,
    ) -> AsyncGenerator[Record, None]:
        content: dict[str, Any] = {}
        if body is not None:
            content = {"content": msgspec.json.encode(body), "headers": _JSON}
        async with (
            self._begun(method, path, content) as answer,
            aclosing(events(answer, kinds, on_open)) as found,
        ):
            async for event in found:
                yield event

    async def _download(self, path: str, params: dict[str, str]) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes.

        Raises:
            ReportedError: it was refused before its beginning.
            ConnectionLostError: it broke off before its end.
        """
        async with self._begun("GET", path, {"params": params}) as answer:
            if not answer.is_success:
                await answer.aread()
                raise read_error(answer)
            async for chunk in answer.aiter_bytes():
                yield chunk

    @asynccontextmanager
    async def _begun(
        self, method: str, path: str, content: dict[str, Any]
    ) -> AsyncGenerator[httpx2.Response, None]:
        """An answer that streams; with a renewed session, where the first had ended."""
        content = {"timeout": _STREAM, **content}
        used = self._token
        self._check_open()
        with lost_when_broken():
            async with self._http.stream(method, path, **_with_token(content, used)) as answer:
                if answer.status_code != httpx2.codes.UNAUTHORIZED or self._given:
                    yield answer
                    return
            await self._renew(used)
            async with self._http.stream(method, path, **_with_token(content, self._token)) as answer:
                yield answer

    def _check_open(self) -> None:
        if self._http.is_closed:
            raise ConnectionLostError("This client is closed.")

    async def _renew(self, used: str | None) -> bool:
        """Begin another session in place of `used`; False where the token was given to us."""
        if self._given:
            return False
        async with self._renewing:
            if self._token == used:
                answer = await self._once("POST", "/sessions", None, {})
                if not answer.is_success:
                    raise read_error(answer)
                self._token = read(answer, Session).token
        return True


def _with_token(content: dict[str, Any], token: str | None) -> dict[str, Any]:
    if token is None:
        return content
    return content | {"headers": {**content.get("headers", {}), "authorization": f"Bearer {token}"}}
