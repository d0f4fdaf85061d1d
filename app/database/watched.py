"""The folders that are followed."""

import json
import os
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlite_utils

from app.database.connection import Database
from app.database.document_rows import one
from app.database.placing import prefix
from app.database.text import storable
from app.errors import NotFoundError
from app.records import Addition, Problem, WatchedFolder, WatchState

_NAMED = 20  # refused files of a folder that are named


@dataclass(frozen=True, slots=True)
class Followed:
    """A followed folder as its follower needs it.

    `identity` tells the folder itself from another one at the same place; None until it was seen.
    """

    id: str
    user_id: str
    path: Path
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    identity: str | None


class WatchedFolders:
    """The table of followed folders. Thread-safe; blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, user_id: str, path: Path, include: Sequence[str], exclude: Sequence[str]) -> WatchedFolder:
        """Follow a folder; one that is followed already gets these patterns, and is looked through anew."""
        place = prefix(path)[0]
        patterns = {"include": json.dumps(list(include)), "exclude": json.dumps(list(exclude))}

        def work(db: sqlite_utils.Database) -> WatchedFolder:
            query = "SELECT id FROM watched_folders WHERE user_id = ? AND place = ?"
            known = db.execute(query, [user_id, place]).fetchone()
            if known is not None:
                db["watched_folders"].update(known[0], {**patterns, "scanned_at": None})
                return _folder(db, _row(db, user_id, known[0]))
            folder_id = secrets.token_hex(16)
            row = {
                "id": folder_id,
                "user_id": user_id,
                "path": storable(str(path)),
                "place": place,
                "state": "watching",
                "added_at": time.time(),
                **patterns,
            }
            db["watched_folders"].insert(row)
            return _folder(db, _row(db, user_id, folder_id))

        return self._database.write(work)

    def list(self, user_id: str) -> tuple[WatchedFolder, ...]:
        """The folders of this user, by path."""
        query = "SELECT * FROM watched_folders WHERE user_id = ? ORDER BY place"
        return self._database.read(lambda db: tuple(_folder(db, row) for row in db.query(query, [user_id])))

    def get(self, user_id: str, folder_id: str) -> WatchedFolder:
        """One folder; raises NotFoundError."""
        return self._database.read(lambda db: _folder(db, _row(db, user_id, folder_id)))

    def followed(self) -> tuple[Followed, ...]:
        """The folders of all users, for whoever follows them."""
        query = "SELECT * FROM watched_folders ORDER BY added_at"
        return self._database.read(lambda db: tuple(map(_followed, db.query(query))))

    def note(
        self, folder: Followed, state: WatchState, problem: Problem | None, *, scanned: bool = False
    ) -> WatchedFolder:
        """Note how a folder is followed, who it is, and that it was looked through just now.

        Raises:
            NotFoundError: it is followed no more.
        """

        def work(db: sqlite_utils.Database) -> WatchedFolder:
            _row(db, folder.user_id, folder.id)
            changes: dict[str, object] = {
                "state": state,
                "error_code": problem.code if problem else None,
                "error_message": problem.message if problem else None,
                "identity": folder.identity,
            }
            if scanned:
                changes["scanned_at"] = time.time()
            db["watched_folders"].update(folder.id, changes)
            return _folder(db, _row(db, folder.user_id, folder.id))

        return self._database.write(work, durable=False)

    def remove(self, user_id: str, folder_id: str) -> Path:
        """Follow a folder no more; returns where it lies. Its documents stay. Raises NotFoundError."""

        def work(db: sqlite_utils.Database) -> Path:
            row = _row(db, user_id, folder_id)
            db.execute("DELETE FROM watched_folders WHERE id = ?", [folder_id])
            return _followed(row).path

        return self._database.write(work)


def _row(db: sqlite_utils.Database, user_id: str, folder_id: str) -> dict[str, Any]:
    row = one(db, "SELECT * FROM watched_folders WHERE id = ? AND user_id = ?", [folder_id, user_id])
    if row is None:
        raise NotFoundError("This folder is not followed (any more).")
    return row


def _followed(row: dict[str, Any]) -> Followed:
    return Followed(
        id=row["id"],
        user_id=row["user_id"],
        path=Path(os.fsdecode(row["place"])),
        include=tuple(json.loads(row["include"])),
        exclude=tuple(json.loads(row["exclude"])),
        identity=row["identity"],
    )


def _folder(db: sqlite_utils.Database, row: dict[str, Any]) -> WatchedFolder:
    within = "user_id = ? AND path >= ? AND path < ?"
    values = [row["user_id"], *prefix(os.fsdecode(row["place"]))]
    documents = f"SELECT count(DISTINCT document) FROM places WHERE {within}"  # noqa: S608 - nothing is put in
    refused = f"""
        SELECT name, error_code, error_message FROM places
        WHERE {within} AND document IS NULL AND error_code IS NOT NULL ORDER BY path
    """  # noqa: S608 - as above
    named = list(db.execute(refused, values))
    code = row["error_code"]
    return WatchedFolder(
        id=row["id"],
        path=row["path"],
        include=tuple(json.loads(row["include"])),
        exclude=tuple(json.loads(row["exclude"])),
        state=row["state"],
        problem=None if code is None else Problem(code, row["error_message"] or ""),
        documents=db.execute(documents, values).fetchone()[0],
        refused=tuple(Addition(name, problem=Problem(*why)) for name, *why in named[:_NAMED]),
        refused_count=len(named),
        added_at=row["added_at"],
        scanned_at=row["scanned_at"],
    )
