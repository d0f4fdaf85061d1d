"""The schema, as the list of steps that made it. Steps are only ever appended.

A step that was released is never edited: databases of users hold what it made. Each step is one
transaction together with the note that it ran and the new `user_version`.
"""

import numpy as np
import sqlite_utils
from sqlite_utils.migrations import Migrations

from app.database.codes import codes_of

# "Crrl": tells our file from another program's.
APPLICATION = 0x4372726C


def apply(db: sqlite_utils.Database) -> None:
    """Run the steps that this database has not seen."""
    steps = Migrations("carrel")
    for name, step in STEPS:
        steps(name=name)(step)
    if steps.pending(db):
        # Before the first table: a disk that fills up over the first step must not leave a file
        # that looks like another program's at the next start.
        db.execute(f"PRAGMA application_id={APPLICATION}")
        steps.apply(db)


def _finish(db: sqlite_utils.Database, version: int) -> None:
    db.execute(f"PRAGMA application_id={APPLICATION}")
    db.execute(f"PRAGMA user_version={version}")


def _core(db: sqlite_utils.Database) -> None:
    """The three core tables, and the conversations that messages hang in.

    `serial` numbers are never used twice: the vectors in memory are kept in step by them.
    `documents.path` is for showing; `documents.place` is the path's bytes as the system has them.
    """
    for statement in (
        """
        CREATE TABLE users (
            id TEXT PRIMARY KEY,
            name TEXT NOT NULL,
            created_at REAL NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE documents (
            serial INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            path TEXT,
            place BLOB,
            stored TEXT,
            content_hash TEXT NOT NULL,
            media_type TEXT NOT NULL,
            size INTEGER NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('queued', 'reading', 'embedding', 'ready', 'failed')),
            paged INTEGER NOT NULL CHECK (paged IN (0, 1)),
            pages INTEGER,
            pages_read INTEGER NOT NULL DEFAULT 0,
            passages INTEGER NOT NULL DEFAULT 0,
            passages_embedded INTEGER NOT NULL DEFAULT 0,
            error_code TEXT,
            error_message TEXT,
            added_at REAL NOT NULL,
            ready_at REAL,
            UNIQUE (user_id, content_hash)
        ) STRICT
        """,
        """
        CREATE TABLE conversations (
            serial INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
            title TEXT NOT NULL,
            created_at REAL NOT NULL,
            updated_at REAL NOT NULL
        ) STRICT
        """,
        "CREATE INDEX conversations_by_use ON conversations (user_id, updated_at)",
        """
        CREATE TABLE messages (
            serial INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
            conversation_id TEXT NOT NULL REFERENCES conversations(id) ON DELETE CASCADE,
            parent_id TEXT REFERENCES messages(id) ON DELETE SET NULL,
            role TEXT NOT NULL CHECK (role IN ('user', 'assistant')),
            state TEXT NOT NULL
                CHECK (state IN ('running', 'complete', 'stopped', 'failed', 'interrupted')),
            text TEXT NOT NULL,
            rendered_prompt TEXT,
            raw_response TEXT,
            model TEXT,
            model_sha256 TEXT,
            sampling TEXT,
            usage TEXT,
            timings TEXT,
            trace_id TEXT,
            error TEXT,
            sources TEXT NOT NULL DEFAULT '[]',
            citations TEXT NOT NULL DEFAULT '[]',
            found INTEGER NOT NULL DEFAULT 0,
            created_at REAL NOT NULL,
            finished_at REAL
        ) STRICT
        """,
        "CREATE INDEX messages_of_a_conversation ON messages (conversation_id, serial)",
        "CREATE INDEX messages_by_parent ON messages (parent_id)",
        "CREATE INDEX messages_running ON messages (state) WHERE state = 'running'",
    ):
        db.execute(statement)
    _finish(db, 1)


def _reading(db: sqlite_utils.Database) -> None:
    """What is made from the documents and can be made again: pages, passages, full text, vectors.

    The full text holds no copy of the passages (external content); triggers keep the two in step,
    also when rows go by cascade. `removals` tells the vectors in memory which ones to drop.
    """
    for statement in (
        """
        CREATE TABLE pages (
            document INTEGER NOT NULL REFERENCES documents(serial) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            text TEXT NOT NULL,
            UNIQUE (document, number)
        ) STRICT
        """,
        """
        CREATE TABLE passages (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document INTEGER NOT NULL REFERENCES documents(serial) ON DELETE CASCADE,
            page INTEGER NOT NULL,
            start INTEGER NOT NULL,
            stop INTEGER NOT NULL CHECK (stop >= start),
            heading TEXT,
            text TEXT NOT NULL,
            text_hash BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX passages_of_a_document ON passages (document)",
        """
        CREATE VIRTUAL TABLE passages_fts USING fts5 (
            text, heading, content='passages', content_rowid='id',
            tokenize='porter unicode61 remove_diacritics 2'
        )
        """,
        "CREATE VIRTUAL TABLE passages_terms USING fts5vocab (passages_fts, row)",
        """
        CREATE TRIGGER passages_added AFTER INSERT ON passages BEGIN
            INSERT INTO passages_fts (rowid, text, heading) VALUES (new.id, new.text, new.heading);
        END
        """,
        """
        CREATE TRIGGER passages_removed AFTER DELETE ON passages BEGIN
            INSERT INTO passages_fts (passages_fts, rowid, text, heading)
            VALUES ('delete', old.id, old.text, old.heading);
        END
        """,
        """
        CREATE TRIGGER passages_changed AFTER UPDATE ON passages BEGIN
            INSERT INTO passages_fts (passages_fts, rowid, text, heading)
            VALUES ('delete', old.id, old.text, old.heading);
            INSERT INTO passages_fts (rowid, text, heading) VALUES (new.id, new.text, new.heading);
        END
        """,
        """
        CREATE TABLE embedders (
            id INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL UNIQUE,
            dimension INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE vectors (
            passage INTEGER PRIMARY KEY REFERENCES passages(id) ON DELETE CASCADE,
            document INTEGER NOT NULL,
            embedder INTEGER NOT NULL REFERENCES embedders(id),
            vector BLOB NOT NULL
        ) STRICT
        """,
        "CREATE INDEX vectors_of_a_document ON vectors (document)",
        """
        CREATE TABLE removals (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE jobs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            document INTEGER NOT NULL UNIQUE REFERENCES documents(serial) ON DELETE CASCADE,
            attempts INTEGER NOT NULL DEFAULT 0,
            created_at REAL NOT NULL,
            claimed_at REAL
        ) STRICT
        """,
        """
        CREATE TABLE message_documents (
            message INTEGER NOT NULL REFERENCES messages(serial) ON DELETE CASCADE,
            document INTEGER NOT NULL REFERENCES documents(serial) ON DELETE CASCADE,
            PRIMARY KEY (message, document)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX message_documents_by_document ON message_documents (document)",
        """
        CREATE TABLE message_passages (
            message INTEGER NOT NULL REFERENCES messages(serial) ON DELETE CASCADE,
            passage INTEGER NOT NULL REFERENCES passages(id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            score REAL NOT NULL,
            was_read INTEGER NOT NULL CHECK (was_read IN (0, 1)),
            PRIMARY KEY (message, passage)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX message_passages_by_passage ON message_passages (passage)",
    ):
        db.execute(statement)
    _finish(db, 2)


def _journal(db: sqlite_utils.Database) -> None:
    """What vectors were made from, and those of documents that are not ready yet.

    `made_from` is the SHA-256 of the text that was embedded; older rows do not know it.
    """
    for statement in (
        "ALTER TABLE vectors ADD COLUMN made_from BLOB",
        "CREATE INDEX vectors_by_text ON vectors (made_from, embedder) WHERE made_from IS NOT NULL",
        """
        CREATE TABLE journal (
            made_from BLOB NOT NULL,
            embedder INTEGER NOT NULL REFERENCES embedders(id),
            document INTEGER NOT NULL REFERENCES documents(serial) ON DELETE CASCADE,
            vector BLOB NOT NULL,
            PRIMARY KEY (made_from, embedder)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX journal_of_a_document ON journal (document)",
    ):
        db.execute(statement)
    _finish(db, 3)


def _codes(db: sqlite_utils.Database) -> None:
    """One row a document: its vectors as one bit a number, in the order of its passages.

    They go with the document's first passage. A document's passages have ids without a gap.
    """
    db.execute(
        """
        CREATE TABLE codes (
            first INTEGER PRIMARY KEY REFERENCES passages(id) ON DELETE CASCADE,
            document INTEGER NOT NULL,
            embedder INTEGER NOT NULL REFERENCES embedders(id),
            count INTEGER NOT NULL,
            codes BLOB NOT NULL
        ) STRICT
        """
    )
    documents = db.execute("SELECT DISTINCT document, embedder FROM vectors").fetchall()
    for document, embedder in documents:
        rows = db.execute(
            "SELECT passage, vector FROM vectors WHERE document = ? ORDER BY passage", [document]
        ).fetchall()
        vectors = np.frombuffer(b"".join(row[1] for row in rows), "<f2").reshape(len(rows), -1)
        db.execute(
            "INSERT INTO codes VALUES (?, ?, ?, ?, ?)",
            [rows[0][0], document, embedder, len(rows), codes_of(vectors).tobytes()],
        )
    _finish(db, 4)


def _ratings(db: sqlite_utils.Database) -> None:
    """What the user thinks of an answer, and what was missing of how it came about.

    `prompt` is JSON: the turns before a model's template put them into the text `rendered_prompt`.
    """
    for statement in (
        "ALTER TABLE messages ADD COLUMN style TEXT CHECK (style IN ('quote', 'write', 'fixed'))",
        "ALTER TABLE messages ADD COLUMN prompt TEXT",
        """
        CREATE TABLE ratings (
            message INTEGER PRIMARY KEY REFERENCES messages(serial) ON DELETE CASCADE,
            thumb TEXT NOT NULL CHECK (thumb IN ('up', 'down')),
            reasons TEXT NOT NULL DEFAULT '[]',
            comment TEXT NOT NULL DEFAULT '',
            rated_at REAL NOT NULL
        ) STRICT
        """,
    ):
        db.execute(statement)
    _finish(db, 5)


def _watching(db: sqlite_utils.Database) -> None:
    """Where documents lie, and the folders that are followed.

    A document may lie at several places. What a place remembers of its file (size, time, inode)
    tells without opening it that it was not touched. A place without a document is a file that
    was refused (with its error) or that the user removed from the library (without). `mounted`
    says that the file is on another disk than the folder it was found from. `changed` documents
    hold what an earlier state of their file said, until the new one is read.

    `watched_folders.place` ends with the separator, so that what begins with it lies in the folder.
    """
    for statement in (
        """
        CREATE TABLE watched_folders (
            id TEXT PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
            path TEXT NOT NULL,
            place BLOB NOT NULL,
            include TEXT NOT NULL DEFAULT '[]',
            exclude TEXT NOT NULL DEFAULT '[]',
            state TEXT NOT NULL CHECK (state IN ('watching', 'polling', 'missing')),
            error_code TEXT,
            error_message TEXT,
            identity TEXT,
            added_at REAL NOT NULL,
            scanned_at REAL,
            UNIQUE (user_id, place)
        ) STRICT
        """,
        """
        CREATE TABLE places (
            id INTEGER PRIMARY KEY,
            user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
            path BLOB NOT NULL,
            name TEXT NOT NULL,
            document INTEGER REFERENCES documents(serial) ON DELETE CASCADE,
            by_hand INTEGER NOT NULL CHECK (by_hand IN (0, 1)),
            size INTEGER,
            mtime_ns INTEGER,
            inode INTEGER,
            looked_at REAL,
            mounted INTEGER NOT NULL DEFAULT 0 CHECK (mounted IN (0, 1)),
            missing_since REAL,
            error_code TEXT,
            error_message TEXT,
            UNIQUE (user_id, path)
        ) STRICT
        """,
        "CREATE INDEX places_of_a_document ON places (document)",
        "CREATE INDEX places_by_inode ON places (inode)",
        "ALTER TABLE documents ADD COLUMN changed INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE documents ADD COLUMN missing INTEGER NOT NULL DEFAULT 0",
        """
        INSERT OR REPLACE INTO places (user_id, path, name, document, by_hand)
        SELECT user_id, place, name, serial, 1 FROM documents WHERE stored IS NULL ORDER BY serial
        """,
        # Two of one path: the file became another one, and the first one's is gone.
        """
        UPDATE documents SET missing = 1
        WHERE stored IS NULL AND serial NOT IN (SELECT document FROM places)
        """,
    ):
        db.execute(statement)
    _finish(db, 6)


def _ledger(db: sqlite_utils.Database) -> None:
    """What a reading came to: pages without text, pages by OCR, and the seconds of each stage."""
    for statement in (
        "ALTER TABLE documents ADD COLUMN pages_empty INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE documents ADD COLUMN pages_by_ocr INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE documents ADD COLUMN read_s REAL",
        "ALTER TABLE documents ADD COLUMN embed_s REAL",
    ):
        db.execute(statement)
    _finish(db, 7)


def _away(db: sqlite_utils.Database) -> None:
    """Files that are missing because all of their folder is (`away`) are not taken for deleted."""
    db.execute("ALTER TABLE places ADD COLUMN away INTEGER NOT NULL DEFAULT 0")
    _finish(db, 8)


def _embedder_files(db: sqlite_utils.Database) -> None:
    """Where the file of an embedding model lay, so that it can be loaded until another has taken over.

    `file` is the path's bytes as the system has them; NULL: the model came with the program. The one
    that `is_next` is reading the library to take over: its vectors wait in the journal.
    """
    for statement in (
        "ALTER TABLE embedders ADD COLUMN file BLOB",
        "ALTER TABLE embedders ADD COLUMN is_next INTEGER NOT NULL DEFAULT 0 CHECK (is_next IN (0, 1))",
    ):
        db.execute(statement)
    _finish(db, 9)


STEPS = (
    ("0001_core", _core),
    ("0002_reading", _reading),
    ("0003_journal", _journal),
    ("0004_codes", _codes),
    ("0005_ratings", _ratings),
    ("0006_watching", _watching),
    ("0007_ledger", _ledger),
    ("0008_away", _away),
    ("0009_embedder_files", _embedder_files),
)
LATEST = len(STEPS)
