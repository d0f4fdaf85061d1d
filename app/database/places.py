"""Where the files of documents lie. A copy, a rename or a second look costs no reading.

A document is a content; it may lie at several places. A file that is edited stays its document
as long as nothing else holds the earlier content. A file that is gone leaves a missing place, and
its document missing if it was the last one; nothing is removed before `drop` is asked to.
Everything here is thread-safe and blocks; each call is one transaction.
"""

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlite_utils

from app.database import placing
from app.database.connection import Database
from app.database.document_rows import by_serial, fail, queue, row_of
from app.database.placing import How, NewFile, Refusal, Stamp
from app.database.text import storable
from app.records import Document, Problem

__all__ = ["Gone", "NewFile", "Place", "Places", "Refusal", "Stamp", "Taken"]

_AT_ONCE = 500  # values of one query


@dataclass(frozen=True, slots=True)
class Place:
    """A file that was looked at.

    One without a document was refused (`problem`), or removed from the library by the user.
    `looked_at` is when it was opened last; `missing_since` is None while it is there; `mounted`
    files lie on another disk than the folder they were found from; `away` ones are missing together with
    all others of their folder. `unread` ones were not there in the moment when they were to be read.
    """

    id: int
    path: str
    document_id: str | None
    stamp: Stamp | None
    looked_at: float
    by_hand: bool
    mounted: bool
    missing_since: float | None
    problem: Problem | None
    unread: bool = False
    away: bool = False


@dataclass(frozen=True, slots=True)
class Gone:
    """A document that was removed because its content lies nowhere any more."""

    document_id: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What a change of places came to. `how` goes with the `documents` of files that were taken.

    A `known` content was here before, at the `same` place even; an `edited` document has another now.
    """

    documents: tuple[Document, ...]
    how: tuple[How, ...] = ()
    removed: tuple[Gone, ...] = ()


class Places:
    """The places table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- what is known

    def under(self, user_id: str, folder: str | os.PathLike[str], *, deep: bool = True) -> list[Place]:
        """Every place in a folder, and (`deep`) below it."""
        begin, end = placing.prefix(folder)
        where = "p.user_id = ? AND p.path >= ? AND p.path < ?"
        values: list[object] = [user_id, begin, end]
        if not deep:
            where += " AND NOT instr(substr(p.path, ?), ?)"
            values += [len(begin) + 1, os.fsencode(os.sep)]
        return self._database.read(lambda db: list(_places(db, where, values)))

    def apart(self, user_id: str) -> list[Place]:
        """The places that are in no followed folder."""
        where = f"p.user_id = ? AND NOT {placing.FOLLOWED}"
        return self._database.read(lambda db: list(_places(db, where, [user_id])))

    def with_stamp(self, user_id: str, stamp: Stamp) -> list[Place]:
        """Places whose file has this very stamp: it may be the same file, moved."""
        where = "p.user_id = ? AND p.inode = ? AND p.mtime_ns = ? AND p.size = ?"
        values = [user_id, stamp.inode, stamp.mtime_ns, stamp.size]
        return self._database.read(lambda db: list(_places(db, where, values)))

    # --- what becomes of files

    def take(self, user_id: str, files: Sequence[NewFile], *, by_hand: bool) -> Taken:
        """Bring the library into step with files that are there now, each with its content.

        A new content is a new document, `queued`. A place whose content changed: if the document
        lies nowhere else, it is queued as `changed`, and can be asked meanwhile as it was; if the
        new content is another document's, it is that one's place now. A document that had failed
        is queued again.

        Args:
            by_hand: the user named these files: they are never removed by themselves.
        """

        def work(db: sqlite_utils.Database) -> Taken:
            touched: dict[int, None] = {}
            found = [
                placing.take(db, self._database.path.parent, user_id, file, by_hand=by_hand, touched=touched)
                for file in files
            ]
            removed = _settle(db, touched)
            return Taken(
                tuple(by_serial(db, serial) for serial, _ in found),
                tuple(how for _, how in found),
                removed,
            )

        return self._database.write(work)

    def refuse(self, user_id: str, refusals: Sequence[Refusal]) -> Taken:
        """Note files that cannot be taken in, so that they are named and not opened again.

        A document whose file became one of these is failed with the reason; it can still be asked.
        """

        def work(db: sqlite_utils.Database) -> Taken:
            documents = []
            for refusal in refusals:
                held = placing.refuse(db, user_id, refusal)
                if held is not None:
                    documents.append(fail(db, held, refusal.problem))
            return Taken(tuple(documents))

        return self._database.write(work)

    def move(self, user_id: str, place: Place, path: str, name: str) -> Taken:
        """The file of a place lies at `path` now; nothing is done if another place is known there."""

        def work(db: sqlite_utils.Database) -> Taken:
            at = os.fsencode(path)
            query = "SELECT 1 FROM places WHERE user_id = ? AND path = ?"
            if db.execute(query, [user_id, at]).fetchone() is not None:
                return Taken(())
            db["places"].update(
                place.id, {"path": at, "name": storable(name), "missing_since": None, "away": 0}
            )
            return _back(db, [place.id])

        return self._database.write(work)

    def lose(self, places: Sequence[Place], *, away: bool = False, anew: bool = False) -> Taken:
        """The files of these places are not there; documents that lie nowhere else are missing.

        A place that was moved since it was looked at is left as it is.

        Args:
            away: all of their folder is not: then nothing says that they were deleted.
            anew: count the time from now, also for those that were missing before.
        """
        now = time.time()
        ids = [place.id for place in places]

        def work(db: sqlite_utils.Database) -> Taken:
            db.conn.executemany(
                "UPDATE places SET missing_since = CASE WHEN ?1 THEN ?2 ELSE coalesce(missing_since, ?2) END,"
                " away = ?3 WHERE id = ?4 AND path = ?5",
                [(anew, now, away, place.id, os.fsencode(place.path)) for place in places],
            )
            return _documents_of(db, ids)

        return self._database.write(work)

    def find(self, places: Sequence[Place]) -> Taken:
        """The files of these places are there again, untouched."""

        def work(db: sqlite_utils.Database) -> Taken:
            ids = [place.id for place in places]
            db.conn.executemany(
                "UPDATE places SET missing_since = NULL, away = 0 WHERE id = ?", [(place,) for place in ids]
            )
            return _back(db, ids)

        return self._database.write(work)

    def keep(self, places: Sequence[Place]) -> None:
        """The user named these files: they are never removed by themselves."""
        if ids := [(place.id,) for place in places if not place.by_hand]:
            self._database.write(
                lambda db: db.conn.executemany("UPDATE places SET by_hand = 1 WHERE id = ?", ids).rowcount
            )

    def drop(self, places: Sequence[Place]) -> Taken:
        """Forget places whose files were deleted; documents that lie nowhere else go with them.

        A file that the user had named himself stays, missing, if it is its document's last place.
        """

        def work(db: sqlite_utils.Database) -> Taken:
            touched: dict[int, None] = {}
            for place in places:
                row = db.execute(
                    "SELECT document FROM places p WHERE id = ? AND path = ? AND missing_since IS NOT NULL"
                    " AND NOT away AND (NOT by_hand OR document IS NULL OR EXISTS (SELECT 1 FROM places o"
                    " WHERE o.document = p.document AND o.missing_since IS NULL))",
                    [place.id, os.fsencode(place.path)],
                ).fetchone()
                if row is None:
                    continue
                db.execute("DELETE FROM places WHERE id = ?", [place.id])
                if row[0] is not None:
                    touched[row[0]] = None
            return _left(db, touched)

        return self._database.write(work)

    def forget_set_aside(self, user_id: str, folder: str | os.PathLike[str]) -> None:
        """Forget the files of a folder that were refused, or removed from the library by the user."""
        begin, end = placing.prefix(folder)
        self._database.write(
            lambda db: (
                db.execute(
                    "DELETE FROM places WHERE user_id = ? AND path >= ? AND path < ? AND document IS NULL",
                    [user_id, begin, end],
                ).rowcount
            )
        )

    def clear(self, user_id: str, folder: str | os.PathLike[str]) -> Taken:
        """Forget a folder: what the user did not name himself goes, unless it lies elsewhere, too."""
        begin, end = placing.prefix(folder)
        within = "user_id = ? AND path >= ? AND path < ? AND (NOT by_hand OR document IS NULL)"

        def work(db: sqlite_utils.Database) -> Taken:
            query = f"SELECT DISTINCT document FROM places WHERE document IS NOT NULL AND {within}"  # noqa: S608 - only the constant above is put in
            touched = [row[0] for row in db.execute(query, [user_id, begin, end])]
            db.execute(f"DELETE FROM places WHERE {within}", [user_id, begin, end])  # noqa: S608 - as above
            return _left(db, touched)

        return self._database.write(work)


def _left(db: sqlite_utils.Database, touched: Iterable[int]) -> Taken:
    """Settle documents that lost places, and return those that have some left."""
    removed = _settle(db, touched)
    left = [serial for serial in touched if placing.is_there(db, serial)]
    return Taken(tuple(by_serial(db, serial) for serial in left), removed=removed)


def _documents_of(db: sqlite_utils.Database, places: Sequence[int]) -> Taken:
    """Settle the documents of these places, and return them."""
    touched: dict[int, None] = {}
    for begin in range(0, len(places), _AT_ONCE):
        some = places[begin : begin + _AT_ONCE]
        marks = ",".join("?" * len(some))
        query = f"SELECT document FROM places WHERE id IN ({marks}) AND document IS NOT NULL"  # noqa: S608 - only marks
        touched |= dict.fromkeys(row[0] for row in db.execute(query, list(some)))
    removed = _settle(db, touched)
    return Taken(tuple(by_serial(db, serial) for serial in touched), removed=removed)


def _back(db: sqlite_utils.Database, places: Sequence[int]) -> Taken:
    """The files of these places are there: those that were not when they were to be read are, now."""
    for document in _documents_of(db, places).documents:
        if document.status == "failed" and document.error and document.error.code in placing.AWAY:
            queue(db, row_of(db, document.id)["serial"])
    return _documents_of(db, places)


def _settle(db: sqlite_utils.Database, serials: Iterable[int]) -> tuple[Gone, ...]:
    """Give documents the place they are shown with; remove those that have none left."""
    removed = []
    for serial in serials:
        gone = placing.settle(db, serial)
        if gone is not None:
            removed.append(Gone(*gone))
    return tuple(removed)


def _places(db: sqlite_utils.Database, where: str, values: Sequence[object]) -> Iterator[Place]:
    query = f"""
        SELECT p.*, d.id AS document_id,
            coalesce(d.status = 'failed' AND d.error_code = 'file_missing', 0) AS unread
        FROM places p LEFT JOIN documents d ON d.serial = p.document
        WHERE {where} ORDER BY p.path
    """  # noqa: S608 - only conditions of this module are put in
    for row in db.query(query, values):
        yield _place(row)


def _place(row: dict[str, Any]) -> Place:
    code = row["error_code"]
    return Place(
        id=row["id"],
        path=os.fsdecode(row["path"]),
        document_id=row["document_id"],
        stamp=placing.stamp_of(row),
        looked_at=row["looked_at"] or 0.0,
        by_hand=bool(row["by_hand"]),
        mounted=bool(row["mounted"]),
        missing_since=row["missing_since"],
        problem=None if code is None else Problem(code, row["error_message"] or ""),
        unread=bool(row["unread"]),
        away=bool(row["away"]),
    )
