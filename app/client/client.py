"""A typed client of Carrel's API: what the window and the command line can do, any tool can do.

Every method raises ReportedError for what the gateway refused (with its code and status) and
ConnectionLostError when the other side cannot be reached or goes away.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import BinaryIO
from urllib.parse import quote

import msgspec

from app.audit import Audit
from app.client.connection import Connection
from app.client.wire import (
    Additions,
    Address,
    Collections,
    Conversations,
    Documents,
    Models,
    Shown,
    Stopped,
    WatchedFolders,
    read,
)
from app.errors import ConnectionLostError
from app.events import (
    ASK_EVENTS,
    EVALUATION_EVENTS,
    FEED_EVENTS,
    AskEvent,
    Evaluated,
    EvaluationEvent,
    Failed,
    FeedEvent,
    Finished,
)
from app.filters import EVERYTHING, Filter
from app.records import (
    Addition,
    Collection,
    Conversation,
    ConversationDetail,
    Document,
    Health,
    Manner,
    Message,
    Model,
    Page,
    RatingReason,
    SearchResult,
    Session,
    Thumb,
    WatchedFolder,
)


class Client(Connection):
    """Everything that can be asked of a Carrel. Used from one asyncio loop."""

    async def health(self) -> Health:
        """The state of the whole program."""
        return await self._get("/health", Health)

    # Documents

    async def documents(self, limited: Filter = EVERYTHING) -> tuple[Document, ...]:
        """Every document within the filter, newest first."""
        answer = await self._request("GET", "/documents", params=_limits(limited))
        return read(answer, Documents).documents

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

    # Folders that are followed

    async def watched(self) -> tuple[WatchedFolder, ...]:
        """The folders that are followed, by path."""
        return (await self._get("/watched", WatchedFolders)).folders

    async def watch(
        self, path: str, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> WatchedFolder:
        """Follow a folder of the gateway's machine; it is looked through in the background.

        Args:
            include, exclude: patterns as in .gitignore; see the API's description.
        """
        body = {"path": str(path), "include": list(include), "exclude": list(exclude)}
        return read(await self._send("POST", "/watched", body), WatchedFolder)

    async def unwatch(self, folder_id: str, documents: bool = False) -> None:
        """Follow a folder no more; with `documents`, those that came from it go, too."""
        query = {"documents": "true"} if documents else {}
        await self._request("DELETE", f"/watched/{_part(folder_id)}", params=query)

    # Collections

    async def collections(self) -> tuple[Collection, ...]:
        """The collections by name, then the followed folders, which are collections, too."""
        return (await self._get("/collections", Collections)).collections

    async def create_collection(self, name: str, document_ids: Sequence[str] = ()) -> Collection:
        """Make a collection with these documents in it."""
        body = {"name": name, "document_ids": list(document_ids)}
        return read(await self._send("POST", "/collections", body), Collection)

    async def change_collection(
        self,
        collection_id: str,
        *,
        name: str | None = None,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> Collection:
        """Rename a collection, put documents into it and take others out, by id, all at once."""
        body = {"name": name, "add": list(add), "remove": list(remove)}
        return read(await self._send("PATCH", f"/collections/{_part(collection_id)}", body), Collection)

    async def delete_collection(self, collection_id: str) -> None:
        """Remove a collection. Its documents stay."""
        await self._request("DELETE", f"/collections/{_part(collection_id)}")

    # Search and questions

    async def search(self, query: str, k: int = 10, limited: Filter = EVERYTHING) -> SearchResult:
        """The `k` best passages for `query`."""
        body = {"query": query, "k": k, **_limits(limited)}
        return read(await self._send("POST", "/search", body), SearchResult)

    async def ask(
        self,
        question: str,
        conversation_id: str | None = None,
        limited: Filter = EVERYTHING,
        manner: Manner | None = None,
    ) -> AsyncGenerator[AskEvent, None]:
        """Ask, and yield the answer's events; the last one is Finished or Failed.

        Closing the iterator stops the answer. `manner` None: as the settings have it.

        Raises:
            ReportedError: the question was refused before anything was stored.
            ConnectionLostError: the stream broke off before its end.
        """
        body = {
            "question": question,
            "conversation_id": conversation_id,
            **_limits(limited),
            **(msgspec.to_builtins(manner) if manner is not None else {}),
        }
        async with aclosing(self._answer("/ask", body)) as events:
            async for event in events:
                yield event

    async def _answer(self, path: str, body: object) -> AsyncGenerator[AskEvent, None]:
        async with aclosing(self._stream("POST", path, ASK_EVENTS, body=body)) as found:
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

    async def export(
        self,
        form: str = "jsonl",
        *,
        rated: str | None = None,
        supported_only: bool = False,
        since: float | None = None,
        conversation_id: str | None = None,
        passages: bool = True,
    ) -> AsyncGenerator[bytes, None]:
        """Questions and answers as "jsonl" (training examples), "markdown" or "json", in chunks.

        Args:
            rated: only answers rated "up", "down" or "any".
            supported_only: only whole answers of which every sentence is supported.
            since: only answers since then, in seconds since the epoch.
            passages: training examples with the passages that were read.

        Raises:
            ConnectionLostError: it broke off before its end; what came is not whole.
        """
        given = {
            "format": form,
            "rated": rated,
            "supported_only": supported_only or None,
            "since": since,
            "conversation": conversation_id,
            "passages": None if passages else False,
        }
        params = {name: str(value) for name, value in given.items() if value is not None}
        async with aclosing(self._download("/export", params)) as chunks:
            async for chunk in chunks:
                yield chunk

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

    async def replay(self, message_id: str, model: str | None = None) -> AsyncGenerator[AskEvent, None]:
        """Run the prompt of an answer again, on the GGUF file `model` or on the model at work.

        Delta and Checked, at last Finished (with a message that is not stored) or Failed. Closing the
        iterator stops it. Raises as `ask` does.
        """
        path = f"/messages/{_part(message_id)}/replay"
        async with aclosing(self._answer(path, {"model": model})) as events:
            async for event in events:
                yield event

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

    async def evaluate(
        self,
        *,
        quick: bool = False,
        document_ids: Sequence[str] | None = None,
        public_set: tuple[str, str] | None = None,
    ) -> AsyncGenerator[EvaluationEvent, None]:
        """Measure all documents, some, or a public set (its form and its folder on the gateway's machine).

        Progress comes first, and at last Evaluated or Failed. Closing the iterator stops it.
        """
        chosen = None if public_set is None else dict(zip(("name", "folder"), public_set, strict=True))
        body = {"quick": quick, "document_ids": _listed(document_ids), "public_set": chosen}
        async with aclosing(self._stream("POST", "/evaluate", EVALUATION_EVENTS, body=body)) as found:
            async for event in found:
                yield event
                if isinstance(event, (Evaluated, Failed)):
                    return
        raise ConnectionLostError("The connection was lost before the evaluation's end.")

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


def _limits(limited: Filter) -> dict[str, object]:
    """A filter as the fields of a request; what does not limit is left out."""
    given: dict[str, object] = {
        "document_ids": limited.documents,
        "collections": limited.collections,
        "types": limited.types,
        "since": limited.since,
        "until": limited.until,
    }
    return {name: value for name, value in given.items() if value not in (None, ())}


def _listed(ids: Sequence[str] | None) -> list[str] | None:
    return None if ids is None else list(ids)


def _part(text: str) -> str:
    """`text` as one part of a path, whatever is in it."""
    quoted = quote(text, safe="")
    # Dots alone would be resolved as steps in the path.
    return quoted if quoted.strip(".") else quoted.replace(".", "%2E")
