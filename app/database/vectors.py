"""Nearest neighbours among all passages: codes in memory choose, the vectors on disk decide.

One bit a number is held in memory (`codes.py`; 54 bytes a passage of 384 dimensions, ids included).
The vectors whose codes differ least from the question's are read from the database and compared
exactly; in a library of up to `_EXACT` passages that is all of them. What it costs and misses in
large ones: tests/benchmarks/search_at_size.py.

The codes follow the database by themselves: before each search those of the documents that `removals`
names are dropped, or read again where they were only replaced, and those with a passage id above the
last one read are added. Codes, vectors and passages come from one snapshot, so only what is committed
is ever seen, and nobody has to tell it anything.
"""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from app.database.codes import CodeTable, code_bytes, shortlist
from app.database.connection import Database
from app.database.passages import PACKED

Vector = NDArray[np.float32]
CodesRow = tuple[int, int, bytes, int, str, str]
"""First passage, count, codes; the document's serial number, id and user."""

# So many vectors are compared exactly. With real sentences the ten nearest lie within the 220 first by
# code in 99 of 100 cases among 10,000, and that grows by a tenth with each doubling (measured).
_EXACT = 1_024
# Below this share of codes in use they are written anew without the gaps.
_SPARSE = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """The codes [start:stop] of one document, which lie together as its passages' ids do."""

    document_id: str
    user_id: str
    start: int
    stop: int


class Vectors:
    """The vectors of one embedder. Thread-safe: one search at a time."""

    def __init__(self, database: Database, embedder: int, dimension: int) -> None:
        self.embedder = embedder
        self.dimension = dimension
        self._database = database
        self._lock = threading.Lock()
        self._codes = CodeTable(dimension)
        self._ids = np.empty(0, np.int64)
        self._runs: dict[int, Run] = {}  # by document
        self._last_removal = 0
        self._last_passage = 0
        self._of_users: dict[str, NDArray[np.bool_] | None] = {}  # see _searched

    def nearest(
        self, vector: Vector, k: int, user_id: str, document_ids: frozenset[str] | None = None
    ) -> list[tuple[int, float]]:
        """The `k` passages of the highest cosine among this user's (and these documents'), best first.

        Args:
            vector: shape (dimension,), unit length.
        """
        if k < 1:
            return []

        def work(db: sqlite_utils.Database) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            self._follow(db)
            places = self._worth_reading(vector, max(k, _EXACT), user_id, document_ids)
            return self._read(db, self._ids[places])

        # The read begins inside the lock: a reader that saw an older state of the database could
        # otherwise bring back a document whose removal was taken account of already.
        with self._lock:
            ids, rows = self._database.read(work)
        cosines = rows @ vector
        # Equal ones in the order of the passages, so that a search gives the same twice.
        order = np.lexsort((ids, -cosines))[:k]
        return [(int(ids[place]), float(cosines[place])) for place in order]

    def rows(self, ids: Sequence[int]) -> dict[int, Vector]:
        """The vectors of these passages; those that are not here are left out."""
        found, rows = self._database.read(lambda db: self._read(db, np.asarray(ids, np.int64)))
        return dict(zip(found.tolist(), rows, strict=True))

    def _read(
        self, db: sqlite_utils.Database, ids: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Of these passages the ids that are there, in order, and their vectors."""
        read = db.execute(
            "SELECT passage, vector FROM vectors WHERE embedder = ?"
            " AND passage IN (SELECT value FROM json_each(?))",
            [self.embedder, json.dumps(np.sort(ids).tolist())],
        ).fetchall()
        packed = np.frombuffer(b"".join(row[1] for row in read), PACKED)
        rows = packed.reshape(len(read), self.dimension).astype(np.float32)
        return np.asarray([row[0] for row in read], np.int64), rows

    def _worth_reading(
        self, vector: Vector, count: int, user_id: str, document_ids: frozenset[str] | None
    ) -> NDArray[np.intp]:
        """The places of the codes whose vectors are to be compared."""
        searched = self._searched(user_id, document_ids)
        distances = self._codes.distances(vector)
        if searched is not None:
            distances = np.where(searched, distances, np.uint16(self.dimension + 1))
        return shortlist(distances, count, self.dimension)

    def _searched(self, user_id: str, document_ids: frozenset[str] | None) -> NDArray[np.bool_] | None:
        """Which codes are this user's (and these documents'); None: all are."""
        if document_ids is None and user_id in self._of_users:
            return self._of_users[user_id]
        searched = np.zeros(len(self._codes), np.bool_)
        for run in self._runs.values():
            if run.user_id == user_id and (document_ids is None or run.document_id in document_ids):
                searched[run.start : run.stop] = True
        if document_ids is not None:
            return searched
        self._of_users[user_id] = None if searched.all() else searched
        return self._of_users[user_id]

    # --- in step with the database

    def _follow(self, db: sqlite_utils.Database) -> None:
        removed = self._drop_removed(db)
        new = self._read_codes(db, "c.first > ?", self._last_passage)
        if removed and self._last_passage:
            replaced = (
                "c.first <= ? AND c.first IN (SELECT min(id) FROM passages"
                " WHERE document IN (SELECT value FROM json_each(?)) GROUP BY document)"
            )
            new += self._read_codes(db, replaced, self._last_passage, json.dumps(sorted(removed)))
        if new:
            self._add(new)

    def _drop_removed(self, db: sqlite_utils.Database) -> set[int]:
        """Drop the codes of documents whose vectors went or were replaced; returns those documents."""
        removed = db.execute(
            "SELECT id, document FROM removals WHERE id > ? ORDER BY id", [self._last_removal]
        ).fetchall()
        if not removed:
            return set()
        for _, document in removed:
            self._runs.pop(document, None)
        self._of_users.clear()
        if sum(run.stop - run.start for run in self._runs.values()) < _SPARSE * len(self._codes):
            self._close_gaps()
        self._last_removal = removed[-1][0]
        return {document for _, document in removed}

    def _close_gaps(self) -> None:
        kept = np.zeros(len(self._codes), np.bool_)
        for run in self._runs.values():
            kept[run.start : run.stop] = True
        places = np.cumsum(kept) - 1
        self._runs = {
            document: Run(
                run.document_id,
                run.user_id,
                int(places[run.start]),
                int(places[run.start]) + run.stop - run.start,
            )
            for document, run in self._runs.items()
        }
        self._codes.keep(kept)
        self._ids = self._ids[kept]

    def _read_codes(self, db: sqlite_utils.Database, which: str, *values: object) -> list[CodesRow]:
        query = f"""
            SELECT c.first, c.count, c.codes, d.serial, d.id, d.user_id FROM codes c
            JOIN documents d ON d.serial = c.document WHERE {which} AND c.embedder = ? ORDER BY c.first
        """  # noqa: S608 - only the constants of `_follow` are put in
        rows: list[CodesRow] = db.execute(query, [*values, self.embedder]).fetchall()
        return rows

    def _add(self, rows: Sequence[CodesRow]) -> None:
        start = len(self._codes)
        ids = [self._ids]
        for first, count, _, document, document_id, user_id in rows:
            self._runs[document] = Run(document_id, user_id, start, start + count)
            ids.append(np.arange(first, first + count))
            start += count
            self._last_passage = max(self._last_passage, first + count - 1)
        self._ids = np.concatenate(ids)
        codes = np.frombuffer(b"".join(row[2] for row in rows), np.uint8)
        self._codes.append(codes.reshape(-1, code_bytes(self.dimension)))
        self._of_users.clear()
