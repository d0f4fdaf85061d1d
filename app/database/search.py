"""Finding passages: by words (FTS5, BM25) and by meaning (vectors, cosine)."""

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from app.database import full_text
from app.database.connection import Database
from app.database.vectors import Vectors
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
        WHERE d.user_id = ?2 AND (?3 IS NULL OR d.id IN (SELECT value FROM json_each(?3)))
        AND (?5 IS NULL OR p.id IN (SELECT value FROM json_each(?5)))
    )
    SELECT f.rowid, {_SCORE} AS score FROM passages_fts f
    WHERE passages_fts MATCH ?1 AND +f.rowid IN searched
    ORDER BY score, f.rowid LIMIT ?4
"""  # noqa: S608 - only the constant above is put in
_WITHIN = """
    SELECT p.id FROM passages p JOIN documents d ON d.serial = p.document
    WHERE d.user_id = ?1
    AND (?2 IS NULL OR d.id IN (SELECT value FROM json_each(?2)))
    AND (?3 IS NULL OR (d.paged AND p.page IN (SELECT value FROM json_each(?3))))
    AND (?4 IS NULL OR p.id IN (SELECT rowid FROM passages_fts WHERE passages_fts MATCH ?4))
    ORDER BY p.id LIMIT 10000
"""


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
        document_ids: Sequence[str] | None = None,
        *,
        spellings: Sequence[str] = (),
        among: Sequence[int] | None = None,
    ) -> list[Hit]:
        """The `k` passages that match the words of `text` best by BM25, best first.

        Any text will do: quotes, operators and signs are no syntax here. A text without a word
        that occurs gives []. `document_ids` limits the search to these documents, `among` to these
        passages; `spellings` are further phrases that count as words of the text.
        """
        if k < 1:
            return []
        wanted, those = _listed(document_ids), _listed(among)

        def work(db: sqlite_utils.Database) -> list[Hit]:
            match = full_text.expression(db, text, spellings)
            if match is None:
                return []
            if wanted is None and those is None and _alone(db, user_id):
                rows = db.execute(_ALL, [match, k])
            else:
                rows = db.execute(_OWNED, [match, user_id, wanted, k, those])
            return [Hit(row[0], -row[1]) for row in rows]

        return self._database.read(work)

    def nearest(
        self,
        user_id: str,
        vector: NDArray[np.float32],
        k: int,
        document_ids: Sequence[str] | None = None,
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
        wanted = None if document_ids is None else frozenset(document_ids)
        found = vectors.nearest(query, k, user_id, wanted)
        return [Hit(passage, score) for passage, score in found]

    def vectors(self, ids: Sequence[int], *, embedder: str | None = None) -> dict[int, NDArray[np.float32]]:
        """The unit vectors of these passages, shape (dimension,), where that model made one.

        Args:
            embedder: as for `nearest`.
        """
        vectors = self._of(embedder)
        return vectors.rows(ids) if vectors is not None and ids else {}

    def names(self, user_id: str, document_ids: Sequence[str] | None = None) -> dict[str, str]:
        """The names of the documents, by id."""
        query = (
            "SELECT id, name FROM documents WHERE user_id = ?1"
            " AND (?2 IS NULL OR id IN (SELECT value FROM json_each(?2)))"
        )
        rows = self._database.read(lambda db: db.execute(query, [user_id, _listed(document_ids)]).fetchall())
        return dict(rows)

    def within(
        self,
        user_id: str,
        document_ids: Sequence[str] | None = None,
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
        values = [user_id, _listed(document_ids), _listed(pages), match]
        return [row[0] for row in self._database.read(lambda db: db.execute(_WITHIN, values).fetchall())]

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


def _alone(db: sqlite_utils.Database, user_id: str) -> bool:
    """Whether all passages are this user's: then the look-up of each match's owner is spared."""
    return db.execute("SELECT 1 FROM users WHERE id <> ? LIMIT 1", [user_id]).fetchone() is None
