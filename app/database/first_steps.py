"""The first steps of the schema (migrations.py): core tables, what is made from files, the journal."""

import sqlite_utils

# "Crrl": tells our file from another program's.
APPLICATION = 0x4372726C


def finish(db: sqlite_utils.Database, version: int) -> None:
    """The end of each step: whose file this is, and which version."""
    db.execute(f"PRAGMA application_id={APPLICATION}")
    db.execute(f"PRAGMA user_version={version}")


def core(db: sqlite_utils.Database) -> None:
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
    finish(db, 1)


def reading(db: sqlite_utils.Database) -> None:
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
    finish(db, 2)


def journal(db: sqlite_utils.Database) -> None:
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
    finish(db, 3)
