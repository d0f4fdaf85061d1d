"""The schema, as the list of steps that made it. Steps are only ever appended.

A step that was released is never edited: databases of users hold what it made. Each step is one
transaction together with the note that it ran and the new `user_version`.
"""

import numpy as np
import sqlite_utils
from sqlite_utils.migrations import Migrations

from app.database.codes import codes_of
from app.database.first_steps import APPLICATION, core, finish, journal, reading


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
    finish(db, 4)


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
    finish(db, 5)


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
    finish(db, 6)


def _ledger(db: sqlite_utils.Database) -> None:
    """What a reading came to: pages without text, pages by OCR, and the seconds of each stage."""
    for statement in (
        "ALTER TABLE documents ADD COLUMN pages_empty INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE documents ADD COLUMN pages_by_ocr INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE documents ADD COLUMN read_s REAL",
        "ALTER TABLE documents ADD COLUMN embed_s REAL",
    ):
        db.execute(statement)
    finish(db, 7)


def _away(db: sqlite_utils.Database) -> None:
    """Files that are missing because all of their folder is (`away`) are not taken for deleted."""
    db.execute("ALTER TABLE places ADD COLUMN away INTEGER NOT NULL DEFAULT 0")
    finish(db, 8)


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
    finish(db, 9)


def _dates(db: sqlite_utils.Database) -> None:
    """When the file of a document was last changed, and what a question was limited to.

    `dated` is in seconds since the epoch: the oldest file of those that hold the document's content;
    NULL where none is known, as for an upload: then `added_at` counts. Triggers keep it in step with
    `places`. `messages.limits` is a filter as JSON.
    """
    for statement in (
        "ALTER TABLE messages ADD COLUMN limits TEXT",
        "ALTER TABLE documents ADD COLUMN dated REAL",
        """
        UPDATE documents SET dated = (SELECT min(mtime_ns) / 1e9 FROM places WHERE document = serial)
        """,
        "CREATE INDEX documents_by_date ON documents (user_id, coalesce(dated, added_at))",
        "CREATE INDEX documents_by_type ON documents (user_id, media_type)",
        """
        CREATE TRIGGER places_added AFTER INSERT ON places WHEN new.mtime_ns IS NOT NULL BEGIN
            UPDATE documents SET dated = (SELECT min(mtime_ns) / 1e9 FROM places WHERE document = serial)
            WHERE serial = new.document;
        END
        """,
        """
        CREATE TRIGGER places_changed AFTER UPDATE OF document, mtime_ns ON places
        WHEN old.document IS NOT new.document OR old.mtime_ns IS NOT new.mtime_ns BEGIN
            UPDATE documents SET dated = (SELECT min(mtime_ns) / 1e9 FROM places WHERE document = serial)
            WHERE serial IN (old.document, new.document);
        END
        """,
        """
        CREATE TRIGGER places_removed AFTER DELETE ON places WHEN old.mtime_ns IS NOT NULL BEGIN
            UPDATE documents SET dated = (SELECT min(mtime_ns) / 1e9 FROM places WHERE document = serial)
            WHERE serial = old.document;
        END
        """,
    ):
        db.execute(statement)
    finish(db, 10)


def _collections(db: sqlite_utils.Database) -> None:
    """Documents under a name. `folded` is the name in small letters: no two differ in capitals alone."""
    for statement in (
        """
        CREATE TABLE collections (
            serial INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            user_id TEXT NOT NULL REFERENCES users(id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            folded TEXT NOT NULL,
            created_at REAL NOT NULL,
            UNIQUE (user_id, folded)
        ) STRICT
        """,
        """
        CREATE TABLE collection_documents (
            collection INTEGER NOT NULL REFERENCES collections(serial) ON DELETE CASCADE,
            document INTEGER NOT NULL REFERENCES documents(serial) ON DELETE CASCADE,
            PRIMARY KEY (collection, document)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX collections_of_a_document ON collection_documents (document)",
    ):
        db.execute(statement)
    finish(db, 11)


STEPS = (
    ("0001_core", core),
    ("0002_reading", reading),
    ("0003_journal", journal),
    ("0004_codes", _codes),
    ("0005_ratings", _ratings),
    ("0006_watching", _watching),
    ("0007_ledger", _ledger),
    ("0008_away", _away),
    ("0009_embedder_files", _embedder_files),
    ("0010_dates", _dates),
    ("0011_collections", _collections),
)
LATEST = len(STEPS)
