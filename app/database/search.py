"""Finding passages: by words (FTS5, BM25) and by meaning (vectors, cosine)."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from app.database import collections, full_text
from app.database.connection import Database
from app.database.filtering import Condition, condition, size
from app.database.vectors import Vectors
from app.filters import EVERYTHING, Filter
from app.records import Passage

# Lower is better in FTS5. A word in the headings above a passage counts as much as one in it.
_SCORE = "bm25(passages_fts, 1.0, 1.0)"
_ALL = f"""
    SELECT rowid, {_SCORE} AS score FROM passages_fts WHERE passages_fts MATCH ?
    ORDER BY score, rowid LIMIT ?
"""  # noqa: S608 - only the constant above is put in
# Whose a match is, is looked up among ids alone: its row holds the text, and would have to be read.
_OWNED = f"""
    WITH searched AS MATERIALIZED (
        SELECT p.id FROM documents d JOIN passages p ON p.document = d.serial
        WHERE {{where}} AND (:among IS NULL OR p.id IN (SELECT value FROM json_each(:among)))
    )
    SELECT f.rowid, {_SCORE} AS score FROM passages_fts f
    WHERE passages_fts MATCH :match AND +f.rowid IN searched
    ORDER BY score, f.rowid LIMIT :k
"""  # noqa: S608 - only the constant above is put in
# A cross join is made in the order it is written: these passages first, and not all of the documents'.
_OF_THESE = """
    SELECT p.id FROM passages p CROSS JOIN documents d ON d.serial = p.document
    WHERE p.id IN (SELECT value FROM json_each(:ids)) AND {where}
"""
_WITHIN = """
    SELECT p.id FROM passages p JOIN documents d ON d.serial = p.document
    WHERE {where}
    AND (:pages IS NULL OR (d.paged AND p.page IN (SELECT value FROM json_each(:pages))))
    AND (:match IS NULL OR p.id IN (SELECT rowid FROM passages_fts WHERE passages_fts MATCH :match))
    ORDER BY p.id LIMIT 10000
"""
# Of more passages than these no list is made: the best matches are taken in turn until enough of them
# are among those that may be found.
_LISTED_AT_MOST = 20_000
# How many more matches are looked at than should be needed, and how much further where they were too few.
_RESERVE, _FURTHER = 1.5, 8


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage found. `score`: higher is better; BM25 and cosine are not comparable."""

    passage_id: int
    score: float


class Search:
    """Search over the passages of ready documents. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._vectors: Vectors | None = None

    def full_text(
        self,
        user_id: str,
        text: str,
        k: int,
        limited: Filter = EVERYTHING,
        *,
        spellings: Sequence[str] = (),
        among: Sequence[int] | None = None,
    ) -> list[Hit]:
        """The `k` passages that match the words of `text` best by BM25, best first.

        Any text will do: quotes, operators and signs are no syntax here. A text without a word
        that occurs gives []. `among` limits the search to these passages; `spellings` are further
        phrases that count as words of the text.
        """
        if k < 1:
            return []
        where = condition(user_id, limited)

        def work(db: sqlite_utils.Database) -> list[Hit]:
            match = full_text.expression(db, text, spellings)
            if match is None:
                return []
            if among is None and not limited and _alone(db, user_id):
                rows = db.execute(_ALL, [match, k]).fetchall()
            elif among is None and (held := size(db, where)[1]) > _LISTED_AT_MOST:
                rows = _in_turn(db, match, k, where, held)
            else:
                values = where.values | {"match": match, "k": k, "among": _listed(among)}
                rows = db.execute(_OWNED.format(where=where.sql), values).fetchall()
            return [Hit(row[0], -row[1]) for row in rows]

        return self._database.read(work)

    def nearest(
        self,
        user_id: str,
        vector: NDArray[np.float32],
        k: int,
        limited: Filter = EVERYTHING,
        *,
        embedder: str | None = None,
        among: Sequence[int] | None = None,
    ) -> list[Hit]:
        """The `k` passages whose vectors have the highest cosine with `vector`, best first.

        In a large library the nearest are found as a rule, not always (`vectors.py`).

        Args:
            among: only these passages; they are known to be this user's.
            vector: shape (dimension,), finite; it is scaled to unit length.
            embedder: SHA-256 of the model that made `vector`: only its passages are compared.
                None: the model of the latest passages.

        Raises:
            ValueError: `vector` has another dimension than that model's.
        """
        query = np.ascontiguousarray(vector, np.float32)
        length = float(np.linalg.norm(query))
        if not np.isfinite(length):
            raise ValueError("the query vector holds a value that is not a number")
        query = query / length if length else query

        vectors = self._of(embedder)
        if vectors is None:
            return []
        if query.shape != (vectors.dimension,):
            raise ValueError(f"a vector of shape {query.shape}; the rows have {vectors.dimension}")
        if among is not None:
            rows = vectors.rows(among)
            scored = sorted(((float(row @ query), -number) for number, row in rows.items()), reverse=True)
            return [Hit(-number, score) for score, number in scored[:k]]
        found = vectors.nearest(query, k, user_id, limited)
        return [Hit(passage, score) for passage, score in found]

    def vectors(self, ids: Sequence[int], *, embedder: str | None = None) -> dict[int, NDArray[np.float32]]:
        """The unit vectors of these passages, shape (dimension,), where that model made one.

        Args:
            embedder: as for `nearest`.
        """
        vectors = self._of(embedder)
        return vectors.rows(ids) if vectors is not None and ids else {}

    def names(self, user_id: str, limited: Filter = EVERYTHING) -> dict[str, str]:
        """The names of the documents, by id."""
        where = condition(user_id, limited)
        query = f"SELECT d.id, d.name FROM documents d WHERE {where.sql}"  # noqa: S608 - see filtering.py
        return dict(self._database.read(lambda db: db.execute(query, where.values).fetchall()))

    def any_within(self, user_id: str, limited: Filter) -> bool:
        """Whether the filter leaves any document."""
        where = condition(user_id, limited)
        query = f"SELECT 1 FROM documents d WHERE {where.sql} LIMIT 1"  # noqa: S608 - see filtering.py
        return self._database.read(lambda db: db.execute(query, where.values).fetchone()) is not None

    def collections(self, user_id: str) -> dict[str, str]:
        """The names of the collections and of the followed folders, by id."""
        return self._database.read(lambda db: collections.names(db, user_id))

    def within(
        self,
        user_id: str,
        limited: Filter = EVERYTHING,
        *,
        pages: Sequence[int] | None = None,
        phrase: str | None = None,
    ) -> list[int]:
        """The ids of at most 10,000 passages that lie on one of `pages` and hold the words of `phrase`.

        Only documents that have pages of their own count where pages are asked for. Inflected forms
        of the phrase's words count as the words; a phrase without a word is in no passage.
        """
        match = None if phrase is None else full_text.any_of([phrase])
        if match == "":
            return []
        where = condition(user_id, limited)
        query, values = _WITHIN.format(where=where.sql), {"pages": _listed(pages), "match": match}
        rows = self._database.read(lambda db: db.execute(query, where.values | values).fetchall())
        return [row[0] for row in rows]

    def passages(self, ids: Sequence[int]) -> tuple[Passage, ...]:
        """The passages with these ids, in this order; those deleted meanwhile are left out."""
        query = """
            SELECT p.id, d.id, d.name, d.paged, p.page, p.start, p.stop, p.heading, p.text
            FROM passages p JOIN documents d ON d.serial = p.document
            WHERE p.id IN (SELECT value FROM json_each(?))
        """
        listed = _listed([int(passage) for passage in ids])
        rows = self._database.read(lambda db: db.execute(query, [listed]).fetchall())
        found = {row[0]: Passage(row[0], row[1], row[2], bool(row[3]), *row[4:]) for row in rows}
        return tuple(found[passage] for passage in ids if passage in found)

    def makers(self) -> frozenset[str]:
        """The SHA-256 of each model that some document's vectors are of."""
        query = "SELECT sha256 FROM embedders e WHERE EXISTS (SELECT 1 FROM codes WHERE embedder = e.id)"
        return self._database.read(lambda db: frozenset(row[0] for row in db.execute(query)))

    def vector_count(self) -> int:
        """How many vectors there are, of all users and embedders."""
        return int(self._database.read(lambda db: db.execute("SELECT count(*) FROM vectors").fetchone()[0]))

    def _of(self, sha256: str | None) -> Vectors | None:
        """The vectors of an embedder; those of one model at a time are held in memory."""
        if sha256 is None:
            query = (
                "SELECT e.id, e.dimension FROM vectors v JOIN embedders e ON e.id = v.embedder"
                " ORDER BY v.passage DESC LIMIT 1"
            )
        else:
            query = "SELECT id, dimension FROM embedders WHERE sha256 = ?"
        values = [] if sha256 is None else [sha256]
        row = self._database.read(lambda db: db.execute(query, values).fetchone())
        if row is None:
            return None
        with self._lock:
            if self._vectors is None or self._vectors.embedder != row[0]:
                self._vectors = Vectors(self._database, row[0], row[1])
            return self._vectors


def _listed(values: Sequence[str] | Sequence[int] | None) -> str | None:
    """As SQLite's json_each takes it; None: no limit."""
    return None if values is None else json.dumps(list(values))


def _in_turn(
    db: sqlite_utils.Database, match: str, k: int, where: Condition, held: int
) -> list[tuple[int, float]]:
    """The `k` best matches that may be found, of which there are about `held` passages."""
    whole = db.execute("SELECT coalesce(sum(passages), 0) FROM documents").fetchone()[0]
    depth = int(k * _RESERVE * max(whole / held, 1)) + k
    while True:
        rows = db.execute(_ALL, [match, depth]).fetchall()
        values = where.values | {"ids": _listed([row[0] for row in rows])}
        allowed = {row[0] for row in db.execute(_OF_THESE.format(where=where.sql), values)}
        found = [row for row in rows if row[0] in allowed][:k]
        if len(found) == k or len(rows) < depth:
            return found
        depth *= _FURTHER


def _alone(db: sqlite_utils.Database, user_id: str) -> bool:
    """Whether all passages are this user's: then the look-up of each match's owner is spared."""
    return db.execute("SELECT 1 FROM users WHERE id <> ? LIMIT 1", [user_id]).fetchone() is None
