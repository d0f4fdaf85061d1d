"""The one door to SQLite: one writer thread, many readers.

Every change runs as one transaction on the writer's thread and is durable when `write` returns.
Readers take a connection of a pool for one piece of work and see one snapshot of the data; they
never wait for the writer (WAL). Any thread may call; a connection is used by one thread at a time.
"""

import contextlib
import logging
import os
import queue
import sqlite3 as standard_sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils
from sqlite_utils.utils import sqlite3

from app.database import first_steps, migrations
from app.errors import AppError, DamagedDatabaseError, NewerSchemaError, StorageError

T = TypeVar("T")
_Request = tuple[Future[Any], Callable[[sqlite_utils.Database], Any], bool]

# 3.51.3 fixes a bug of WAL files that could damage a database when the log was reset.
OLDEST_SQLITE = (3, 51, 3)

_log = logging.getLogger(__name__)
_OWNER_ONLY = 0o600
_MAGIC = b"SQLite format 3\x00"
_IDLE_READERS = 4
_BUSY_SECONDS = 5.0
# The check at start may take this long; what it did not reach by then, `check` does.
_QUICK_CHECK_SECONDS = 0.3
_STEPS_BETWEEN_LOOKS = 20_000
_CLOSE_SECONDS = 10.0
_LOG_LIMIT = 64 * 2**20
_ERRORS = (sqlite3.Error, standard_sqlite3.Error)
_DAMAGED = {"SQLITE_CORRUPT", "SQLITE_NOTADB"}
_STORAGE = {
    "SQLITE_FULL": "The disk is full: nothing was changed.",
    "SQLITE_IOERR": "The disk reported an error; nothing was changed.",
    "SQLITE_READONLY": "The library's database cannot be written.",
    "SQLITE_CANTOPEN": "The library's database cannot be opened.",
    "SQLITE_PERM": "The library's database may not be opened.",
    "SQLITE_BUSY": "Another program holds the library's database.",
    "SQLITE_LOCKED": "Another program holds the library's database.",
    "SQLITE_NOMEM": "There is not enough memory for this.",
    "SQLITE_TOOBIG": "A text is too large for the database.",
}


class Database:
    """One SQLite file of one profile. `open` before use, `close` at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._inbox: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._open = False
        self._state = threading.Condition()
        self._idle: list[sqlite_utils.Database] = []
        self._reading = 0

    def open(self) -> None:
        """Check the file, bring its schema up to date and start the writer. Idempotent.

        Raises:
            NewerSchemaError: a newer Carrel wrote it; the file is left as it is.
            DamagedDatabaseError: it is not a sound database; the file is left as it is.
            StorageError: the place cannot be written, or SQLite is too old.
        """
        if self._open:
            return
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            needed = ".".join(map(str, OLDEST_SQLITE))
            raise StorageError(f"SQLite {needed} or newer is needed; this is {sqlite3.sqlite_version}.")
        with _translated():
            self._inspect()
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # SQLite gives its -wal and -shm files the mode of the database, so this comes first.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, _OWNER_ONLY))
            self.path.chmod(_OWNER_ONLY)
        opened: Future[None] = Future()
        self._writer = threading.Thread(target=self._run, args=(opened,), name="database-writer", daemon=True)
        self._writer.start()
        opened.result()
        with self._state:
            self._open = True

    def read(self, work: Callable[[sqlite_utils.Database], T]) -> T:
        """Run `work` on a read-only connection, on the caller's thread, over one snapshot.

        `work` returns plain values: no cursor outlives it.

        Raises:
            DamagedDatabaseError, StorageError: as for `write`; and what `work` raises.
        """
        with _translated(), self._reader() as connection:
            connection.conn.execute("BEGIN")
            try:
                return work(connection)
            finally:
                if connection.conn.in_transaction:
                    connection.conn.execute("ROLLBACK")

    def write(self, work: Callable[[sqlite_utils.Database], T], *, durable: bool = True) -> T:
        """Run `work` as one transaction on the writer's thread and wait for its end.

        Whatever `work` raises rolls everything back and is raised here. With `durable` off the
        change survives the death of this program but perhaps not a power cut, and costs no
        wait for the disk; the order of changes is kept either way.

        Raises:
            StorageError: the disk is full or refuses; nothing was changed.
            DamagedDatabaseError: SQLite found the file damaged.
        """
        if threading.current_thread() is self._writer:
            raise RuntimeError("a transaction cannot wait for another one on the writer's thread")
        done: Future[T] = Future()
        with self._state:
            if not self._open:
                raise StorageError("The library is closed.")
            self._inbox.put((done, work, durable))
        return done.result()

    def check(self) -> str:
        """Read the whole file and return "ok", or what is wrong with it, one finding a line."""
        # On a connection of its own: FTS5's part of this check goes by what its connection remembers
        # of the index, and reports damage if that changed since (SQLite 3.53.4).
        try:
            with _translated(), contextlib.closing(_connect(self.path, read_only=True)) as connection:
                findings = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        except DamagedDatabaseError as error:
            return error.message
        return "\n".join(findings)

    def close(self) -> None:
        """Finish the transactions that wait, close every connection, end the writer. Idempotent."""
        with self._state:
            if not self._open:
                return
            self._open = False
            # The writer closes last: only then does SQLite empty and remove the log file.
            self._state.wait_for(lambda: self._reading == 0, timeout=_CLOSE_SECONDS)
            for connection in self._idle:
                connection.close()
            self._idle.clear()
        self._inbox.put(None)
        if self._writer is not None:
            self._writer.join()

    # --- readers

    @contextlib.contextmanager
    def _reader(self) -> Iterator[sqlite_utils.Database]:
        with self._state:
            if not self._open:
                raise StorageError("The library is closed.")
            self._reading += 1
            connection = self._idle.pop() if self._idle else None
        try:
            if connection is None:
                connection = _connect(self.path, read_only=True)
            yield connection
        except AppError:
            raise
        except BaseException:
            # A connection that met an error is not worth keeping.
            if connection is not None:
                connection.close()
                connection = None
            raise
        finally:
            with self._state:
                self._reading -= 1
                keep = self._open and len(self._idle) < _IDLE_READERS
                if connection is not None and keep:
                    self._idle.append(connection)
                elif connection is not None:
                    connection.close()
                self._state.notify_all()

    # --- the writer's thread

    def _run(self, opened: Future[None]) -> None:
        try:
            with _translated():
                connection = _connect(self.path, read_only=False)
                try:
                    _prepare(connection)
                except BaseException:
                    connection.close()
                    raise
        except BaseException as error:  # it travels to the caller of open()
            opened.set_exception(error)
            return
        opened.set_result(None)
        while (item := self._inbox.get()) is not None:
            done, work, durable = item
            try:
                with _translated():
                    result = _transact(connection, work, durable=durable)
            except BaseException as error:  # it travels to the caller of write()
                done.set_exception(error)
            else:
                done.set_result(result)
            # The caller may drop what it asked for; this thread must not keep it alive.
            del item, done, work
            result = None
        connection.close()

    # --- the file, before anything is changed

    def _inspect(self) -> None:
        """Refuse a file that must not be touched, without changing a byte of it."""
        if not self.path.exists() or self.path.stat().st_size == 0:
            return
        with self.path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise DamagedDatabaseError(f"{self.path} is not a database; it was left as it is.")
        connection = _connect(self.path, read_only=True)
        try:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > migrations.LATEST:
                raise NewerSchemaError(
                    f"This library was written by a newer Carrel (schema {version}; this one knows"
                    f" {migrations.LATEST}). Update Carrel; the library was left as it is."
                )
            mark = connection.execute("PRAGMA application_id").fetchone()[0]
            tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
            if tables and mark != first_steps.APPLICATION:
                raise StorageError(f"{self.path} belongs to another program; it was left as it is.")
            if finding := _quick_check(connection):
                raise DamagedDatabaseError(
                    f"The library's database is damaged ({finding}). It was left as it is: {self.path}"
                )
        finally:
            connection.close()


def _connect(path: Path, *, read_only: bool) -> sqlite_utils.Database:
    place = path.absolute().as_uri() + ("?mode=ro" if read_only else "?mode=rw")
    raw = sqlite3.connect(place, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)
    try:
        connection = sqlite_utils.Database(raw, execute_plugins=False)
        for pragma in ("foreign_keys=ON", "trusted_schema=OFF", "cell_size_check=ON", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        raw.close()
        raise
    return connection


def _prepare(connection: sqlite_utils.Database) -> None:
    """Put the writer's connection in WAL mode and bring the schema up to date."""
    connection.enable_wal()
    mode = connection.execute("PRAGMA journal_mode").fetchone()[0]
    if mode != "wal":
        raise StorageError(f"This file system cannot hold the library's database (journal mode {mode}).")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA journal_size_limit={_LOG_LIMIT}")
    migrations.apply(connection)


def _transact(
    connection: sqlite_utils.Database, work: Callable[[sqlite_utils.Database], T], *, durable: bool
) -> T:
    # sqlite-utils commits each statement by itself unless a transaction is open already, and nests
    # its own atomic() blocks as savepoints inside one: so the transaction is opened by hand.
    raw = connection.conn
    if not durable:
        raw.execute("PRAGMA synchronous=NORMAL")
    try:
        raw.execute("BEGIN IMMEDIATE")
        try:
            result = work(connection)
            raw.execute("COMMIT")
        except BaseException:
            if raw.in_transaction:
                raw.execute("ROLLBACK")
            raise
        return result
    finally:
        if not durable:
            raw.execute("PRAGMA synchronous=FULL")


def _quick_check(connection: sqlite_utils.Database) -> str:
    """Return what is wrong, or "" if nothing was found within the time that a start may take.

    The tables and indexes are read, the words of the full text are not (they take ten times as
    long): `check` does that.
    """
    deadline = time.monotonic() + _QUICK_CHECK_SECONDS
    raw = connection.conn
    raw.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS_BETWEEN_LOOKS)
    try:
        for table in connection.tables:
            if not table.schema.startswith("CREATE VIRTUAL"):
                quoted = table.name.replace('"', '""')
                finding = str(raw.execute(f'PRAGMA quick_check("{quoted}")').fetchone()[0])
                if finding != "ok":
                    return finding
    except sqlite3.OperationalError as error:
        if _name(error) != "SQLITE_INTERRUPT":
            raise
        _log.info("the check at start ran out of time; the rest is left to verify")
    finally:
        raw.set_progress_handler(None, 0)
    return ""


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn errors of the disk and the file into AppErrors; errors of our SQL stay what they are."""
    try:
        yield
    except AppError:
        raise
    except OSError as error:
        raise StorageError(f"The library's database cannot be used: {error.strerror or error}.") from error
    except _ERRORS as error:
        name = _name(error)
        if name in _DAMAGED:
            raise DamagedDatabaseError(f"The library's database is damaged ({error}).") from error
        if name in _STORAGE:
            raise StorageError(_STORAGE[name]) from error
        raise


def _name(error: BaseException) -> str:
    """The primary result code: SQLITE_IOERR for SQLITE_IOERR_WRITE."""
    return "_".join(str(getattr(error, "sqlite_errorname", "")).split("_")[:2])
