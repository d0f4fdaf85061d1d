import os
import stat
import threading

import pytest
from sqlite_utils.utils import sqlite3

from app.database import connection, migrations
from app.database.connection import Database
from app.errors import DamagedDatabaseError, NewerSchemaError, NotFoundError, StorageError


def _user(name):
    return {"id": name, "name": name, "created_at": 0.0}


def _names(db):
    return [row["id"] for row in db["users"].rows]


def test_writes_are_durable_write_ahead_logged_and_hold_foreign_keys(database):
    found = database.write(
        lambda db: {
            name: db.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
        }
    )

    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0}


def test_a_write_that_need_not_be_durable_leaves_the_next_one_durable(database):
    during = database.write(lambda db: db.execute("PRAGMA synchronous").fetchone()[0], durable=False)
    after = database.write(lambda db: db.execute("PRAGMA synchronous").fetchone()[0])

    assert (during, after) == (1, 2)


def test_an_error_rolls_the_whole_transaction_back_and_reaches_the_caller(database):
    def work(db):
        db["users"].insert(_user("a"))
        db["users"].insert_all([_user("b"), _user("c")])
        raise NotFoundError("gone")

    with pytest.raises(NotFoundError):
        database.write(work)

    assert database.read(_names) == []


def test_a_failed_write_does_not_end_the_writer(database):
    with pytest.raises(sqlite3.IntegrityError):
        database.write(lambda db: db["users"].insert_all([_user("a"), _user("a")]))

    database.write(lambda db: db["users"].insert(_user("b")) and None)

    assert database.read(_names) == ["b"]


def test_readers_cannot_change_anything(database):
    with pytest.raises(StorageError):
        database.read(lambda db: db["users"].insert(_user("a")) and None)


def test_a_reader_sees_one_snapshot_while_the_writer_goes_on(database):
    def work(db):
        before = _names(db)
        database.write(lambda other: other["users"].insert(_user("a")) and None)
        return before, _names(db)

    assert database.read(work) == ([], [])
    assert database.read(_names) == ["a"]


def test_many_threads_read_and_write_at_once(database):
    errors = []

    def work(number):
        try:
            for turn in range(20):
                name = f"{number}-{turn}"
                database.write(lambda db, name=name: db["users"].insert(_user(name)) and None)
                assert name in database.read(_names)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert len(database.read(_names)) == 160


def test_a_write_inside_a_write_is_refused_instead_of_waiting_for_ever(database):
    with pytest.raises(RuntimeError):
        database.write(lambda db: database.write(_names))


def test_writes_that_wait_are_finished_by_close(database):
    begun, go_on = threading.Event(), threading.Event()

    def slow(db):
        begun.set()
        go_on.wait(10)
        db["users"].insert(_user("slow"))

    waiting = threading.Thread(target=database.write, args=(slow,))
    waiting.start()
    begun.wait(10)
    closing = threading.Thread(target=database.close)
    closing.start()
    go_on.set()
    waiting.join(10)
    closing.join(10)

    reopened = Database(database.path)
    reopened.open()
    assert reopened.read(_names) == ["slow"]
    reopened.close()


def test_a_closed_database_refuses_and_opens_again(database):
    database.close()
    database.close()

    with pytest.raises(StorageError):
        database.read(_names)
    with pytest.raises(StorageError):
        database.write(_names)
    database.open()
    assert database.read(_names) == []


def test_every_file_of_the_database_is_the_owners_alone(tmp_path):
    before = os.umask(0)
    try:
        opened = Database(tmp_path / "folder" / "carrel.db")
        opened.open()
        opened.write(lambda db: db["users"].insert(_user("a")) and None)
        modes = {
            path.name: stat.S_IMODE(path.stat().st_mode) for path in sorted((tmp_path / "folder").iterdir())
        }
        opened.close()
    finally:
        os.umask(before)

    assert modes == {"carrel.db": 0o600, "carrel.db-shm": 0o600, "carrel.db-wal": 0o600}
    assert stat.S_IMODE((tmp_path / "folder").stat().st_mode) == 0o700


def test_a_file_that_others_could_read_is_closed_to_them(database):
    database.close()
    database.path.chmod(0o644)

    database.open()

    assert stat.S_IMODE(database.path.stat().st_mode) == 0o600


def test_closing_leaves_one_file(database):
    database.write(lambda db: db["users"].insert(_user("a")) and None)
    database.close()

    assert [path.name for path in database.path.parent.iterdir()] == ["carrel.db"]


def test_a_path_with_odd_characters_is_a_path(tmp_path):
    opened = Database(tmp_path / "50% of #1? é" / "carrel.db")
    opened.open()
    opened.close()

    assert (tmp_path / "50% of #1? é" / "carrel.db").is_file()


def test_a_newer_schema_is_refused_and_left_as_it_is(database):
    database.write(lambda db: db.execute(f"PRAGMA user_version={migrations.LATEST + 1}") and None)
    database.close()
    before = database.path.read_bytes()

    with pytest.raises(NewerSchemaError):
        database.open()

    assert database.path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "carrel.db"
    path.write_text("My notes.\n" * 100)

    with pytest.raises(DamagedDatabaseError):
        Database(path).open()

    assert path.read_text() == "My notes.\n" * 100
    assert [found.name for found in tmp_path.iterdir()] == ["carrel.db"]


@pytest.mark.parametrize("part", ["schema", "table", "cut short"])
def test_a_damaged_database_is_refused_and_left_as_it_is(database, shelf, part):
    for number in range(40):
        shelf.ready(f"Page {number} about rent. " * 200)
    database.close()
    content = bytearray(database.path.read_bytes())
    if part == "schema":
        content[100:600] = b"\xff" * 500
    elif part == "table":
        for page in range(len(content) // 4096 // 2, len(content) // 4096):
            content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    else:
        del content[len(content) // 2 :]
    database.path.write_bytes(content)

    with pytest.raises(DamagedDatabaseError):
        database.open()

    assert database.path.read_bytes() == content


def test_another_programs_database_is_refused_and_left_as_it_is(tmp_path):
    path = tmp_path / "carrel.db"
    foreign = sqlite3.connect(path)
    foreign.execute("CREATE TABLE contacts (name TEXT)")
    foreign.commit()
    foreign.close()
    before = path.read_bytes()

    with pytest.raises(StorageError):
        Database(path).open()

    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError):
        Database(tmp_path / "file" / "carrel.db").open()


def test_an_old_sqlite_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "OLDEST_SQLITE", (99, 0, 0))

    with pytest.raises(StorageError, match=r"99\.0\.0"):
        Database(tmp_path / "carrel.db").open()


def test_a_full_disk_is_a_storage_error_and_changes_nothing(database, shelf):
    kept = shelf.ready("The rent is 900 euros.")
    pages = database.write(lambda db: db.execute("PRAGMA page_count").fetchone()[0])
    database.write(lambda db: db.execute(f"PRAGMA max_page_count={pages + 2}").fetchone())

    with pytest.raises(StorageError, match="disk is full"):
        shelf.ready("Every word of this long page. " * 5_000)

    database.write(lambda db: db.execute("PRAGMA max_page_count=1000000").fetchone())
    assert database.check() == "ok"
    assert shelf.documents.counts(shelf.user).passages == kept.passages
    shelf.ready("Room again.")


def test_the_check_finds_damage(database, shelf):
    for number in range(40):
        shelf.ready(f"Page {number} about rent. " * 200)
    assert database.check() == "ok"
    database.close()
    database.open()
    content = bytearray(database.path.read_bytes())
    for page in range(len(content) // 4096 // 2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    database.path.write_bytes(content)

    assert database.check() != "ok"


def test_the_check_is_right_on_a_database_that_changed_meanwhile(database, shelf, search):
    # FTS5's part of the check remembers the index per connection; a reused one reports damage.
    for _ in range(3):
        document = shelf.ready("\n\n".join(f"Words about {number}" for number in range(200)))
        search.full_text(shelf.user, "words", 3)
        assert database.check() == "ok"
        shelf.documents.delete(shelf.user, document.id)
        assert database.check() == "ok"
