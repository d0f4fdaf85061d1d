"""The documents of a library and what is made from them: pages, passages, full text, vectors.

A document is `queued` with a job, is read and embedded, and becomes `ready` together with all that
was made from it, in one transaction: half a document is never visible. Deleting it takes all of
that away again, in one transaction too. Everything here is thread-safe and blocks.
"""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import sqlite_utils
from numpy.typing import NDArray

from app.database import placing
from app.database.connection import Database
from app.database.document_rows import (
    by_serial,
    change,
    document_of,
    end_job,
    fail,
    one,
    queue,
    row_of,
)
from app.database.filtering import condition
from app.database.passages import NewPassage, PageText, clear, fill, packed
from app.database.placing import NewFile
from app.database.text import storable
from app.errors import NotFoundError
from app.filters import EVERYTHING, Filter
from app.records import Document, DocumentStatus, Problem

__all__ = ["Counts", "Documents", "NewPassage", "PageText", "Reading", "fail"]


@dataclass(frozen=True, slots=True)
class Counts:
    """The size of one user's library. `queued` counts documents that are not read yet."""

    documents: int
    passages: int
    vectors: int
    queued: int


@dataclass(frozen=True, slots=True)
class Reading:
    """What one reading came to: pages without text, pages by OCR, seconds of each stage."""

    pages_empty: int = 0
    pages_by_ocr: int = 0
    read_s: float | None = None
    embed_s: float | None = None


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

        if (path is None) == (stored is None):
            raise ValueError("a document has either a path or a stored upload")
        file = NewFile(path or "", name, content_hash, media_type, size, paged)

        def work(db: sqlite_utils.Database) -> tuple[Document, bool]:
            if stored is not None:
                serial, known = self._keep(db, user_id, file, stored)
            else:
                touched: dict[int, None] = {}
                root = self._database.path.parent
                serial, how = placing.take(db, root, user_id, file, by_hand=True, touched=touched)
                known = how in ("known", "same")
                for other in touched:
                    placing.settle(db, other)
            return by_serial(db, serial), known

        return self._database.write(work)

    def get(self, user_id: str, document_id: str) -> Document:
        """Return one document of this user.

        Raises:
            NotFoundError: it is not (or no longer) in the library.
        """
        return self._database.read(lambda db: document_of(row_of(db, document_id, user_id)))

    def list(self, user_id: str, limited: Filter = EVERYTHING) -> tuple[Document, ...]:
        """Every document of this user within the filter, newest first."""
        where = condition(user_id, limited)
        query = f"SELECT * FROM documents d WHERE {where.sql} ORDER BY serial DESC"  # noqa: S608 - see filtering.py
        return self._database.read(
            lambda db: tuple(document_of(row) for row in db.query(query, where.values))
        )

    def location(self, document_id: str) -> Path:
        """Where the document's file lies: the user's own, or the upload that was kept.

        Raises:
            NotFoundError: there is no such document. (Whether the file exists is not looked at.)
        """
        return self._location(self._database.read(lambda db: row_of(db, document_id)))

    def owner(self, document_id: str) -> str:
        """The id of the user whose document it is; raises NotFoundError."""
        return str(self._database.read(lambda db: row_of(db, document_id))["user_id"])

    def progress(
        self,
        document_id: str,
        *,
        status: DocumentStatus | None = None,
        pages: int | None = None,
        pages_read: int | None = None,
        passages: int | None = None,
        passages_embedded: int | None = None,
        content_hash: str | None = None,
    ) -> Document:
        """Note how far the reading has come; what is None stays. Cheap: no wait for the disk.

        Args:
            content_hash: what is being read; None: whatever the document is.

        Raises:
            NotFoundError: it was deleted meanwhile, or its file changed; nothing is written.
        """
        given = {
            "status": status,
            "pages": pages,
            "pages_read": pages_read,
            "passages": passages,
            "passages_embedded": passages_embedded,
        }
        changes = {name: value for name, value in given.items() if value is not None}

        def work(db: sqlite_utils.Database) -> Document:
            return change(db, row_of(db, document_id, content_hash=content_hash)["serial"], changes)

        return self._database.write(work, durable=False)

    def complete(
        self,
        document_id: str,
        pages: Sequence[PageText],
        passages: Sequence[NewPassage],
        vectors: NDArray[np.float32],
        embedder: str,
        *,
        made_from: Sequence[bytes] | None = None,
        content_hash: str | None = None,
        reading: Reading | None = None,
    ) -> Document:
        """Store everything made from a document, mark it `ready` and end its job, at once.

        What an earlier reading had made could be searched until now, and is replaced.

        Args:
            vectors: shape (len(passages), dimension), finite; row i belongs to passage i. Rows
                are scaled to unit length and kept as float16 (cosines stay within about 1e-4).
            embedder: SHA-256 of the model that made them.
            made_from: the `journal.text_key` of the text of each vector, by which others find it; None:
                nobody does.
            content_hash: what was read; None: whatever the document is.
            reading: what there is to say of it.

        Raises:
            NotFoundError: it was deleted meanwhile, or its file changed; nothing is written.
            ValueError: the vectors do not fit the passages.
        """
        rows = packed(vectors, len(passages))

        def work(db: sqlite_utils.Database) -> Document:
            serial = row_of(db, document_id, content_hash=content_hash)["serial"]
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
            end_job(db, serial)
            changes = {
                "status": "ready",
                "pages": len(pages),
                "pages_read": len(pages),
                "passages": len(passages),
                "passages_embedded": len(passages),
                "error_code": None,
                "error_message": None,
                "ready_at": time.time(),
                "changed": 0,
                **asdict(reading or Reading()),
            }
            return change(db, serial, changes)

        return self._database.write(work)

    def fail(self, document_id: str, problem: Problem, *, job: int | None = None) -> Document:
        """Mark a document `failed`, with the reason, and end its job.

        Args:
            job: the job whose work failed; None: whichever there is.

        Raises:
            NotFoundError: it was deleted or queued anew meanwhile; nothing is written.
        """
        return self._database.write(lambda db: fail(db, document_id, problem, job=job))

    def requeue(self, document_id: str) -> Document:
        """Queue a document to be read anew; what an earlier reading made of the same file goes away.

        Raises:
            NotFoundError: there is no such document.
        """

        def work(db: sqlite_utils.Database) -> Document:
            serial = row_of(db, document_id)["serial"]
            queue(db, serial)
            return by_serial(db, serial)

        return self._database.write(work)

    def delete(self, user_id: str, document_id: str) -> Path | None:
        """Remove a document and everything made from it; answers keep what they cited.

        Its files in followed folders do not come back by themselves.

        Returns:
            The kept upload that nobody needs any more, for the caller to remove; None if the
            document was added by path.

        Raises:
            NotFoundError: it is not (or no longer) in this user's library.
        """

        def work(db: sqlite_utils.Database) -> Path | None:
            row = row_of(db, document_id, user_id)
            clear(db, row["serial"])
            placing.set_aside(db, row["serial"])
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
                coalesce(sum(passages_held), 0), coalesce(sum(passages_held), 0),
                coalesce(sum(status IN ('queued', 'reading', 'embedding')), 0)
            FROM (
                SELECT status, CASE WHEN status = 'ready' THEN passages
                    WHEN changed THEN (SELECT count(*) FROM passages p WHERE p.document = serial)
                    END AS passages_held
                FROM documents WHERE user_id = ?
            )
        """
        return Counts(*self._database.read(lambda db: db.execute(query, [user_id]).fetchone()))

    # --- where files lie

    def _keep(self, db: sqlite_utils.Database, user_id: str, file: NewFile, stored: str) -> tuple[int, bool]:
        """Take in an upload; returns the serial number of its document, and whether that was known."""
        # Beside the database if it is there, so that the whole profile can be moved.
        place = Path(stored).absolute()
        root = self._database.path.parent.absolute()
        kept = place.relative_to(root) if place.is_relative_to(root) else place
        where = {"path": None, "place": os.fsencode(kept), "stored": storable(str(kept))}
        query = "SELECT * FROM documents WHERE user_id = ? AND content_hash = ?"
        known = one(db, query, [user_id, file.content_hash])
        if known is None:
            return placing.insert(db, user_id, file, where), False
        if not self._location(known).is_file():
            db["documents"].update(known["serial"], where | {"missing": 0})
        if known["status"] == "failed":
            queue(db, known["serial"])
        return known["serial"], True

    def _location(self, row: Mapping[str, Any]) -> Path:
        return self._database.path.parent.absolute() / os.fsdecode(row["place"])
