"""What the user thinks of answers: one rating a message, replaced by the next."""

import time
from collections.abc import Sequence

import sqlite_utils

from app.database.connection import Database
from app.database.messages import MESSAGES, message_of
from app.database.text import as_json, storable
from app.errors import InvalidRequestError, NotFoundError
from app.records import Message, RatingReason, Thumb


class Ratings:
    """The ratings table. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        user_id: str,
        message_id: str,
        thumb: Thumb,
        *,
        reasons: Sequence[RatingReason] = (),
        comment: str = "",
    ) -> Message:
        """Rate an answer in place of its earlier rating; return it as it is now.

        Raises:
            NotFoundError: this user has no such message (any more).
            InvalidRequestError: it is a question, or an answer that is still being written.
        """

        def work(db: sqlite_utils.Database) -> Message:
            serial = _ended_answer(db, user_id, message_id)
            db["ratings"].upsert(
                {
                    "message": serial,
                    "thumb": thumb,
                    "reasons": as_json(list(dict.fromkeys(reasons))),
                    "comment": storable(comment),
                    "rated_at": time.time(),
                },
                pk="message",
            )
            return _read(db, serial)

        return self._database.write(work)

    def remove(self, user_id: str, message_id: str) -> Message:
        """Take the rating of an answer back, if it has one; raises as `put` does."""

        def work(db: sqlite_utils.Database) -> Message:
            serial = _ended_answer(db, user_id, message_id)
            db.execute("DELETE FROM ratings WHERE message = ?", [serial])
            return _read(db, serial)

        return self._database.write(work)


def _ended_answer(db: sqlite_utils.Database, user_id: str, message_id: str) -> int:
    query = "SELECT serial, role, state FROM messages WHERE id = ? AND user_id = ?"
    row = next(iter(db.query(query, [message_id, user_id])), None)
    if row is None:
        raise NotFoundError("There is no such message (any more).")
    if row["role"] != "assistant":
        raise InvalidRequestError("Only answers can be rated.")
    if row["state"] == "running":
        raise InvalidRequestError("This answer is still being written; it can be rated when it has ended.")
    return int(row["serial"])


def _read(db: sqlite_utils.Database, serial: int) -> Message:
    return message_of(next(iter(db.query(f"{MESSAGES} WHERE serial = ?", [serial]))))
