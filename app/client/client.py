"""A typed client of Carrel's API: what the window and the command line can do, any tool can do.

Every method raises ReportedError for what the gateway refused (with its code and status) and
ConnectionLostError when the other side cannot be reached or goes away.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, BinaryIO, TypeVar
from urllib.parse import quote

import httpx2
import msgspec

from app.client.wire import (
    Additions,
    Address,
    Conversations,
    Documents,
    Models,
    Shown,
    Stopped,
    events,
    lost_when_broken,
    read,
    read_error,
)
from app.errors import ConnectionLostError
from app.events import ASK_EVENTS, FEED_EVENTS, AskEvent, Failed, FeedEvent, Finished
from app.records import (
    Addition,
    Audit,
    Conversation,
    ConversationDetail,
    Document,
    Health,
    Message,
    Model,
    Page,
    RatingReason,
    SearchResult,
    Session,
    Thumb,
)

Record = TypeVar("Record")

_JSON = {"content-type": "application/json"}

# A request may wait for a model to load or a large file to be copied; a stream is never silent
# for longer than the gateway's heartbeat of 15 s.
_ORDINARY = httpx2.Timeout(300.0, connect=5.0)
_STREAM = httpx2.Timeout(60.0, connect=5.0)


class Client:
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

    async def health(self) -> Health:
        """The state of the whole program."""
        return await self._get("/health", Health)

    # Documents

    async def documents(self) -> tuple[Document, ...]:
        """Every document, newest first."""
        return (await self._get("/documents", Documents)).documents

    async def document(self, document_id: str) -> Document:
        """One document."""
        return await self._get(f"/documents/{_part(document_id)}", Document)

    async def add_paths(self, paths: Sequence[str]) -> tuple[Addition, ...]:
        """Add files and folders (walked) of the gateway's machine; they are read later, in turn."""
        body = {"paths": [str(path) for path in paths]}
        return read(await self._send("POST", "/documents", body), Additions).additions

    async def upload(self, name: str, data: bytes | BinaryIO) -> Addition:
        """Add a file by its content."""
        answer = await self._request("POST", "/documents", files={"files": (name, data)})
        return read(answer, Additions).additions[0]

    async def delete_document(self, document_id: str) -> None:
        """Remove a document and everything made from it. The user's own file stays."""
        await self._request("DELETE", f"/documents/{_part(document_id)}")

    async def retry_document(self, document_id: str) -> Document:
        """Queue a failed document again."""
        return read(await self._request("POST", f"/documents/{_part(document_id)}/retry"), Document)

    async def page(
        self, document_id: str, number: int, start: int | None = None, end: int | None = None
    ) -> Page:
        """Page `number` (1-based) as text, with the boxes of its characters `start` to `end`."""
        span = {name: value for name, value in (("start", start), ("end", end)) if value is not None}
        return read(
            await self._request("GET", f"/documents/{_part(document_id)}/pages/{number}", params=span), Page
        )

    async def page_image(self, document_id: str, number: int, width: int) -> bytes:
        """Page `number` (1-based) as a PNG, `width` pixels wide."""
        answer = await self._request(
            "GET", f"/documents/{_part(document_id)}/pages/{number}/image", params={"width": width}
        )
        return answer.content

    # Search and questions

    async def search(
        self, query: str, k: int = 10, document_ids: Sequence[str] | None = None
    ) -> SearchResult:
        """The `k` best passages for `query`."""
        body = {"query": query, "k": k, "document_ids": _listed(document_ids)}
        return read(await self._send("POST", "/search", body), SearchResult)

    async def ask(
        self,
        question: str,
        conversation_id: str | None = None,
        document_ids: Sequence[str] | None = None,
    ) -> AsyncGenerator[AskEvent, None]:
        """Ask, and yield the answer's events; the last one is Finished or Failed.

        Closing the iterator stops the answer.

        Raises:
            ReportedError: the question was refused before anything was stored.
            ConnectionLostError: the stream broke off before its end.
        """
        body = {
            "question": question,
            "conversation_id": conversation_id,
            "document_ids": _listed(document_ids),
        }
        async with aclosing(self._stream("POST", "/ask", ASK_EVENTS, body=body)) as found:
            async for event in found:
                yield event
                if isinstance(event, (Finished, Failed)):
                    return
        raise ConnectionLostError("The connection was lost before the answer's end.")

    async def stop(self, answer_id: str) -> bool:
        """Stop the answer that is being written; False if there is none of that id."""
        return read(await self._request("POST", f"/ask/{_part(answer_id)}/stop"), Stopped).stopped

    # Conversations

    async def conversations(self) -> tuple[Conversation, ...]:
        """Every conversation, the last used first."""
        return (await self._get("/conversations", Conversations)).conversations

    async def conversation(self, conversation_id: str) -> ConversationDetail:
        """One conversation with its messages."""
        return await self._get(f"/conversations/{_part(conversation_id)}", ConversationDetail)

    async def rename_conversation(self, conversation_id: str, title: str) -> Conversation:
        """Give a conversation another title."""
        answer = await self._send("PATCH", f"/conversations/{_part(conversation_id)}", {"title": title})
        return read(answer, Conversation)

    async def delete_conversation(self, conversation_id: str) -> None:
        """Remove a conversation and its messages."""
        await self._request("DELETE", f"/conversations/{_part(conversation_id)}")

    # Messages

    async def message(self, message_id: str) -> Audit:
        """A message and all that stood behind it."""
        return await self._get(f"/messages/{_part(message_id)}", Audit)

    async def rate(
        self, message_id: str, thumb: Thumb, reasons: Sequence[RatingReason] = (), comment: str = ""
    ) -> Message:
        """Rate an answer, in place of its earlier rating."""
        body = {"thumb": thumb, "reasons": list(reasons), "comment": comment}
        return read(await self._send("PUT", f"/messages/{_part(message_id)}/rating", body), Message)

    async def unrate(self, message_id: str) -> Message:
        """Take the rating of an answer back."""
        return read(await self._request("DELETE", f"/messages/{_part(message_id)}/rating"), Message)

    # The program

    async def feed(
        self, window: bool = False, on_open: Callable[[], None] | None = None
    ) -> AsyncGenerator[FeedEvent, None]:
        """Yield every change from now on.

        Args:
            window: this is a window that can be shown.
            on_open: called when the subscription stands. A list fetched after that, and the
                changes, together miss nothing.

        Raises:
            ConnectionLostError: the other side went away; begin again when it is back.
        """
        address = "/events?window=1" if window else "/events"
        async with aclosing(self._stream("GET", address, FEED_EVENTS, on_open=on_open)) as found:
            async for event in found:
                yield event
        raise ConnectionLostError("The connection to Carrel is lost.")

    async def show_window(self) -> bool:
        """Ask the running window to come to the front; False when there is none."""
        return read(await self._request("POST", "/window"), Shown).shown

    async def new_session(self) -> Session:
        """A new session, for another tool of this user."""
        return read(await self._request("POST", "/sessions"), Session)

    async def models(self) -> tuple[Model, ...]:
        """The chat and the embedding model."""
        return (await self._get("/models", Models)).models

    async def choose_chat_model(self, path: str) -> Model:
        """Answer with the GGUF file at `path` from now on; the old one stays when it fails."""
        return read(await self._send("PUT", "/models/chat", {"path": str(path)}), Model)

    async def listen(self, on: bool, port: int) -> str | None:
        """Switch the listener on 127.0.0.1 on or off; its address, or None when it is off."""
        return read(await self._send("PUT", "/listener", {"on": on, "port": port}), Address).address

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
        content: dict[str, Any] = {"timeout": _STREAM}
        if body is not None:
            content |= {"content": msgspec.json.encode(body), "headers": _JSON}
        used = self._token
        self._check_open()
        with lost_when_broken():
            async with self._http.stream(method, path, **_with_token(content, used)) as answer:
                if answer.status_code != httpx2.codes.UNAUTHORIZED or self._given:
                    async with aclosing(events(answer, kinds, on_open)) as found:
                        async for event in found:
                            yield event
                    return
            await self._renew(used)
            async with (
                self._http.stream(method, path, **_with_token(content, self._token)) as answer,
                aclosing(events(answer, kinds, on_open)) as found,
            ):
                async for event in found:
                    yield event

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


def _listed(ids: Sequence[str] | None) -> list[str] | None:
    return None if ids is None else list(ids)


def _part(text: str) -> str:
    """`text` as one part of a path, whatever is in it."""
    quoted = quote(text, safe="")
    # Dots alone would be resolved as steps in the path.
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")
