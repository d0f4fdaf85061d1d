"""What is made from a document: its pages, its passages with full text, and their vectors.

These functions work within a transaction of the caller's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from app.database.codes import codes_of
from app.database.text import storable

# How a vector lies in its row: float16, little-endian. Half the size of float32; a cosine of two
# unit vectors of 384 dimensions changes by about 1e-5.
PACKED = np.dtype("<f2")


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of one page as it was read; `number` counts from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class NewPassage:
    """A passage to store: `text` is page text[start:end]; `text_hash` its SHA-256 in hex."""

    page: int
    start: int
    end: int
    heading: str | None
    text: str
    text_hash: str


def packed(vectors: NDArray[np.float32], count: int) -> NDArray[np.float16]:
    """Scale vectors of shape (count, dimension) to unit length, as they are stored.

    Raises:
        ValueError: another shape, or a value that is not a number.
    """
    if vectors.ndim != 2 or len(vectors) != count:
        raise ValueError(f"{count} passages, but vectors of shape {vectors.shape}")
    if not np.isfinite(vectors).all():
        raise ValueError("a vector holds a value that is not a number")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(PACKED)


def fill(
    db: sqlite_utils.Database,
    document: int,
    *,
    pages: Sequence[PageText],
    passages: Sequence[NewPassage],
    vectors: NDArray[np.float16],
    embedder: str,
    made_from: Sequence[bytes | None],
) -> None:
    """Store what was made from the document with this serial number; a trigger makes the full text."""
    db.conn.executemany(
        "INSERT INTO pages (document, number, text) VALUES (?, ?, ?)",
        [(document, page.number, storable(page.text)) for page in pages],
    )
    # The ids of one document's passages follow each other; the vectors in memory rely on it.
    first = _next_passage(db)
    db.conn.executemany(
        "INSERT INTO passages (id, document, page, start, stop, heading, text, text_hash)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                first + place,
                document,
                passage.page,
                passage.start,
                passage.end,
                storable(passage.heading),
                storable(passage.text),
                bytes.fromhex(passage.text_hash),
            )
            for place, passage in enumerate(passages)
        ],
    )
    model = _embedder(db, embedder, vectors.shape[1])
    db.conn.executemany(
        "INSERT INTO vectors (passage, document, embedder, vector, made_from) VALUES (?, ?, ?, ?, ?)",
        [
            (first + place, document, model, row.tobytes(), source)
            for place, (row, source) in enumerate(zip(vectors, made_from, strict=True))
        ],
    )
    if len(vectors):
        db.execute(
            "INSERT INTO codes (first, document, embedder, count, codes) VALUES (?, ?, ?, ?, ?)",
            [first, document, model, len(vectors), codes_of(vectors).tobytes()],
        )


def clear(db: sqlite_utils.Database, document: int) -> None:
    """Remove what was made from a document; vectors and full text go by cascade and trigger."""
    db.execute("DELETE FROM pages WHERE document = ?", [document])
    gone = db.execute("DELETE FROM passages WHERE document = ?", [document]).rowcount
    if gone:
        db.execute("INSERT INTO removals (document) VALUES (?)", [document])


def _next_passage(db: sqlite_utils.Database) -> int:
    row = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'passages'").fetchone()
    return 1 if row is None else int(row[0]) + 1


def _embedder(db: sqlite_utils.Database, sha256: str, dimension: int) -> int:
    row = db.execute("SELECT id, dimension FROM embedders WHERE sha256 = ?", [sha256]).fetchone()
    if row is None:
        return int(db["embedders"].insert({"sha256": sha256, "dimension": dimension}).last_pk)
    if row[1] != dimension:
        raise ValueError(f"this embedder makes vectors of {row[1]} dimensions, not {dimension}")
    return int(row[0])
