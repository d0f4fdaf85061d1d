"""Writes conversations out as a stream of bytes; no more than one conversation's piece is in memory."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Literal

import msgspec

from app.audit import Audit
from app.backend.export import reading, training
from app.backend.export.selection import Exchange, Selection, exchanges
from app.database.audits import Audits
from app.database.messages import Conversations
from app.records import Conversation

Format = Literal["jsonl", "markdown", "json"]
"""Training examples; pages to read; everything, with nothing lost."""

_VERSION = 1
_CHUNK = 64 * 1024


class ExportService:
    """Used on the gateway's loop."""

    def __init__(self, conversations: Conversations, audits: Audits) -> None:
        self._conversations = conversations
        self._audits = audits

    async def stream(
        self, user_id: str, form: Format, selection: Selection, *, passages: bool = True
    ) -> AsyncGenerator[bytes, None]:
        """What was selected, in chunks of about 64 KB; whole characters in each.

        Args:
            passages: training examples with the passages that were read, and with marks.

        Raises (before the first chunk):
            NotFoundError: there is no such conversation (any more).
            StorageError: the database cannot be read.
        """
        heads = await asyncio.to_thread(self._heads, user_id, selection)
        pieces = self._pieces(user_id, heads, form, selection, passages)
        while (chunk := await asyncio.to_thread(_taken, pieces)) is not None:
            yield chunk.encode()

    def _heads(self, user_id: str, selection: Selection) -> list[Conversation]:
        """Oldest first: what was exported once stays where it was."""
        if selection.conversation_id is not None:
            return [self._conversations.get(user_id, selection.conversation_id).conversation]
        return sorted(self._conversations.list(user_id), key=lambda head: (head.created_at, head.id))

    def _pieces(
        self, user_id: str, heads: list[Conversation], form: Format, selection: Selection, passages: bool
    ) -> Iterator[str]:
        if form == "json":
            yield from self._everything(user_id, heads, selection)
            return
        for head in heads:
            begun = False
            for exchange in exchanges(self._audits.of_conversation(user_id, head.id), selection):
                if form == "markdown":
                    yield (
                        reading.section(exchange)
                        if begun
                        else reading.heading(head) + reading.section(exchange)
                    )
                elif line := training.example(exchange, passages=passages):
                    yield line
                begun = True

    def _everything(self, user_id: str, heads: list[Conversation], selection: Selection) -> Iterator[str]:
        head = {"format": "carrel-export", "version": _VERSION, "exported_at": time.time()}
        yield _json(head)[:-1] + ',"conversations":['
        first = True
        for conversation in heads:
            messages = self._audits.of_conversation(user_id, conversation.id)
            chosen = messages if selection.whole else _both(exchanges(messages, selection))
            begun = False
            for audit in chosen:
                if not begun:
                    yield f'{"" if first else ","}\n{{"conversation":{_json(conversation)},"messages":['
                    first = False
                yield f"{',' if begun else ''}\n{_json(audit)}"
                begun = True
            if begun:
                yield "]}"
        yield "\n]}\n"


def _both(chosen: Iterator[Exchange]) -> Iterator[Audit]:
    """Each question once, before its answers."""
    last = None
    for exchange in chosen:
        if exchange.question is not last:
            yield exchange.question
        last = exchange.question
        yield exchange.answer


def _taken(pieces: Iterator[str]) -> str | None:
    """The next pieces as one chunk; None at the end."""
    chunk = ""
    for piece in pieces:
        chunk += piece
        if len(chunk) >= _CHUNK:
            break
    return chunk or None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
