import sqlite_utils

from app.database import migrations
from app.database.agreement import disagreements
from app.database.connection import Database
from app.database.documents import Documents
from app.database.places import Places


def test_released_steps_keep_their_names_and_their_order():
    assert [name for name, _ in migrations.STEPS][:11] == [
        "0001_core",
        "0002_reading",
        "0003_journal",
        "0004_codes",
        "0005_ratings",
        "0006_watching",
        "0007_ledger",
        "0008_away",
        "0009_embedder_files",
        "0010_dates",
        "0011_collections",
    ]


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


def test_documents_of_a_library_without_places_get_theirs(tmp_path, monkeypatch):
    path = tmp_path / "carrel.db"
    with monkeypatch.context() as older:
        older.setattr(migrations, "STEPS", migrations.STEPS[:3])
        older.setattr(migrations, "LATEST", 3)
        before = Database(path)
        before.open()
        before.write(_add_to_version_3)
        before.close()

    today = Database(path)
    today.open()
    places = Places(today).under("u", "/papers")
    documents = {document.id: document for document in Documents(today).list("u")}

    assert [(place.path, place.document_id, place.by_hand) for place in places] == [
        ("/papers/a.txt", "later", True)
    ]
    # Its file is another document's now, so it lies nowhere.
    assert documents["earlier"].missing
    assert not documents["later"].missing
    assert not documents["upload"].missing
    assert documents["later"].status == "ready"
    assert disagreements(today) == ()
    today.close()


def _add_to_version_3(db):
    db["users"].insert({"id": "u", "name": "local", "created_at": 1.0})
    common = {"user_id": "u", "media_type": "text/plain", "size": 1, "status": "ready", "paged": 0}
    common |= {"pages": 0, "added_at": 1.0, "ready_at": 1.0}
    for number, (name, place, stored) in enumerate(
        (("earlier", b"/papers/a.txt", None), ("later", b"/papers/a.txt", None), ("upload", b"up", "up"))
    ):
        path = place.decode() if stored is None else None
        row = {"id": name, "name": name, "path": path, "place": place, "stored": stored}
        db["documents"].insert(common | row | {"content_hash": f"{number:064x}"})


def test_documents_of_a_library_without_dates_get_those_of_their_files(tmp_path, monkeypatch):
    path = tmp_path / "carrel.db"
    with monkeypatch.context() as older:
        older.setattr(migrations, "STEPS", migrations.STEPS[:9])
        older.setattr(migrations, "LATEST", 9)
        before = Database(path)
        before.open()
        before.write(_add_to_version_9)
        before.close()

    today = Database(path)
    today.open()

    dates = {document.id: document.dated for document in Documents(today).list("u")}
    assert dates == {"copied": 1_500_000_000.5, "upload": 77.0}
    today.close()


def _add_to_version_9(db):
    db["users"].insert({"id": "u", "name": "local", "created_at": 1.0})
    common = {"user_id": "u", "media_type": "text/plain", "size": 1, "status": "ready", "paged": 0}
    common |= {"pages": 0, "added_at": 77.0, "ready_at": 1.0}
    for number, name in enumerate(("copied", "upload"), 1):
        db["documents"].insert(common | {"id": name, "name": name, "content_hash": f"{number:064x}"})
    for number, stamp in enumerate((1_600_000_000, 1_500_000_000.5)):
        place = {"user_id": "u", "path": b"/%d" % number, "name": "a", "document": 1, "by_hand": 0}
        db["places"].insert(place | {"mtime_ns": int(stamp * 1e9)})


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
