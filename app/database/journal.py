"""Vectors that were made once, by what they were made from: none of them is made twice.

A passage's vector depends on the embedder and the text that was embedded, and on nothing else. So
the vectors of every document serve whoever holds the same text: an edited file, a copy with another
page added, a clause that stands in a hundred contracts. Those of a document that is being read
stand in the journal until it is ready, so that a kill costs one batch and not all of them.
"""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from app.database.connection import Database
from app.database.passages import PACKED, packed

_AT_ONCE = 500  # keys of one query


def text_key(text: str) -> bytes:
    """Names an embedded text: the SHA-256 of its UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


class Journal:
    """Finds vectors by what they were made from, and notes new ones. Thread-safe; blocks."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, embedder: str, keys: Iterable[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """The vectors there are: unit length, as they are stored (float16).

        Args:
            embedder: SHA-256 of the model that made them.
            keys: of the texts; see `text_key`.
        """
        wanted = list(dict.fromkeys(keys))

        def work(db: sqlite_utils.Database) -> dict[bytes, NDArray[np.float32]]:
            found: dict[bytes, NDArray[np.float32]] = {}
            for begin in range(0, len(wanted), _AT_ONCE):
                some = wanted[begin : begin + _AT_ONCE]
                places = ",".join("?" * len(some))
                for table in ("vectors", "journal"):
                    query = (
                        f"SELECT made_from, vector FROM {table}"  # noqa: S608 - no value is spliced in
                        f" WHERE made_from IN ({places})"
                        " AND embedder = (SELECT id FROM embedders WHERE sha256 = ?)"
                    )
                    for made_from, vector in db.execute(query, [*some, embedder]):
                        found[made_from] = np.frombuffer(vector, PACKED).astype(np.float32)
            return found

        return self._database.read(work)

    def note(
        self, document_id: str, embedder: str, keys: Sequence[bytes], vectors: NDArray[np.float32]
    ) -> None:
        """Keep vectors of a document that is being read; nothing happens if it was deleted meanwhile.

        Survives a kill of the process; no wait for the disk.

        Args:
            vectors: shape (len(keys), dimension), finite.

        Raises:
            ValueError: the vectors do not fit the keys.
        """
        rows = packed(vectors, len(keys))

        def work(db: sqlite_utils.Database) -> None:
            document = db.execute("SELECT serial FROM documents WHERE id = ?", [document_id]).fetchone()
            if document is None:
                return
            # It got further: it is not what ended the program before (see jobs.py).
            db.execute("UPDATE jobs SET attempts = 1 WHERE document = ? AND attempts > 1", [document[0]])
            db.execute(
                "INSERT OR IGNORE INTO embedders (sha256, dimension) VALUES (?, ?)",
                [embedder, rows.shape[1]],
            )
            db.conn.executemany(
                "INSERT OR IGNORE INTO journal (made_from, embedder, document, vector)"
                " VALUES (?, (SELECT id FROM embedders WHERE sha256 = ?), ?, ?)",
                [
                    (made_from, embedder, document[0], row.tobytes())
                    for made_from, row in zip(keys, rows, strict=True)
                ],
            )

        self._database.write(work, durable=False)
