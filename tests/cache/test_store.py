import os
import pickle
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from app.cache.store import Store
from app.errors import StorageError


def _store(folder, **changes):
    return Store(folder, **({"lifetime": 900, "size_limit": None, "durable": False} | changes))


class Bomb:
    """Unpickling this makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_what_was_put_comes_back_also_after_opening_again(tmp_path):
    store = _store(tmp_path / "cache")
    store.put([("a", b"bytes \x00"), ("b", "text é")])
    store.close()

    again = _store(tmp_path / "cache")

    assert (again.get("a"), again.get("b"), again.get("c")) == (b"bytes \x00", "text é", None)
    again.close()


def test_a_tampered_row_is_a_miss_and_never_unpickled(tmp_path, tamper):
    folder, trap = tmp_path / "cache", tmp_path / "trap"
    store = _store(folder)
    store.put([("a", b"a"), ("b", b"b")])
    payload = pickle.dumps(Bomb(trap))
    file = folder / "payload.val"
    file.write_bytes(payload)

    assert tamper(folder, "UPDATE Cache SET mode = 4, value = ? WHERE key = 'a'", payload)
    assert tamper(folder, "UPDATE Cache SET mode = 4, value = NULL, filename = 'payload.val' WHERE key = 'b'")

    assert (store.get("a"), store.get("b")) == (None, None)
    store.close()
    again = _store(folder)
    assert (again.get("a"), again.get("b")) == (None, None)
    again.put([("a", b"new"), ("b", b"new")])
    assert (again.get("a"), again.get("b")) == (b"new", b"new")
    assert not trap.exists()
    assert file.exists()
    again.close()


def test_a_tampered_key_is_never_unpickled(tmp_path, tamper):
    folder, trap = tmp_path / "cache", tmp_path / "trap"
    store = _store(folder)
    store.put([("a", b"a")])
    tamper(folder, "UPDATE Cache SET raw = 0, key = ? WHERE key = 'a'", pickle.dumps(Bomb(trap)))

    assert store.get("a") is None
    store.put([("a", b"new")])

    assert store.get("a") == b"new"
    assert not trap.exists()
    store.close()


def test_no_file_outside_is_removed_for_an_expired_row(tmp_path, tamper):
    folder = tmp_path / "cache"
    precious = tmp_path / "precious.txt"
    precious.write_text("mine")
    store = _store(folder)
    store.put([("a", b"a")])
    tamper(
        folder, "UPDATE Cache SET mode = 2, filename = '../precious.txt', expire_time = 1.0 WHERE key = 'a'"
    )

    store.put([("b", b"b")])
    store.remove("a")

    assert precious.read_text() == "mine"
    store.close()


@pytest.mark.parametrize(
    ("name", "value"), [("get", "not a method"), ("sqlite_temp_store_directory", "'/tmp'"), ("disk_x", 1)]
)
def test_a_foreign_setting_makes_the_cache_begin_anew(tmp_path, tamper, name, value):
    folder = tmp_path / "cache"
    store = _store(folder)
    store.put([("a", b"a")])
    store.close()
    tamper(folder, "INSERT INTO Settings VALUES (?, ?)", name, value)

    again = _store(folder)

    assert again.get("a") is None
    again.put([("a", b"new")])
    assert again.get("a") == b"new"
    again.close()


def test_a_changed_setting_has_no_effect(tmp_path, tamper):
    folder = tmp_path / "cache"
    _store(folder).close()
    tamper(folder, "UPDATE Settings SET value = 'nonsense' WHERE key = 'eviction_policy'")
    tamper(folder, "UPDATE Settings SET value = 'off; x' WHERE key = 'sqlite_journal_mode'")

    again = _store(folder)
    again.put([("a", b"a")])

    assert again.get("a") == b"a"
    again.close()


def test_an_entry_ends_after_its_lifetime(tmp_path, clock):
    store = _store(tmp_path / "cache", clock=clock)
    store.put([("a", b"a")])
    clock.ahead = 890
    assert store.get("a") == b"a"

    clock.ahead = 901

    assert store.get("a") is None
    assert store.expiry("a") is None
    store.close()


def test_an_entry_that_ends_more_than_one_lifetime_ahead_has_expired(tmp_path, clock):
    store = _store(tmp_path / "cache", clock=clock)
    store.put([("a", b"a")])

    clock.ahead = -3600  # the computer's clock was set back by an hour

    assert store.get("a") is None
    store.close()


@pytest.mark.parametrize("expiry", [None, "soon", b"x", 1e300, float("inf")])
def test_an_end_that_this_program_did_not_write_has_expired(tmp_path, tamper, expiry):
    folder = tmp_path / "cache"
    store = _store(folder)
    store.put([("a", b"a")])
    tamper(folder, "UPDATE Cache SET expire_time = ? WHERE key = 'a'", expiry)

    assert store.get("a") is None
    store.close()


def test_renewing_gives_a_fresh_lifetime(tmp_path, tamper):
    folder = tmp_path / "cache"
    store = _store(folder)
    store.put([("a", b"a")])
    tamper(folder, "UPDATE Cache SET expire_time = expire_time - 800")
    before = store.expiry("a")

    store.renew("a")
    store.renew("nothing")

    assert 790 < store.expiry("a") - before < 810
    assert store.get("nothing") is None
    store.close()


def test_removing_tells_whether_there_was_an_entry(tmp_path):
    store = _store(tmp_path / "cache")
    store.put([("a", b"a")])

    assert (store.remove("a"), store.remove("a")) == (True, False)
    assert store.get("a") is None
    store.close()


def test_the_oldest_make_room_in_a_cache_with_a_limit(tmp_path):
    store = _store(tmp_path / "cache", size_limit=200_000)
    for number in range(0, 200, 4):
        store.put([(str(number + place), bytes(10_000)) for place in range(4)])

    there = [number for number in range(200) if store.get(str(number)) is not None]

    assert there == list(range(there[0], 200))
    assert 5 <= len(there) <= 21
    assert (tmp_path / "cache" / "cache.db").stat().st_size < 400_000
    store.close()


def test_nothing_makes_room_in_a_cache_without_a_limit(tmp_path):
    store = _store(tmp_path / "cache")
    for number in range(200):
        store.put([(str(number), bytes(10_000))])

    assert all(store.get(str(number)) for number in range(200))
    store.close()


@pytest.mark.parametrize(
    "damage", [b"not a database at all " * 1000, b"", b"SQLite format 3\x00" + bytes(50_000)], ids=len
)
def test_a_damaged_file_is_begun_anew(tmp_path, damage):
    folder = tmp_path / "cache"
    store = _store(folder)
    store.put([("a", b"a")])
    store.close()
    (folder / "cache.db").write_bytes(damage)

    again = _store(folder)

    assert again.get("a") is None
    again.put([("a", b"new")])
    assert again.get("a") == b"new"
    again.close()


def test_another_programs_tables_are_begun_anew(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    connection = sqlite3.connect(folder / "cache.db")
    connection.execute("CREATE TABLE Cache (nonsense)")
    connection.execute("CREATE TABLE Settings (nonsense)")
    connection.close()

    store = _store(folder)
    store.put([("a", b"a")])

    assert store.get("a") == b"a"
    store.close()


def test_damage_while_open_is_mended_for_every_thread(tmp_path, caplog):
    folder = tmp_path / "cache"
    store = _store(folder)
    store.put([(str(number), bytes(5_000)) for number in range(100)])
    content = bytearray((folder / "cache.db").read_bytes())
    content[: len(content)] = os.urandom(len(content))
    (folder / "cache.db").write_bytes(content)
    errors = []

    def work(name):
        try:
            for number in range(20):
                key = f"{name}-{number}"
                store.get(key)
                store.put([(key, b"x")])
                assert store.get(key) == b"x"
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == []
    assert caplog.text.count("begun anew") == 1
    store.close()


def test_folders_and_files_are_the_owners_alone(tmp_path):
    folder = tmp_path / "cache"
    before = os.umask(0)
    try:
        store = _store(folder)
        store.put([("a", b"a")])
        store.close()
        made = _modes(folder)
        folder.chmod(0o755)
        for name in made:
            if name != ".":
                (folder / name).chmod(0o644)
        _store(folder).close()
    finally:
        os.umask(before)

    assert made["."] == 0o700
    assert {mode for name, mode in made.items() if name != "."} == {0o600}
    assert _modes(folder) == made


def test_a_cache_that_was_write_ahead_logged_before_is_taken_over(tmp_path, tamper):
    folder = tmp_path / "cache"
    store = _store(folder)
    store.put([("a", b"a")])
    store.close()
    connection = sqlite3.connect(folder / "cache.db")
    connection.execute("PRAGMA journal_mode=wal")
    connection.close()

    again = _store(folder)

    assert again.get("a") == b"a"
    assert not list(folder.glob("*-wal"))
    again.close()


def test_a_place_that_cannot_be_written_is_a_storage_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(StorageError):
        _store(tmp_path / "file" / "cache")


def test_a_cache_that_another_program_holds_is_a_storage_error(tmp_path, monkeypatch):
    monkeypatch.setattr("app.cache.store._BUSY_SECONDS", 0.05)
    store = _store(tmp_path / "cache")
    holder = sqlite3.connect(tmp_path / "cache" / "cache.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    with pytest.raises(StorageError):
        store.put([("a", b"a")])
    with pytest.raises(StorageError):
        store.get("a")

    holder.execute("ROLLBACK")
    holder.close()
    store.put([("a", b"a")])
    assert store.get("a") == b"a"
    store.close()


def _modes(folder):
    found = {".": stat.S_IMODE(folder.stat().st_mode)}
    return found | {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
