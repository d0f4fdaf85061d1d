"""The persisted queue: one row for each document that is to be read.

A job is claimed by the one process that owns the profile. If that process dies, `recover` makes
its jobs claimable again at the next start. Which of several files ended the program cannot be told,
and often it was none of them (a power cut, a kill). So one that was at work at such an end goes
behind all others and is read alone; if the program ends three times more while it is, without one
batch of progress between, it is failed, so that it cannot do so for ever.
"""

import time
from dataclasses import dataclass

import sqlite_utils

from app.database.connection import Database
from app.database.documents import fail
from app.errors import ParserLimitError
from app.records import Problem

_ATTEMPTS = 4  # the first in company, the others alone
_LARGE = 256 << 10  # bytes, from which a file is let wait for smaller ones
_LONG_WAIT = 600.0  # seconds, after which it is not


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. `attempts` counts this claim, too; progress takes it back to 1 (`Journal.note`)."""

    id: int
    document_id: str
    attempts: int


class Jobs:
    """The jobs table. Thread-safe. A job ends with its document's `complete`, `fail` or `delete`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self) -> Job | None:
        """Take a job that nobody has, and count the attempt; None if there is none for now.

        Small files go first, so that a note need not wait for a book; but nothing waits for ever.
        Files that were at work when the program ended come last, each alone.
        """
        return self._database.write(_claim)

    def release(self, job: Job) -> None:
        """Give a job back unharmed (the program is closing): the attempt does not count."""
        self._database.write(
            lambda db: (
                db.execute(
                    "UPDATE jobs SET claimed_at = NULL, attempts = max(attempts - 1, 0)"
                    " WHERE id = ? AND claimed_at IS NOT NULL",
                    [job.id],
                ).rowcount
            )
        )

    def recover(self) -> int:
        """At start: give back the jobs of the process that died, and return how many.

        A document that was at work each time, alone and without progress, is failed instead.
        """
        return self._database.write(_recover)

    def waiting(self) -> int:
        """How many jobs there are, claimed or not."""
        return int(self._database.read(lambda db: db.execute("SELECT count(*) FROM jobs").fetchone()[0]))


def _claim(db: sqlite_utils.Database) -> Job | None:
    now = time.time()
    row = db.execute(
        "SELECT j.id, d.id, j.attempts FROM jobs j JOIN documents d ON d.serial = j.document"
        " WHERE j.claimed_at IS NULL ORDER BY min(j.attempts, 1), j.created_at > ? AND d.size > ?,"
        " j.attempts, j.id LIMIT 1",
        [now - _LONG_WAIT, _LARGE],
    ).fetchone()
    if row is None:
        return None
    at_work, suspects = db.execute(
        "SELECT count(*), count(*) FILTER (WHERE attempts > 1) FROM jobs WHERE claimed_at IS NOT NULL"
    ).fetchone()
    if suspects or (at_work and row[2]):
        return None
    db.execute("UPDATE jobs SET claimed_at = ?, attempts = attempts + 1 WHERE id = ?", [now, row[0]])
    return Job(row[0], row[1], row[2] + 1)


def _recover(db: sqlite_utils.Database) -> int:
    left = db.execute(
        "SELECT j.id, j.attempts, d.id, d.serial FROM jobs j JOIN documents d ON d.serial = j.document"
        " WHERE j.claimed_at IS NOT NULL"
    ).fetchall()
    recovered = 0
    for job, attempts, document_id, serial in left:
        if attempts >= _ATTEMPTS:
            message = f"This file could not be read: it stopped the reader {attempts} times."
            fail(db, document_id, Problem(ParserLimitError.code, message))
            continue
        db.execute("UPDATE jobs SET claimed_at = NULL WHERE id = ?", [job])
        db.execute(
            "UPDATE documents SET status = 'queued', pages_read = 0, passages = 0, passages_embedded = 0"
            " WHERE serial = ?",
            [serial],
        )
        recovered += 1
    return recovered
