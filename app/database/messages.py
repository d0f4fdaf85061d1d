"""Conversations and their messages: who said what, and the whole cycle behind each answer.

An answer is stored as `running` before its first word, grows while it streams, and ends in exactly
one of `complete`, `stopped` and `failed`; one that the program died over becomes `interrupted` at
the next start. The sources are kept as they were cited, so they outlive their documents.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar, Unpack

import msgspec
import sqlite_utils

from app.database.basis import Basis, columns, link, link_documents
from app.database.connection import Database
from app.database.text import as_json, storable
from app.errors import NotFoundError
from app.filters import EVERYTHING, Filter
from app.records import (
    Citation,
    Conversation,
    ConversationDetail,
    Message,
    MessageState,
    Problem,
    Rating,
    RatingReason,
    Role,
    Source,
    Timings,
    Usage,
)

T = TypeVar("T")

# Every message with its rating, as `message_of` reads it.
MESSAGES = (
    "SELECT messages.*, thumb, reasons, comment, rated_at"
    " FROM messages LEFT JOIN ratings ON ratings.message = messages.serial"
)


class Conversations:
    """The conversations table. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, user_id: str, title: str) -> Conversation:
        """Begin a conversation."""

        def work(db: sqlite_utils.Database) -> Conversation:
            now = time.time()
            conversation = Conversation(secrets.token_hex(16), storable(title), now, now)
            db["conversations"].insert(
                {
                    "id": conversation.id,
                    "user_id": user_id,
                    "title": conversation.title,
                    "created_at": now,
                    "updated_at": now,
                }
            )
            return conversation

        return self._database.write(work)

    def list(self, user_id: str) -> tuple[Conversation, ...]:
        """Every conversation of this user, the one used last first."""
        query = "SELECT * FROM conversations WHERE user_id = ? ORDER BY updated_at DESC, serial DESC"
        return self._database.read(lambda db: tuple(_conversation(row) for row in db.query(query, [user_id])))

    def get(self, user_id: str, conversation_id: str) -> ConversationDetail:
        """A conversation with its messages, oldest first.

        Raises:
            NotFoundError: this user has no such conversation (any more).
        """

        def work(db: sqlite_utils.Database) -> ConversationDetail:
            head = _owned(db, user_id, conversation_id)
            query = f"{MESSAGES} WHERE conversation_id = ? ORDER BY serial"
            return ConversationDetail(
                _conversation(head), tuple(message_of(row) for row in db.query(query, [conversation_id]))
            )

        return self._database.read(work)

    def rename(self, user_id: str, conversation_id: str, title: str) -> Conversation:
        """Give a conversation another title; raises NotFoundError."""

        def work(db: sqlite_utils.Database) -> Conversation:
            _owned(db, user_id, conversation_id)
            db.execute("UPDATE conversations SET title = ? WHERE id = ?", [storable(title), conversation_id])
            return _conversation(_owned(db, user_id, conversation_id))

        return self._database.write(work)

    def delete(self, user_id: str, conversation_id: str) -> None:
        """Remove a conversation with its messages; raises NotFoundError."""

        def work(db: sqlite_utils.Database) -> None:
            _owned(db, user_id, conversation_id)
            db.execute("DELETE FROM conversations WHERE id = ?", [conversation_id])

        self._database.write(work)


class Messages:
    """The messages table. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add_question(
        self,
        user_id: str,
        conversation_id: str,
        text: str,
        *,
        parent_id: str | None = None,
        trace_id: str | None = None,
        limited: Filter = EVERYTHING,
    ) -> Message:
        """Store what the user asked.

        Args:
            parent_id: the answer that it follows on, if any.
            limited: what the question was limited to.

        Raises:
            NotFoundError: this user has no such conversation (any more).
        """

        def work(db: sqlite_utils.Database) -> Message:
            values = {
                "parent_id": parent_id,
                "role": "user",
                "state": "complete",
                "text": storable(text),
                "trace_id": trace_id,
                "limits": as_json(limited) if limited else None,
            }
            serial = _insert(db, user_id, conversation_id, values)
            link_documents(db, serial, limited.documents)
            return _by_serial(db, serial)

        return self._database.write(work)

    def start_answer(
        self,
        user_id: str,
        conversation_id: str,
        *,
        parent_id: str,
        trace_id: str | None = None,
        **basis: Unpack[Basis],
    ) -> Message:
        """Store an answer as `running`, with its sources and the links to what they come from.

        Raises:
            NotFoundError: this user has no such conversation (any more).
        """

        def work(db: sqlite_utils.Database) -> Message:
            values = {
                "parent_id": parent_id,
                "role": "assistant",
                "state": "running",
                "text": "",
                **columns(basis),
                "trace_id": trace_id,
            }
            serial = _insert(db, user_id, conversation_id, values)
            link(db, serial, basis)
            return _by_serial(db, serial)

        return self._database.write(work)

    def rest(self, message_id: str, **basis: Unpack[Basis]) -> None:
        """Note what a running answer rests on, where that was not known when it was started.

        Raises:
            NotFoundError: its conversation was deleted meanwhile.
        """

        def work(db: sqlite_utils.Database) -> None:
            serial = _by_id(db, message_id)["serial"]
            db["messages"].update(serial, columns(basis))
            link(db, serial, basis)

        self._database.write(work)

    def append_text(self, message_id: str, text: str) -> None:
        """Append to a running answer, so that a kill keeps what was written so far.

        Raises:
            NotFoundError: its conversation was deleted meanwhile, or the answer has ended.
        """

        def work(db: sqlite_utils.Database) -> None:
            changed = db.execute(
                "UPDATE messages SET text = text || ? WHERE id = ? AND state = 'running'",
                [storable(text), message_id],
            ).rowcount
            if not changed:
                raise NotFoundError("This answer is not being written (any more).")

        self._database.write(work, durable=False)

    def finish(
        self,
        message_id: str,
        *,
        state: MessageState,
        text: str | None = None,
        citations: Sequence[Citation] = (),
        usage: Usage | None = None,
        timings: Timings | None = None,
        model: str | None = None,
        model_sha256: str | None = None,
        error: Problem | None = None,
        raw_response: str | None = None,
        rendered_prompt: str | None = None,
    ) -> Message:
        """End an answer: the whole cycle in one row. What is None stays as it was.

        Raises:
            NotFoundError: its conversation was deleted meanwhile.
        """
        given: dict[str, object] = {
            "state": state,
            "text": storable(text),
            "citations": as_json(list(citations)),
            "usage": None if usage is None else as_json(usage),
            "timings": None if timings is None else as_json(timings),
            "model": storable(model),
            "model_sha256": model_sha256,
            "error": (None if error is None else as_json(Problem(error.code, storable(error.message)))),
            "raw_response": storable(raw_response),
            "rendered_prompt": storable(rendered_prompt),
            "finished_at": time.time(),
        }
        changes = {name: value for name, value in given.items() if value is not None}

        def work(db: sqlite_utils.Database) -> Message:
            row = _by_id(db, message_id)
            db["messages"].update(row["serial"], changes)
            _touch(db, row["conversation_id"])
            return _by_serial(db, row["serial"])

        return self._database.write(work)

    def get(self, user_id: str, message_id: str) -> Message:
        """One message of this user; raises NotFoundError."""

        def work(db: sqlite_utils.Database) -> Message:
            row = _by_id(db, message_id)
            if row["user_id"] != user_id:
                raise NotFoundError("There is no such message (any more).")
            return message_of(row)

        return self._database.read(work)

    def interrupt_running(self) -> int:
        """At start: mark the answers that the program died over; return how many."""
        return int(
            self._database.write(
                lambda db: (
                    db.execute(
                        "UPDATE messages SET state = 'interrupted', finished_at = ? WHERE state = 'running'",
                        [time.time()],
                    ).rowcount
                )
            )
        )


def _insert(
    db: sqlite_utils.Database, user_id: str, conversation_id: str, values: Mapping[str, object]
) -> int:
    _owned(db, user_id, conversation_id)
    row = {
        "id": secrets.token_hex(16),
        "user_id": user_id,
        "conversation_id": conversation_id,
        "created_at": time.time(),
        **values,
    }
    serial = int(db["messages"].insert(row).last_pk)
    _touch(db, conversation_id)
    return serial


def _touch(db: sqlite_utils.Database, conversation_id: str) -> None:
    db.execute("UPDATE conversations SET updated_at = ? WHERE id = ?", [time.time(), conversation_id])


def _owned(db: sqlite_utils.Database, user_id: str, conversation_id: str) -> dict[str, Any]:
    query = "SELECT * FROM conversations WHERE id = ? AND user_id = ?"
    row: dict[str, Any] | None = next(iter(db.query(query, [conversation_id, user_id])), None)
    if row is None:
        raise NotFoundError("There is no such conversation (any more).")
    return row


def _by_id(db: sqlite_utils.Database, message_id: str) -> dict[str, Any]:
    row: dict[str, Any] | None = next(iter(db.query(f"{MESSAGES} WHERE id = ?", [message_id])), None)
    if row is None:
        raise NotFoundError("There is no such message (any more).")
    return row


def _by_serial(db: sqlite_utils.Database, serial: int) -> Message:
    return message_of(next(iter(db.query(f"{MESSAGES} WHERE serial = ?", [serial]))))


def _conversation(row: Mapping[str, Any]) -> Conversation:
    return Conversation(row["id"], row["title"], row["created_at"], row["updated_at"])


def message_of(row: Mapping[str, Any]) -> Message:
    """The message of a row of `MESSAGES`."""
    role: Role = row["role"]
    return Message(
        id=row["id"],
        conversation_id=row["conversation_id"],
        parent_id=row["parent_id"],
        role=role,
        state=row["state"],
        text=row["text"],
        created_at=row["created_at"],
        sources=_read(row["sources"], tuple[Source, ...], ()),
        citations=_read(row["citations"], tuple[Citation, ...], ()),
        found=row["found"],
        error=_read(row["error"], Problem | None, None),
        model=row["model"],
        usage=_read(row["usage"], Usage | None, None),
        timings=_read(row["timings"], Timings | None, None),
        trace_id=row["trace_id"],
        rating=rating_of(row),
    )


def rating_of(row: Mapping[str, Any]) -> Rating | None:
    """The rating of a row of `MESSAGES`, if there is one."""
    if row["thumb"] is None:
        return None
    return Rating(
        row["thumb"], _read(row["reasons"], tuple[RatingReason, ...], ()), row["comment"], row["rated_at"]
    )


def _read(text: str | None, kind: Any, default: T) -> T:
    return default if text is None else msgspec.json.decode(text, type=kind)
