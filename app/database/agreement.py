"""Do passages, full text and vectors say the same, row for row? For tests and `carrel verify`."""

import hashlib

import sqlite_utils
from sqlite_utils.utils import sqlite3

from app.database.connection import Database

# Each counts rows that must not be; the sentence says what they are.
_QUERIES = {
    "ready documents whose count of passages is wrong": """
        SELECT count(*) FROM documents d WHERE status = 'ready'
        AND passages <> (SELECT count(*) FROM passages p WHERE p.document = d.serial)
    """,
    "ready documents whose count of pages is wrong": """
        SELECT count(*) FROM documents d WHERE status = 'ready'
        AND pages <> (SELECT count(*) FROM pages p WHERE p.document = d.serial)
    """,
    "passages of documents that are not ready": """
        SELECT count(*) FROM passages p JOIN documents d ON d.serial = p.document
        WHERE d.status <> 'ready' AND NOT d.changed
    """,
    "ready documents that are said to have changed": """
        SELECT count(*) FROM documents WHERE status = 'ready' AND changed
    """,
    "missing documents whose file is at one of their places": """
        SELECT count(*) FROM documents d WHERE missing
        AND (stored IS NOT NULL OR EXISTS
            (SELECT 1 FROM places p WHERE p.document = d.serial AND p.missing_since IS NULL))
    """,
    "passages without a vector": """
        SELECT count(*) FROM passages WHERE id NOT IN (SELECT passage FROM vectors)
    """,
    "vectors without a passage, or of another document": """
        SELECT count(*) FROM vectors v LEFT JOIN passages p ON p.id = v.passage
        WHERE p.id IS NULL OR p.document <> v.document
    """,
    "vectors of a wrong length": """
        SELECT count(*) FROM vectors v JOIN embedders e ON e.id = v.embedder
        WHERE length(v.vector) <> 2 * e.dimension
    """,
    "documents whose codes are not one for each vector": """
        SELECT count(*) FROM documents d WHERE (
            SELECT count(*) FROM vectors v WHERE v.document = d.serial
        ) <> (
            SELECT coalesce(sum(c.count), 0) FROM codes c
            WHERE c.document = d.serial AND c.first = (SELECT min(id) FROM passages WHERE document = d.serial)
        )
    """,
    "vectors of another model than their document's codes": """
        SELECT count(*) FROM codes c JOIN vectors v ON v.document = c.document
        WHERE v.embedder <> c.embedder
    """,
    "passages without full text": """
        SELECT count(*) FROM passages WHERE id NOT IN (SELECT id FROM passages_fts_docsize)
    """,
    "full text without a passage": """
        SELECT count(*) FROM passages_fts_docsize WHERE id NOT IN (SELECT id FROM passages)
    """,
    "documents that wait without a job": """
        SELECT count(*) FROM documents WHERE status IN ('queued', 'reading', 'embedding')
        AND serial NOT IN (SELECT document FROM jobs)
    """,
    "vectors in the journal of documents that do not wait": """
        SELECT count(*) FROM journal j JOIN documents d ON d.serial = j.document
        WHERE d.status IN ('ready', 'failed')
        AND j.embedder NOT IN (SELECT id FROM embedders WHERE is_next)
    """,
    "models that are to take over at the same time": """
        SELECT count(*) - 1 FROM embedders WHERE is_next HAVING count(*) > 1
    """,
    "jobs of documents that do not wait": """
        SELECT count(*) FROM jobs j JOIN documents d ON d.serial = j.document
        WHERE d.status IN ('ready', 'failed')
    """,
}


def disagreements(database: Database) -> tuple[str, ...]:
    """What does not fit together, one sentence each; empty if all is well. Reads everything."""
    findings = database.read(_compare)
    return findings + database.write(_full_text)


def _compare(db: sqlite_utils.Database) -> tuple[str, ...]:
    findings = []
    for sentence, query in _QUERIES.items():
        row = db.execute(query).fetchone()
        if row is not None and (count := row[0]):
            findings.append(f"{count} {sentence}")
    misplaced = wrong_hash = 0
    texts: dict[tuple[int, int], str] = {}
    query = "SELECT document, page, start, stop, text, text_hash FROM passages ORDER BY id"
    for document, page, start, stop, text, text_hash in db.execute(query):
        if (document, page) not in texts:
            found = db.execute(
                "SELECT text FROM pages WHERE document = ? AND number = ?", [document, page]
            ).fetchone()
            # One page at a time: passages come in the order of their pages.
            texts = {(document, page): "" if found is None else found[0]}
        misplaced += texts[document, page][start:stop] != text
        wrong_hash += hashlib.sha256(text.encode()).digest() != text_hash
    if misplaced:
        findings.append(f"{misplaced} passages whose place on the page holds another text")
    if wrong_hash:
        findings.append(f"{wrong_hash} passages whose hash is not that of their text")
    return tuple(findings)


def _full_text(db: sqlite_utils.Database) -> tuple[str, ...]:
    # FTS5 compares its index with the passages' texts word by word; 1 means: with the content table.
    try:
        db.execute("INSERT INTO passages_fts (passages_fts, rank) VALUES ('integrity-check', 1)")
    except sqlite3.DatabaseError as error:
        return (f"the full text does not fit the passages ({error})",)
    return ()
