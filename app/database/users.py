"""The people of one profile: today one, but every row of the library already says whose it is."""

import secrets
import time

import sqlite_utils

from app.database.connection import Database


class Users:
    """The users table. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def local(self) -> str:
        """The id of the person at this computer; created at the first call, the same ever after."""
        found = self._database.read(_oldest)
        return found or self._database.write(_oldest_or_new)

    def exists(self, user_id: str) -> bool:
        """Whether there is a user with this id."""
        return self._database.read(
            lambda db: db.execute("SELECT 1 FROM users WHERE id = ?", [user_id]).fetchone() is not None
        )


def _oldest(db: sqlite_utils.Database) -> str | None:
    row = db.execute("SELECT id FROM users ORDER BY created_at, rowid LIMIT 1").fetchone()
    return None if row is None else str(row[0])


def _oldest_or_new(db: sqlite_utils.Database) -> str:
    if found := _oldest(db):
        return found
    user_id = secrets.token_hex(16)
    db["users"].insert({"id": user_id, "name": "local", "created_at": time.time()})
    return user_id
