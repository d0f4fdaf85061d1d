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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from app.database.codes import CodeTable, code_bytes, shortlist
from app.database.connection import Database
from app.database.filtering import condition
from app.database.passages import PACKED
from app.filters import EVERYTHING, Filter

Vector = NDArray[np.float32]
CodesRow = tuple[int, int, bytes, int]
"""First passage, count, codes; the document's serial number."""

# So many vectors are compared exactly. With real sentences the ten nearest lie within the 220 first by
# code in 99 of 100 cases among 10,000, and that grows by a tenth with each doubling (measured).
_EXACT = 1_024
# Below this share of codes in use they are written anew without the gaps.
_SPARSE = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """The codes [start:stop] of one document, which lie together as its passages' ids do."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class RunTable:
    """The runs of all documents as they lie: arrays of shape (documents,)."""

    serials: NDArray[np.int64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    @classmethod
    def of(cls, runs: Mapping[int, Run]) -> "RunTable":
        """The table of these runs."""
        rows = sorted((run.start, run.stop - run.start, serial) for serial, run in runs.items())
        starts, lengths, serials = np.asarray(rows, np.int64).reshape(-1, 3).T.copy()
        return cls(serials, starts, lengths)

    def places(self, wanted: Sequence[int]) -> NDArray[np.intp]:
        """Where the codes of these documents lie, in order."""
        chosen = np.isin(self.serials, np.asarray(wanted, np.int64))
        starts, lengths = self.starts[chosen], self.lengths[chosen]
        # A run counts up from its start; the places of the runs before it come off.
        before = np.cumsum(lengths) - lengths
        return np.repeat(starts - before, lengths) + np.arange(lengths.sum())


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
        self._runs_table: RunTable | None = None  # made when it is needed
        self._of_users: dict[str, NDArray[np.intp] | None] = {}  # see _searched

    def nearest(
        self, vector: Vector, k: int, user_id: str, limited: Filter = EVERYTHING
    ) -> list[tuple[int, float]]:
        """The `k` passages of the highest cosine among this user's, within the filter, best first.

        Args:
            vector: shape (dimension,), unit length.
        """
        if k < 1:
            return []

        def work(db: sqlite_utils.Database) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
            self._follow(db)
            searched = self._searched(db, user_id, limited)
            places = self._worth_reading(vector, max(k, _EXACT), searched)
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
        self, vector: Vector, count: int, searched: NDArray[np.intp] | None
    ) -> NDArray[np.intp]:
        """Of the places that are searched (None: all) those whose vectors are to be compared."""
        distances = self._codes.distances(vector, searched)
        worth = shortlist(distances, count, self.dimension)
        return worth if searched is None else searched[worth]

    def _searched(self, db: sqlite_utils.Database, user_id: str, limited: Filter) -> NDArray[np.intp] | None:
        """The places of the codes of this user's documents within the filter; None: all there are."""
        if not limited and user_id in self._of_users:
            return self._of_users[user_id]
        where = condition(user_id, limited)
        query = f"SELECT d.serial FROM documents d WHERE {where.sql}"  # noqa: S608 - see filtering.py
        wanted = [row[0] for row in db.execute(query, where.values).fetchall()]
        places = self._table().places(wanted)
        searched = None if len(places) == len(self._codes) else places
        if not limited:
            self._of_users[user_id] = searched
        return searched

    def _table(self) -> RunTable:
        if self._runs_table is None:
            self._runs_table = RunTable.of(self._runs)
        return self._runs_table

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
        self._runs_changed()
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
            document: Run(int(places[run.start]), int(places[run.start]) + run.stop - run.start)
            for document, run in self._runs.items()
        }
        self._codes.keep(kept)
        self._ids = self._ids[kept]

    def _read_codes(self, db: sqlite_utils.Database, which: str, *values: object) -> list[CodesRow]:
        query = f"""
            SELECT c.first, c.count, c.codes, c.document FROM codes c
            WHERE {which} AND c.embedder = ? ORDER BY c.first
        """  # noqa: S608 - only the constants of `_follow` are put in
        rows: list[CodesRow] = db.execute(query, [*values, self.embedder]).fetchall()
        return rows

    def _add(self, rows: Sequence[CodesRow]) -> None:
        start = len(self._codes)
        ids = [self._ids]
        for first, count, _, document in rows:
            self._runs[document] = Run(start, start + count)
            ids.append(np.arange(first, first + count))
            start += count
            self._last_passage = max(self._last_passage, first + count - 1)
        self._ids = np.concatenate(ids)
        codes = np.frombuffer(b"".join(row[2] for row in rows), np.uint8)
        self._codes.append(codes.reshape(-1, code_bytes(self.dimension)))
        self._runs_changed()

    def _runs_changed(self) -> None:
        self._of_users.clear()
        self._runs_table = None
