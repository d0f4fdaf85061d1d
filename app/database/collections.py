"""Collections: documents of one user under a name. A document can be in several.

A followed folder is a collection, too: what lies in it is in the collection, and only that.
"""

import json
import os
import secrets
import time
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlite_utils

from app.database import document_rows
from app.database.connection import Database
from app.database.filtering import AFTER_SEPARATOR, IN_FOLDERS
from app.database.text import storable
from app.errors import CollectionError
from app.records import Collection

LONGEST_NAME = 100  # characters

_COUNTED = """
    SELECT c.*, (SELECT count(*) FROM collection_documents WHERE collection = c.serial) AS documents
    FROM collections c
"""
_FOLDERS = f"""
    SELECT w.*, (SELECT count(DISTINCT p.document) FROM {IN_FOLDERS} AND q.id = w.id) AS documents
    FROM watched_folders w
"""  # noqa: S608 - only a constant is put in


class Collections:
    """The table of collections, and the followed folders as such. Thread-safe; blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(self, user_id: str) -> tuple[Collection, ...]:
        """The collections of this user by name, then the folders that are followed."""
        return self._database.read(lambda db: (*_made(db, user_id), *_folders(db, user_id)))

    def get(self, user_id: str, collection_id: str) -> Collection:
        """One collection.

        Raises:
            CollectionError: there is none.
        """
        return self._database.read(lambda db: _get(db, user_id, collection_id))

    def create(self, user_id: str, name: str, documents: Sequence[str] = ()) -> Collection:
        """A new collection with these documents in it.

        Raises:
            CollectionError: the name is blank, too long or taken.
            NotFoundError: there is no such document; nothing is changed.
        """
        name = _proper(name)

        def work(db: sqlite_utils.Database) -> Collection:
            _check_free(db, user_id, name)
            collection_id = secrets.token_hex(16)
            row = {"id": collection_id, "user_id": user_id, "name": name, "folded": _folded(name)}
            serial = int(db["collections"].insert(row | {"created_at": time.time()}).last_pk)
            _put(db, user_id, serial, documents)
            return _get(db, user_id, collection_id)

        return self._database.write(work)

    def change(
        self,
        user_id: str,
        collection_id: str,
        *,
        name: str | None = None,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> Collection:
        """Rename a collection, put documents into it, and take others out, all at once.

        Args:
            name: None: as it is.
            add: ids of documents; those that are in it stay.
            remove: ids of documents; those that are not in it are passed over.

        Raises:
            CollectionError: there is none, it is a folder, or the name is blank, too long or taken.
            NotFoundError: there is no such document; nothing is changed.
        """
        proper = None if name is None else _proper(name)

        def work(db: sqlite_utils.Database) -> Collection:
            serial = _serial(db, user_id, collection_id)
            if proper is not None:
                _check_free(db, user_id, proper, but=serial)
                db["collections"].update(serial, {"name": proper, "folded": _folded(proper)})
            _put(db, user_id, serial, add)
            db.execute(
                "DELETE FROM collection_documents WHERE collection = ? AND document IN"
                " (SELECT serial FROM documents WHERE id IN (SELECT value FROM json_each(?)))",
                [serial, json.dumps(list(remove))],
            )
            return _get(db, user_id, collection_id)

        return self._database.write(work)

    def delete(self, user_id: str, collection_id: str) -> None:
        """Remove a collection; its documents stay.

        Raises:
            CollectionError: there is none, or it is a folder.
        """

        def work(db: sqlite_utils.Database) -> None:
            db["collections"].delete(_serial(db, user_id, collection_id))

        self._database.write(work)

    def named(self, user_id: str, names: Sequence[str]) -> tuple[Collection, ...]:
        """The collections with these ids or names, each once; a folder's path is a name of it, too.

        Raises:
            CollectionError: there is none, or more than one.
        """
        known = self.list(user_id)
        return tuple(dict.fromkeys(_named(known, name) for name in names))


def names(db: sqlite_utils.Database, user_id: str) -> dict[str, str]:
    """What collections and followed folders are called, by id; within a transaction of the caller's."""
    made = db.execute("SELECT id, name FROM collections WHERE user_id = ?", [user_id]).fetchall()
    folders = db.execute("SELECT id, place FROM watched_folders WHERE user_id = ?", [user_id]).fetchall()
    return dict(made) | {key: _name(place) for key, place in folders}


def _made(db: sqlite_utils.Database, user_id: str) -> list[Collection]:
    query = f"{_COUNTED} WHERE c.user_id = ? ORDER BY c.folded"
    return [_collection(row) for row in db.query(query, [user_id])]


def _folders(db: sqlite_utils.Database, user_id: str) -> list[Collection]:
    query = f"{_FOLDERS} WHERE w.user_id = :user ORDER BY w.place"
    return [_folder(row) for row in db.query(query, {"user": user_id, "after": AFTER_SEPARATOR})]


def _get(db: sqlite_utils.Database, user_id: str, collection_id: str) -> Collection:
    row = document_rows.one(db, f"{_COUNTED} WHERE c.id = ? AND c.user_id = ?", [collection_id, user_id])
    if row is not None:
        return _collection(row)
    for folder in _folders(db, user_id):
        if folder.id == collection_id:
            return folder
    raise _unknown()


def _serial(db: sqlite_utils.Database, user_id: str, collection_id: str) -> int:
    """Of a collection that can be changed."""
    query = "SELECT serial FROM collections WHERE id = ? AND user_id = ?"
    row = document_rows.one(db, query, [collection_id, user_id])
    if row is not None:
        return int(row["serial"])
    folder = _get(db, user_id, collection_id)
    raise CollectionError(
        "collection_fixed",
        400,
        f"“{folder.name}” is a folder that is followed: in this collection is what lies in the folder.",
    )


def _named(known: Sequence[Collection], name: str) -> Collection:
    folded = _folded(name)
    for found in (
        [one for one in known if one.id == name],
        [one for one in known if one.folder is None and _folded(one.name) == folded],
        [one for one in known if one.folder == name],
        [one for one in known if _folded(one.name) == folded],
    ):
        if len(found) == 1:
            return found[0]
        if found:
            raise CollectionError(
                "collection_unknown", 404, f"{len(found)} folders are called “{name}”; name one by its path."
            )
    raise _unknown(name)


def _check_free(db: sqlite_utils.Database, user_id: str, name: str, but: int = -1) -> None:
    query = "SELECT name FROM collections WHERE user_id = ? AND folded = ? AND serial <> ?"
    taken = document_rows.one(db, query, [user_id, _folded(name), but])
    if taken is not None:
        raise CollectionError("collection_exists", 409, f"There is a collection called “{taken['name']}”.")


def _put(db: sqlite_utils.Database, user_id: str, serial: int, documents: Sequence[str]) -> None:
    rows = [(serial, document_rows.row_of(db, document_id, user_id)["serial"]) for document_id in documents]
    query = "INSERT OR IGNORE INTO collection_documents (collection, document) VALUES (?, ?)"
    db.conn.executemany(query, rows)


def _proper(name: str) -> str:
    """The name as it is kept: one space between its words."""
    proper = " ".join(storable(unicodedata.normalize("NFC", name)).split())
    if not proper:
        raise CollectionError("collection_name_invalid", 400, "A collection needs a name.")
    if len(proper) > LONGEST_NAME:
        raise CollectionError(
            "collection_name_invalid",
            400,
            f"The name of a collection has at most {LONGEST_NAME} characters; this one has {len(proper):,}.",
        )
    return proper


def _folded(name: str) -> str:
    """Names that differ in nothing but their capitals and spaces are the same."""
    return " ".join(unicodedata.normalize("NFC", name).casefold().split())


def _unknown(name: str | None = None) -> CollectionError:
    what = "This collection is not there (any more)." if name is None else f"There is no collection “{name}”."
    return CollectionError("collection_unknown", 404, what)


def _collection(row: dict[str, Any]) -> Collection:
    return Collection(row["id"], row["name"], row["documents"], row["created_at"])


def _folder(row: dict[str, Any]) -> Collection:
    name = _name(row["place"])
    return Collection(row["id"], name, row["documents"], row["added_at"], folder=row["path"])


def _name(place: bytes) -> str:
    path = Path(os.fsdecode(place))
    return storable(path.name or str(path))
