"""Vectors of another model in the place of those that are there.

Which models made the library's vectors, and where their files lie; which one is to take over; and the
transaction in which it does. Its vectors wait in the journal until then, so that a kill costs none.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlite_utils

from app.database.codes import codes_of
from app.database.connection import Database
from app.database.passages import PACKED

# Documents whose vectors are another model's. A document's codes are its vectors' (agreement.py).
_BEHIND = """
    SELECT d.serial, d.id FROM codes c JOIN documents d ON d.serial = c.document
    WHERE c.embedder <> ? ORDER BY d.serial
"""
_ITS_VECTORS = """
    SELECT v.passage, coalesce(
        (SELECT vector FROM journal WHERE made_from = v.made_from AND embedder = ?1),
        (SELECT vector FROM vectors WHERE made_from = v.made_from AND embedder = ?1 LIMIT 1)
    )
    FROM vectors v WHERE v.document = ?2 ORDER BY v.passage
"""

_AT_ONCE = 1_000  # vectors of the journal that are cleared in one transaction


@dataclass(frozen=True, slots=True)
class Maker:
    """A model that made the vectors of so many documents. `file`: where it lay; None: of the program."""

    sha256: str
    file: Path | None
    documents: int


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """What a passage's vector is made from; `made_from` as in `Journal`, None where it is not known."""

    id: int
    heading: str | None
    text: str
    made_from: bytes | None


class Renewals:
    """Models, and the vectors that they made. Thread-safe; blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def makers(self) -> tuple[Maker, ...]:
        """The models of the vectors there are, the one of the most documents first."""
        query = """
            SELECT e.sha256, e.file, count(*) FROM codes c JOIN embedders e ON e.id = c.embedder
            GROUP BY e.id ORDER BY count(*) DESC, e.id
        """
        return self._database.read(
            lambda db: tuple(
                Maker(sha256, None if file is None else Path(os.fsdecode(file)), documents)
                for sha256, file, documents in db.execute(query)
            )
        )

    def remember(self, sha256: str, dimension: int, file: Path | None) -> None:
        """Note where the file of a model lies; None: it comes with the program."""
        place = None if file is None else os.fsencode(file)

        def work(db: sqlite_utils.Database) -> None:
            db.execute(
                "INSERT INTO embedders (sha256, dimension, file) VALUES (?, ?, ?)"
                " ON CONFLICT (sha256) DO UPDATE SET file = excluded.file WHERE file IS NOT excluded.file",
                [sha256, dimension, place],
            )

        self._database.write(work)

    def behind(self, sha256: str) -> tuple[str, ...]:
        """The ids of documents whose vectors another model made, oldest first."""

        def work(db: sqlite_utils.Database) -> tuple[str, ...]:
            return tuple(document for _, document in db.execute(_BEHIND, [_model(db, sha256)]))

        return self._database.read(work)

    def begin(self, sha256: str) -> None:
        """Let the vectors of a model that is known wait in the journal; those of any other go."""
        self._let_wait(sha256)

    def end(self) -> None:
        """No model is to take over: nothing waits in the journal for one."""
        query = "SELECT 1 FROM embedders WHERE is_next"
        if self._database.read(lambda db: db.execute(query).fetchone()) is not None:
            self._let_wait(None)

    def passages(self, document_id: str) -> tuple[StoredPassage, ...]:
        """What the vectors of a document are made from, in the order of its passages; none if it is gone."""
        query = """
            SELECT p.id, p.heading, p.text, v.made_from FROM documents d
            JOIN passages p ON p.document = d.serial JOIN vectors v ON v.passage = p.id
            WHERE d.id = ? ORDER BY p.id
        """
        return self._database.read(
            lambda db: tuple(StoredPassage(*row) for row in db.execute(query, [document_id]))
        )

    def name_sources(self, sources: Iterable[tuple[int, bytes]]) -> None:
        """Note what the vectors of passages are made from, which older rows do not know."""
        values = [(made_from, passage) for passage, made_from in sources]
        query = "UPDATE vectors SET made_from = ? WHERE passage = ? AND made_from IS NULL"
        self._database.write(lambda db: db.conn.executemany(query, values) and None, durable=False)

    def replace(self, sha256: str, document_ids: Sequence[str] | None = None) -> tuple[str, ...]:
        """Put a model's vectors in the place of another's, in one transaction.

        They are still in the journal afterwards, until `end`: to clear it takes as long again, and
        whoever wants to write waits for this transaction.

        Args:
            document_ids: of which documents; None: of all. One that is gone is passed over.

        Returns:
            The documents that lack a vector of this model; if there is one, nothing was changed.
        """
        chosen = None if document_ids is None else frozenset(document_ids)

        def work(db: sqlite_utils.Database) -> tuple[str, ...]:
            model = _model(db, sha256)
            behind = db.execute(_BEHIND, [model]).fetchall()
            if chosen is not None:
                behind = [row for row in behind if row[1] in chosen]
            lacking = tuple(document for serial, document in behind if not _replace(db, serial, model))
            if lacking:
                raise _LackingError(lacking)
            return ()

        try:
            return self._database.write(work)
        except _LackingError as lacking:
            return lacking.documents

    def _let_wait(self, sha256: str | None) -> None:
        # Little by little, so that a message that is to be stored need not wait for all of it. A kill
        # in between leaves the mark of the model whose vectors are still there.
        while self._database.write(lambda db: _forget(db, sha256), durable=False):
            continue
        self._database.write(
            lambda db: (
                db.execute(
                    "UPDATE embedders SET is_next = (sha256 IS ?1) WHERE is_next <> (sha256 IS ?1)", [sha256]
                ).rowcount
            )
        )


class _LackingError(Exception):
    """Takes the transaction back."""

    def __init__(self, documents: tuple[str, ...]) -> None:
        super().__init__(f"{len(documents)} documents")
        self.documents = documents


def _model(db: sqlite_utils.Database, sha256: str) -> int:
    row = db.execute("SELECT id FROM embedders WHERE sha256 = ?", [sha256]).fetchone()
    return -1 if row is None else int(row[0])


def _forget(db: sqlite_utils.Database, sha256: str | None) -> int:
    """Clear some of the journal: only files that are being read, and one model, need it; how many went."""
    cleared: int = db.execute(
        "DELETE FROM journal WHERE (made_from, embedder) IN ("
        " SELECT j.made_from, j.embedder FROM journal j JOIN documents d ON d.serial = j.document"
        " JOIN embedders e ON e.id = j.embedder"
        " WHERE d.status IN ('ready', 'failed') AND e.sha256 IS NOT ? LIMIT ?)",
        [sha256, _AT_ONCE],
    ).rowcount
    return cleared


def _replace(db: sqlite_utils.Database, document: int, model: int) -> bool:
    """Replace a document's vectors and codes; False, and nothing was done, if one is not known."""
    rows = db.execute(_ITS_VECTORS, [model, document]).fetchall()
    if any(vector is None for _, vector in rows):
        return False
    db.conn.executemany(
        "UPDATE vectors SET embedder = ?, vector = ? WHERE passage = ?",
        [(model, vector, passage) for passage, vector in rows],
    )
    vectors = np.frombuffer(b"".join(vector for _, vector in rows), PACKED).reshape(len(rows), -1)
    db.execute(
        "UPDATE codes SET embedder = ?, codes = ? WHERE first = ?",
        [model, codes_of(vectors).tobytes(), rows[0][0]],
    )
    # Whoever holds the old codes drops them, and reads the new ones.
    db.execute("INSERT INTO removals (document) VALUES (?)", [document])
    return True
