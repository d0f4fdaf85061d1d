"""Messages with all that stood behind them, for whoever audits, exports or replays them.

Read in small pieces, so that a long history is never in memory as a whole.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
import sqlite_utils

from app.audit import Audit, PromptMessage
from app.database.connection import Database
from app.database.messages import MESSAGES, message_of
from app.errors import NotFoundError
from app.filters import EVERYTHING, Filter

_AT_ONCE = 20


class Audits:
    """The whole cycle of each message. Thread-safe; it never writes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, user_id: str, message_id: str) -> Audit:
        """One message of this user; raises NotFoundError."""

        def work(db: sqlite_utils.Database) -> Audit:
            query = f"{MESSAGES} WHERE id = ? AND user_id = ?"
            row = next(iter(db.query(query, [message_id, user_id])), None)
            if row is None:
                raise NotFoundError("There is no such message (any more).")
            return _audit(db, row)

        return self._database.read(work)

    def of_conversation(self, user_id: str, conversation_id: str) -> Iterator[Audit]:
        """The messages of a conversation, oldest first; none where it is gone."""
        last = -1
        while page := self._page(user_id, conversation_id, last):
            yield from (audit for _, audit in page)
            last = page[-1][0]

    def _page(self, user_id: str, conversation_id: str, after: int) -> list[tuple[int, Audit]]:
        query = f"{MESSAGES} WHERE user_id = ? AND conversation_id = ? AND serial > ? ORDER BY serial LIMIT ?"

        def work(db: sqlite_utils.Database) -> list[tuple[int, Audit]]:
            rows = list(db.query(query, [user_id, conversation_id, after, _AT_ONCE]))
            return [(row["serial"], _audit(db, row)) for row in rows]

        return self._database.read(work)


def _audit(db: sqlite_utils.Database, row: Mapping[str, Any]) -> Audit:
    documents: tuple[str, ...] = ()
    if row["role"] == "user":
        # Of an answer the sources say more: they outlive their documents.
        query = (
            "SELECT id FROM documents JOIN message_documents ON document = serial"
            " WHERE message = ? ORDER BY serial"
        )
        documents = tuple(found["id"] for found in db.query(query, [row["serial"]]))
    prompt, sampling, limits = row["prompt"], row["sampling"], row["limits"]
    return Audit(
        message=message_of(row),
        style=row["style"],
        prompt=None if prompt is None else msgspec.json.decode(prompt, type=tuple[PromptMessage, ...]),
        rendered_prompt=row["rendered_prompt"],
        raw_response=row["raw_response"],
        model_sha256=row["model_sha256"],
        sampling=None if sampling is None else msgspec.json.decode(sampling),
        document_ids=documents,
        limited=EVERYTHING if limits is None else msgspec.json.decode(limits, type=Filter),
        finished_at=row["finished_at"],
    )
