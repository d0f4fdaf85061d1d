import sqlite_utils

from app.database import migrations
from app.database.connection import Database


def test_released_steps_keep_their_names_and_their_order():
    assert [name for name, _ in migrations.STEPS][:2] == ["0001_core", "0002_reading"]


def test_a_new_database_has_every_step_and_its_version(database):
    def work(db):
        applied = [row["name"] for row in db["_sqlite_migrations"].rows]
        return applied, db.execute("PRAGMA user_version").fetchone()[0]

    assert database.read(work) == ([name for name, _ in migrations.STEPS], migrations.LATEST)


def test_opening_again_changes_nothing(database):
    schema = database.read(lambda db: db.schema)
    database.close()
    database.open()

    assert database.read(lambda db: db.schema) == schema


def test_a_library_of_the_first_version_is_brought_up_to_date_with_its_rows(tmp_path, monkeypatch):
    path = tmp_path / "carrel.db"
    with monkeypatch.context() as older:
        older.setattr(migrations, "STEPS", migrations.STEPS[:1])
        older.setattr(migrations, "LATEST", 1)
        first = Database(path)
        first.open()
        row = {"id": "u", "name": "local", "created_at": 1.0}
        first.write(lambda db: db["users"].insert(row) and None)
        first.close()

    today = Database(path)
    today.open()

    assert [row["id"] for row in today.read(lambda db: list(db["users"].rows))] == ["u"]
    assert today.read(lambda db: db["passages"].exists())
    today.close()


def test_a_library_without_codes_gets_those_of_its_vectors(database, shelf, search, user):
    shelf.ready("Rent.\n\nDeposit.", "Pets.")
    shelf.ready("Keys.")
    before = database.read(lambda db: list(db["codes"].rows))

    def older(db):
        db.execute("DROP TABLE codes")
        db.execute("DELETE FROM _sqlite_migrations WHERE name = '0004_codes'")

    database.write(older)
    database.write(migrations.apply)

    assert [row["count"] for row in before] == [3, 1]
    assert database.read(lambda db: list(db["codes"].rows)) == before


def test_a_step_that_fails_leaves_the_database_at_the_step_before(tmp_path, monkeypatch):
    def broken(db):
        db.execute("CREATE TABLE half (x)")
        raise ValueError("no")

    path = tmp_path / "carrel.db"
    monkeypatch.setattr(migrations, "STEPS", (*migrations.STEPS, ("9999_broken", broken)))
    try:
        Database(path).open()
    except ValueError:
        pass
    else:
        raise AssertionError("the step did not fail")

    left = sqlite_utils.Database(path)
    assert not left["half"].exists()
    assert left.execute("PRAGMA user_version").fetchone()[0] == migrations.LATEST
