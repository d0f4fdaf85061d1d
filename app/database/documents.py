"""The documents of a library and what is made from them: pages, passages, full text, vectors.

A document is `queued` with a job, is read and embedded, and becomes `ready` together with all that
was made from it, in one transaction: half a document is never visible. Deleting it takes all of
that away again, in one transaction too. Everything here is thread-safe and blocks.
"""

import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from app.database.connection import Database
from app.database.passages import NewPassage, PageText, clear, fill, packed
from app.database.text import storable
from app.errors import NotFoundError
from app.records import Document, DocumentStatus, Problem

__all__ = ["Counts", "Documents", "NewPassage", "PageText", "fail"]


@dataclass(frozen=True, slots=True)
class Counts:
    """The size of one user's library. `queued` counts documents that are not read yet."""

    documents: int
    passages: int
    vectors: int
    queued: int


class Documents:
    """The documents table and everything that hangs on it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        user_id: str,
        *,
        name: str,
        path: str | None,
        stored: str | None,
        content_hash: str,
        media_type: str,
        size: int,
        paged: bool,
    ) -> tuple[Document, bool]:
        """Take a file in: its row, `queued`, and its job, in one transaction.

        Args:
            path: where the user's file lies, if it was added by path.
            stored: where the upload was kept, if it was uploaded. One of the two is given.
            content_hash: SHA-256 of the file's bytes, in hex.
            size: in bytes.

        Returns:
            The document, and whether the same content was in this user's library already. Then
            nothing is added; one that had failed is queued again; and if its file is gone, the
            document takes the new place over. So after True an upload is still needed exactly
            when `location` names it.
        """

        def work(db: sqlite_utils.Database) -> tuple[Document, bool]:
            known = _one(
                db, "SELECT * FROM documents WHERE user_id = ? AND content_hash = ?", [user_id, content_hash]
            )
            if known is not None:
                if not self._location(known).is_file():
                    db["documents"].update(known["serial"], self._place(path, stored))
                if known["status"] == "failed":
                    _queue(db, known["serial"])
                return _by_serial(db, known["serial"]), True
            row = {
                "id": secrets.token_hex(16),
                "user_id": user_id,
                "name": storable(name),
                "content_hash": content_hash,
                "media_type": media_type,
                "size": size,
                "status": "queued",
                "paged": int(paged),
                "added_at": time.time(),
                **self._place(path, stored),
            }
            serial = db["documents"].insert(row).last_pk
            _queue(db, serial)
            return _by_serial(db, serial), False

        return self._database.write(work)

    def get(self, user_id: str, document_id: str) -> Document:
        """Return one document of this user.

        Raises:
            NotFoundError: it is not (or no longer) in the library.
        """
        return self._database.read(lambda db: _document(_row(db, document_id, user_id)))

    def list(self, user_id: str) -> tuple[Document, ...]:
        """Every document of this user, newest first."""
        query = "SELECT * FROM documents WHERE user_id = ? ORDER BY serial DESC"
        return self._database.read(lambda db: tuple(_document(row) for row in db.query(query, [user_id])))

    def location(self, document_id: str) -> Path:
        """Where the document's file lies: the user's own, or the upload that was kept.

        Raises:
            NotFoundError: there is no such document. (Whether the file exists is not looked at.)
        """
        return self._location(self._database.read(lambda db: _row(db, document_id)))

    def owner(self, document_id: str) -> str:
        """The id of the user whose document it is; raises NotFoundError."""
        return str(self._database.read(lambda db: _row(db, document_id))["user_id"])

    def progress(
        self,
        document_id: str,
        *,
        status: DocumentStatus | None = None,
        pages: int | None = None,
        pages_read: int | None = None,
        passages: int | None = None,
        passages_embedded: int | None = None,
    ) -> Document:
        """Note how far the reading has come; what is None stays. Cheap: no wait for the disk.

        Raises:
            NotFoundError: it was deleted meanwhile; nothing is written.
        """
        given = {
            "status": status,
            "pages": pages,
            "pages_read": pages_read,
            "passages": passages,
            "passages_embedded": passages_embedded,
        }
        changes = {name: value for name, value in given.items() if value is not None}
        return self._database.write(lambda db: _change(db, document_id, changes), durable=False)

    def complete(
        self,
        document_id: str,
        pages: Sequence[PageText],
        passages: Sequence[NewPassage],
        vectors: NDArray[np.float32],
        embedder: str,
        *,
        made_from: Sequence[bytes] | None = None,
    ) -> Document:
        """Store everything made from a document, mark it `ready` and end its job, at once.

        What an earlier reading had made is replaced.

        Args:
            vectors: shape (len(passages), dimension), finite; row i belongs to passage i. Rows
                are scaled to unit length and kept as float16 (cosines stay within about 1e-4).
            embedder: SHA-256 of the model that made them.
            made_from: the `journal.text_key` of the text of each vector, by which others find it; None:
                nobody does.

        Raises:
            NotFoundError: it was deleted meanwhile; nothing is written.
            ValueError: the vectors do not fit the passages.
        """
        rows = packed(vectors, len(passages))

        def work(db: sqlite_utils.Database) -> Document:
            serial = _row(db, document_id)["serial"]
            clear(db, serial)
            sources: Sequence[bytes | None] = made_from or [None] * len(passages)
            fill(
                db,
                serial,
                pages=pages,
                passages=passages,
                vectors=rows,
                embedder=embedder,
                made_from=sources,
            )
            _end_job(db, serial)
            changes = {
                "status": "ready",
                "pages": len(pages),
                "pages_read": len(pages),
                "passages": len(passages),
                "passages_embedded": len(passages),
                "error_code": None,
                "error_message": None,
                "ready_at": time.time(),
            }
            return _change(db, document_id, changes)

        return self._database.write(work)

    def fail(self, document_id: str, problem: Problem) -> Document:
        """Mark a document `failed`, with the reason, and end its job.

        Raises:
            NotFoundError: it was deleted meanwhile; nothing is written.
        """
        return self._database.write(lambda db: fail(db, document_id, problem))

    def requeue(self, document_id: str) -> Document:
        """Queue a document to be read anew; what an earlier reading made goes away.

        Raises:
            NotFoundError: there is no such document.
        """

        def work(db: sqlite_utils.Database) -> Document:
            serial = _row(db, document_id)["serial"]
            _queue(db, serial)
            return _by_serial(db, serial)

        return self._database.write(work)

    def delete(self, user_id: str, document_id: str) -> Path | None:
        """Remove a document and everything made from it; answers keep what they cited.

        Returns:
            The kept upload that nobody needs any more, for the caller to remove; None if the
            document was added by path.

        Raises:
            NotFoundError: it is not (or no longer) in this user's library.
        """

        def work(db: sqlite_utils.Database) -> Path | None:
            row = _row(db, document_id, user_id)
            clear(db, row["serial"])
            db.execute("DELETE FROM documents WHERE serial = ?", [row["serial"]])
            return self._location(row) if row["stored"] is not None else None

        return self._database.write(work)

    def page(self, document_id: str, number: int) -> PageText:
        """The stored text of one page.

        Raises:
            NotFoundError: there is no such document or page, or it is not read yet.
        """
        query = (
            "SELECT p.text FROM pages p JOIN documents d ON d.serial = p.document"
            " WHERE d.id = ? AND p.number = ?"
        )

        def work(db: sqlite_utils.Database) -> PageText:
            row = db.execute(query, [document_id, number]).fetchone()
            if row is None:
                raise NotFoundError(f"This document has no page {number} that was read.")
            return PageText(number, row[0])

        return self._database.read(work)

    def counts(self, user_id: str) -> Counts:
        """How much this user's library holds."""
        query = """
            SELECT count(*),
                coalesce(sum(CASE WHEN status = 'ready' THEN passages END), 0),
                coalesce(sum(CASE WHEN status = 'ready' THEN passages_embedded END), 0),
                coalesce(sum(status IN ('queued', 'reading', 'embedding')), 0)
            FROM documents WHERE user_id = ?
        """
        return Counts(*self._database.read(lambda db: db.execute(query, [user_id]).fetchone()))

    # --- where files lie

    def _place(self, path: str | None, stored: str | None) -> dict[str, object]:
        if (path is None) == (stored is None):
            raise ValueError("a document has either a path or a stored upload")
        if stored is not None:
            # Beside the database if it is there, so that the whole profile can be moved.
            place = Path(stored).absolute()
            root = self._database.path.parent.absolute()
            kept = place.relative_to(root) if place.is_relative_to(root) else place
            return {"path": None, "place": os.fsencode(kept), "stored": storable(str(kept))}
        return {"path": storable(path), "place": os.fsencode(path or ""), "stored": None}

    def _location(self, row: Mapping[str, Any]) -> Path:
        return self._database.path.parent.absolute() / os.fsdecode(row["place"])


def fail(db: sqlite_utils.Database, document_id: str, problem: Problem) -> Document:
    """Mark a document `failed` within a transaction of the caller's; raises NotFoundError."""
    serial = _row(db, document_id)["serial"]
    clear(db, serial)
    _end_job(db, serial)
    changes = {
        "status": "failed",
        "error_code": problem.code,
        "error_message": storable(problem.message),
        "ready_at": None,
    }
    return _change(db, document_id, changes)


def _one(db: sqlite_utils.Database, query: str, values: Sequence[object]) -> dict[str, Any] | None:
    row: dict[str, Any] | None = next(iter(db.query(query, values)), None)
    return row


def _row(db: sqlite_utils.Database, document_id: str, user_id: str | None = None) -> dict[str, Any]:
    row = _one(db, "SELECT * FROM documents WHERE id = ?", [document_id])
    if row is None or user_id not in (None, row["user_id"]):
        raise NotFoundError("This document is not in the library (any more).")
    return row


def _by_serial(db: sqlite_utils.Database, serial: int) -> Document:
    return _document(next(iter(db.query("SELECT * FROM documents WHERE serial = ?", [serial]))))


def _change(db: sqlite_utils.Database, document_id: str, changes: Mapping[str, object]) -> Document:
    serial = _row(db, document_id)["serial"]
    if changes:
        db["documents"].update(serial, dict(changes))
    return _by_serial(db, serial)


def _queue(db: sqlite_utils.Database, serial: int) -> None:
    """Put a document back to its beginning, with a fresh job."""
    clear(db, serial)
    db.execute(
        "UPDATE documents SET status = 'queued', pages_read = 0, passages = 0, passages_embedded = 0,"
        " error_code = NULL, error_message = NULL, ready_at = NULL WHERE serial = ?",
        [serial],
    )
    db.execute("DELETE FROM jobs WHERE document = ?", [serial])
    db.execute("INSERT INTO jobs (document, created_at) VALUES (?, ?)", [serial, time.time()])


def _end_job(db: sqlite_utils.Database, serial: int) -> None:
    db.execute("DELETE FROM jobs WHERE document = ?", [serial])
    db.execute("DELETE FROM journal WHERE document = ?", [serial])


def _document(row: Mapping[str, Any]) -> Document:
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
    )
