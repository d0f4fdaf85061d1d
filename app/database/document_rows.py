"""Single rows of the documents table, and how a document's state goes from one to the next.

These functions work within a transaction of the caller's.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import sqlite_utils

from app.database.passages import clear
from app.database.text import storable
from app.errors import NotFoundError
from app.records import Document, Problem


def one(db: sqlite_utils.Database, query: str, values: Sequence[object]) -> dict[str, Any] | None:
    """The first row of a query, or None."""
    row: dict[str, Any] | None = next(iter(db.query(query, values)), None)
    return row


def row_of(
    db: sqlite_utils.Database,
    document_id: str,
    user_id: str | None = None,
    *,
    content_hash: str | None = None,
) -> dict[str, Any]:
    """The row of a document.

    Args:
        user_id: whose it has to be; None: anybody's.
        content_hash: the state of its file that the caller has worked on; None: any.

    Raises:
        NotFoundError: there is none (any more), or its file has another content by now.
    """
    row = one(db, "SELECT * FROM documents WHERE id = ?", [document_id])
    if row is None or user_id not in (None, row["user_id"]):
        raise NotFoundError("This document is not in the library (any more).")
    if content_hash not in (None, row["content_hash"]):
        raise NotFoundError("The file has changed meanwhile; it is read again.")
    return row


def row_by_serial(db: sqlite_utils.Database, serial: int) -> dict[str, Any]:
    """The row of the document with this serial number, which must be there."""
    return next(iter(db.query("SELECT * FROM documents WHERE serial = ?", [serial])))


def by_serial(db: sqlite_utils.Database, serial: int) -> Document:
    """The document with this serial number, which must be there."""
    return document_of(row_by_serial(db, serial))


def change(db: sqlite_utils.Database, serial: int, changes: Mapping[str, object]) -> Document:
    """Set some columns of a row, and return the document as it is then."""
    if changes:
        db["documents"].update(serial, dict(changes))
    return by_serial(db, serial)


def queue(db: sqlite_utils.Database, serial: int) -> None:
    """Put a document back to its beginning, with a fresh job.

    What was made from an earlier state of its file (`changed`) stays until the new one is read.
    """
    kept = db.execute("SELECT changed FROM documents WHERE serial = ?", [serial]).fetchone()[0]
    if not kept:
        clear(db, serial)
    db.execute(
        "UPDATE documents SET status = 'queued', pages_read = 0, passages = 0, passages_embedded = 0,"
        " error_code = NULL, error_message = NULL, ready_at = CASE WHEN changed THEN ready_at END"
        " WHERE serial = ?",
        [serial],
    )
    db.execute("DELETE FROM jobs WHERE document = ?", [serial])
    db.execute("INSERT INTO jobs (document, created_at) VALUES (?, ?)", [serial, time.time()])


def end_job(db: sqlite_utils.Database, serial: int) -> None:
    """The reading of a document has come to its end, whichever."""
    db.execute("DELETE FROM jobs WHERE document = ?", [serial])
    # What a model has read that is to take over is still needed (renewals.py).
    db.execute(
        "DELETE FROM journal WHERE document = ? AND embedder NOT IN (SELECT id FROM embedders WHERE is_next)",
        [serial],
    )


def fail(
    db: sqlite_utils.Database, document_id: str, problem: Problem, *, job: int | None = None
) -> Document:
    """Mark a document `failed`, with the reason, and end its job.

    What was made from an earlier state of its file stays: it is still what can be asked.

    Args:
        job: the job whose work failed; None: whichever there is.

    Raises:
        NotFoundError: it was deleted meanwhile, or queued anew; nothing is written.
    """
    row = row_of(db, document_id)
    if job is not None and db.execute("SELECT 1 FROM jobs WHERE id = ?", [job]).fetchone() is None:
        raise NotFoundError("The document was queued anew meanwhile.")
    serial = row["serial"]
    if not row["changed"]:
        clear(db, serial)
    end_job(db, serial)
    changes = {
        "status": "failed",
        "error_code": problem.code,
        "error_message": storable(problem.message),
        "ready_at": row["ready_at"] if row["changed"] else None,
    }
    return change(db, serial, changes)


def document_of(row: Mapping[str, Any]) -> Document:
    """A row as it crosses the wire."""
    code = row["error_code"]
    return Document(
        id=row["id"],
        name=row["name"],
        path=row["path"],
        content_hash=row["content_hash"],
        media_type=row["media_type"],
        size=row["size"],
        status=row["status"],
        paged=bool(row["paged"]),
        pages=row["pages"],
        pages_read=row["pages_read"],
        passages=row["passages"],
        passages_embedded=row["passages_embedded"],
        error=None if code is None else Problem(code, row["error_message"] or ""),
        added_at=row["added_at"],
        ready_at=row["ready_at"],
        changed=bool(row["changed"]),
        missing=bool(row["missing"]),
        pages_empty=row["pages_empty"],
        pages_by_ocr=row["pages_by_ocr"],
        read_s=row["read_s"],
        embed_s=row["embed_s"],
        dated=row["added_at"] if row["dated"] is None else row["dated"],
    )
