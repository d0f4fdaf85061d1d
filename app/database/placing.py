"""How a file finds its document, within a transaction of the caller's; `places` is the way in."""

import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import sqlite_utils

from app.database.document_rows import one, queue, row_by_serial
from app.database.passages import clear
from app.database.text import storable
from app.records import Problem

# A document that failed for one of these is read again as soon as its file is there.
AWAY = ("file_missing", "file_unreadable")
FOLLOWED = (
    "EXISTS (SELECT 1 FROM watched_folders w WHERE w.user_id = p.user_id"
    " AND substr(p.path, 1, length(w.place)) = w.place)"
)
"""Condition: the place `p` is in a followed folder."""

_INODE_BITS = 63  # what an SQLite integer holds; some file systems number beyond


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the system says of a file without opening it: bytes, nanoseconds, its number on its disk."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        """The stamp of a file that was looked at."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino & ((1 << _INODE_BITS) - 1))


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that was opened: where it lies, and what it holds (SHA-256 in hex, bytes, media type).

    `looked_at`: when it was opened, in seconds since the epoch. `mounted`: it lies on another disk than
    the folder it was found from.
    """

    path: str
    name: str
    content_hash: str
    media_type: str
    size: int
    paged: bool
    stamp: Stamp | None = None
    looked_at: float = 0.0
    mounted: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file of a followed folder that cannot be taken in. Without a stamp it is tried at every look."""

    path: str
    name: str
    stamp: Stamp | None
    looked_at: float
    problem: Problem


How = Literal["new", "edited", "known", "same"]


def take(
    db: sqlite_utils.Database,
    root: Path,
    user_id: str,
    file: NewFile,
    *,
    by_hand: bool,
    touched: dict[int, None],
) -> tuple[int, How]:
    """Link a file to the document of its content; returns its serial number, and how it was found.

    Args:
        root: where kept uploads lie from.
        touched: gets the documents whose places are others now; `settle` them afterwards.
    """
    path = os.fsencode(file.path)
    place = one(db, "SELECT * FROM places WHERE user_id = ? AND path = ?", [user_id, path])
    held = row_by_serial(db, place["document"]) if place is not None and place["document"] else None
    same = one(
        db, "SELECT * FROM documents WHERE user_id = ? AND content_hash = ?", [user_id, file.content_hash]
    )
    how: How
    if same is not None:
        serial, how = same["serial"], "known"
        untouched = place is not None and stamp_of(place) == file.stamp and not by_hand
        if same["status"] == "failed" and not untouched:
            queue(db, serial)
        elif place is not None and place["document"] == serial and place["missing_since"] is None:
            how = "same"
        _look_after(db, root, same)
    elif held is not None and not _elsewhere(db, held, place):
        serial, how = held["serial"], "edited"
        _edit(db, held, file)
    else:
        serial, how = insert(db, user_id, file, _at(file.path)), "new"
    if held is not None:
        touched[held["serial"]] = None
    touched[serial] = None
    values = {
        "user_id": user_id,
        "path": path,
        "name": storable(file.name),
        "document": serial,
        "by_hand": int(by_hand or (place is not None and bool(place["by_hand"]))),
        **_stamped(file.stamp),
        "looked_at": file.looked_at,
        "mounted": int(file.mounted),
        "missing_since": None,
        "away": 0,
        "error_code": None,
        "error_message": None,
    }
    _put(db, place, values)
    return serial, how


def refuse(db: sqlite_utils.Database, user_id: str, refusal: Refusal) -> str | None:
    """Note a file that cannot be taken in; returns the id of the document that it was, if it was one."""
    path = os.fsencode(refusal.path)
    place = one(db, "SELECT * FROM places WHERE user_id = ? AND path = ?", [user_id, path])
    held = row_by_serial(db, place["document"]) if place is not None and place["document"] else None
    its_own = held is not None and not _elsewhere(db, held, place)
    values = {
        "user_id": user_id,
        "path": path,
        "name": storable(refusal.name),
        "document": held["serial"] if held is not None and its_own else None,
        "by_hand": place["by_hand"] if place is not None else 0,
        **_stamped(refusal.stamp),
        "looked_at": refusal.looked_at,
        "missing_since": None,
        "away": 0,
        "error_code": refusal.problem.code,
        "error_message": storable(refusal.problem.message),
    }
    _put(db, place, values)
    if held is None:
        return None
    if not its_own:
        settle(db, held["serial"])
        return None
    if _has_passages(db, held["serial"]):
        db.execute("UPDATE documents SET changed = 1 WHERE serial = ?", [held["serial"]])
    return str(held["id"])


def insert(db: sqlite_utils.Database, user_id: str, file: NewFile, where: Mapping[str, object]) -> int:
    """A new document, queued; returns its serial number.

    Args:
        where: the columns that say where it lies: path, place, stored.
    """
    row = {
        "id": secrets.token_hex(16),
        "user_id": user_id,
        "name": storable(file.name),
        "content_hash": file.content_hash,
        "media_type": file.media_type,
        "size": file.size,
        "status": "queued",
        "paged": int(file.paged),
        "added_at": time.time(),
        **where,
    }
    serial = int(db["documents"].insert(row).last_pk)
    queue(db, serial)
    return serial


def settle(db: sqlite_utils.Database, serial: int) -> tuple[str, str] | None:
    """Show a document with a place where its file is; one without any place is removed.

    Returns:
        Id and content hash of the document if it was removed.
    """
    document = row_by_serial(db, serial)
    if document["stored"] is not None:
        return None  # an upload lies in the profile, whatever lies elsewhere
    places = list(
        db.query(
            "SELECT * FROM places WHERE document = ?"
            " ORDER BY missing_since IS NOT NULL, path <> ?, missing_since DESC, id LIMIT 1",
            [serial, document["place"]],
        )
    )
    if not places:
        clear(db, serial)
        db.execute("DELETE FROM documents WHERE serial = ?", [serial])
        return document["id"], document["content_hash"]
    shown = places[0]
    changes: dict[str, object] = {"missing": int(shown["missing_since"] is not None)}
    if shown["path"] != document["place"]:
        path = storable(os.fsdecode(shown["path"]))
        changes |= {"place": shown["path"], "path": path, "name": shown["name"]}
    if any(document[name] != value for name, value in changes.items()):
        db["documents"].update(serial, changes)
    if (
        document["status"] == "failed"
        and document["error_code"] in AWAY
        and not changes["missing"]
        and "path" in changes
    ):
        queue(db, serial)
    return None


def set_aside(db: sqlite_utils.Database, serial: int) -> None:
    """The user removes a document: its files in followed folders do not come back by themselves."""
    db.execute(
        "UPDATE places AS p SET document = NULL,"  # noqa: S608 - only the constant above is put in
        f" error_code = NULL, error_message = NULL WHERE document = ? AND {FOLLOWED}",
        [serial],
    )


def stamp_of(place: Mapping[str, Any]) -> Stamp | None:
    """What the row of a place remembers of its file, if anything."""
    known = place["mtime_ns"] is not None
    return Stamp(place["size"], place["mtime_ns"], place["inode"]) if known else None


def is_there(db: sqlite_utils.Database, serial: int) -> bool:
    """Whether there is a document with this serial number."""
    return db.execute("SELECT 1 FROM documents WHERE serial = ?", [serial]).fetchone() is not None


def prefix(folder: str | os.PathLike[str]) -> tuple[bytes, bytes]:
    """The paths in a folder are those from the first up to, not including, the second."""
    separator = os.fsencode(os.sep)
    begin = os.fsencode(folder).rstrip(separator) + separator
    return begin, begin[:-1] + bytes([begin[-1] + 1])


def _at(path: str) -> dict[str, object]:
    return {"path": storable(path), "place": os.fsencode(path), "stored": None}


def _edit(db: sqlite_utils.Database, document: dict[str, Any], file: NewFile) -> None:
    """The document's file has another content: it is read again, and asked as it was until then."""
    serial = document["serial"]
    changes = {
        "content_hash": file.content_hash,
        "media_type": file.media_type,
        "size": file.size,
        "paged": int(file.paged),
        "changed": int(_has_passages(db, serial)),
    }
    db["documents"].update(serial, changes)
    queue(db, serial)


def _look_after(db: sqlite_utils.Database, root: Path, document: dict[str, Any]) -> None:
    """A document that was found again: note it if its own file is gone, so that it takes the new place."""
    if (root.absolute() / os.fsdecode(document["place"])).is_file():
        return
    if document["stored"] is not None:
        db.execute("UPDATE documents SET stored = NULL WHERE serial = ?", [document["serial"]])
        return
    db.execute(
        "UPDATE places SET missing_since = coalesce(missing_since, ?) WHERE document = ? AND path = ?",
        [time.time(), document["serial"], document["place"]],
    )


def _elsewhere(db: sqlite_utils.Database, document: dict[str, Any], place: dict[str, Any] | None) -> bool:
    """Whether the content that this place had still lies somewhere else."""
    if document["stored"] is not None:
        return True
    query = "SELECT 1 FROM places WHERE document = ? AND id <> ? AND missing_since IS NULL LIMIT 1"
    at = -1 if place is None else place["id"]
    return db.execute(query, [document["serial"], at]).fetchone() is not None


def _put(db: sqlite_utils.Database, place: dict[str, Any] | None, values: dict[str, object]) -> None:
    if place is None:
        db["places"].insert(values)
    else:
        db["places"].update(place["id"], values)


def _stamped(stamp: Stamp | None) -> dict[str, object]:
    if stamp is None:
        return {"size": None, "mtime_ns": None, "inode": None}
    return {"size": stamp.size, "mtime_ns": stamp.mtime_ns, "inode": stamp.inode}


def _has_passages(db: sqlite_utils.Database, serial: int) -> bool:
    query = "SELECT 1 FROM passages WHERE document = ? LIMIT 1"
    return db.execute(query, [serial]).fetchone() is not None
