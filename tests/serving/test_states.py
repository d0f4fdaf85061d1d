"""Saved states as files: found again, bounded, and never trusted when damaged."""

import json
import os
import threading
import time

import numpy as np
import pytest

from app.serving.states import PENDING, SLICE, StateStore


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def open_store(key="model", **options):
        opened.append(StateStore(tmp_path / "states", key=key, **options))
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


def saved(store, tokens, state=b"state"):
    store.save(tokens, state)
    store.flush()


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "states").iterdir())


def test_what_was_saved_is_found_by_its_beginning_also_after_a_restart(open_store):
    saved(open_store(), [1, 2, 3], b"\0what the model knows")

    again = open_store()
    found = again.find([1, 2, 3, 4])

    assert found.shared == 3
    assert again.load(found) == b"\0what the model knows"


def test_of_several_the_one_that_shares_most_is_found(open_store):
    store = open_store()
    for tokens in ([1, 9], [1, 2, 8], [5]):
        saved(store, tokens)

    assert store.find([1, 2, 3]).tokens == (1, 2, 8)
    assert store.find([1, 2, 3], whole=True) is None
    assert store.find([7]) is None


def test_a_longer_turn_takes_the_place_of_the_one_before(open_store, tmp_path):
    store = open_store()
    saved(store, [1, 2])
    saved(store, [1, 2, 3])

    assert len(files(tmp_path)) == 1
    assert store.find([1, 2]).tokens == (1, 2, 3)


def test_another_model_does_not_see_it_and_does_not_remove_it(open_store):
    saved(open_store("one"), [1, 2])

    assert open_store("other").find([1, 2]) is None
    assert open_store("one").find([1, 2]) is not None


@pytest.mark.parametrize("damage", ["state", "tokens", "header", "cut", "gone"])
def test_a_damaged_file_is_as_good_as_none(open_store, tmp_path, damage):
    store = open_store()
    saved(store, [1, 2, 3], b"x" * 100)
    (path,) = (tmp_path / "states").iterdir()
    raw = bytearray(path.read_bytes())
    if damage == "gone":
        path.unlink()
    else:
        if damage == "cut":
            del raw[-10:]
        else:
            raw[{"state": -1, "tokens": -105, "header": 20}[damage]] ^= 1
        path.write_bytes(raw)

    assert store.load(store.find([1, 2, 3])) is None
    assert store.find([1, 2, 3]) is None
    assert not path.exists()


@pytest.mark.parametrize("damage", ["first", "middle", "last", "two changed places", "cut", "longer"])
def test_a_state_of_many_slices_is_checked_in_all_of_them(open_store, tmp_path, damage):
    store = open_store()
    state = np.random.default_rng(0).bytes(3 * SLICE + 5)
    saved(store, [1, 2, 3], state)
    assert store.load(store.find([1, 2, 3])) == state

    (path,) = (tmp_path / "states").iterdir()
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        del raw[-SLICE:]
    elif damage == "longer":
        raw += b"\0"
    elif damage == "two changed places":
        begin = len(raw) - len(state) - 12  # of the body: three tokens come before the state
        first, second = raw[begin : begin + SLICE], raw[begin + SLICE : begin + 2 * SLICE]
        raw[begin : begin + 2 * SLICE] = second + first
    else:
        raw[{"first": -len(state), "middle": -2 * SLICE, "last": -1}[damage]] ^= 1
    path.write_bytes(raw)

    assert store.load(store.find([1, 2, 3])) is None
    assert not path.exists()


@pytest.mark.parametrize("count", [2, 4, 5, 10**13, -1, "x"])
def test_a_file_that_says_it_has_other_tokens_than_it_has_is_as_good_as_none(open_store, tmp_path, count):
    saved(open_store(), [1, 2, 3], b"x" * 100)
    (path,) = (tmp_path / "states").iterdir()
    path.write_bytes(path.read_bytes().replace(b'"tokens": 3', b'"tokens": ' + json.dumps(count).encode()))

    store = open_store()
    found = store.find([1, 2, 3])

    assert found is None or store.load(found) is None
    assert store.find([1, 2, 3]) is None
    assert not path.exists()


def test_what_was_half_written_or_is_foreign_or_old_is_swept(open_store, tmp_path):
    store = open_store()
    saved(store, [1])
    (path,) = (tmp_path / "states").iterdir()
    long_ago = time.time() - 40 * 24 * 3600
    os.utime(path, (long_ago, long_ago))
    foreign = {
        "saving-x": b"half",
        "x.kv": b"CARREL-KV-4\n{}\n",
        "y.kv": os.urandom(99),
        "z.kv": b"CARREL-KV-4\n" + b"[" * 4_000 + b"\n",
    }
    for name, content in foreign.items():
        (tmp_path / "states" / name).write_bytes(content)

    assert open_store().find([1]) is None
    assert files(tmp_path) == []


def test_the_folder_is_bounded_and_what_was_not_used_for_longest_goes(open_store, tmp_path):
    store = open_store(limit=2_500)
    for number in range(3):
        saved(store, [number], bytes(1_000))
        newest = max((tmp_path / "states").iterdir(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, (1_000 + number, 1_000 + number))
        store.find([number])
    saved(store, [9], bytes(1_000))

    assert store.find([0]) is None
    assert store.find([1]) is None
    assert store.find([9]) is not None


def test_while_the_disk_does_not_keep_up_no_more_waits_for_it_than_a_few(open_store, tmp_path, monkeypatch):
    store = open_store()
    goes_on, write = threading.Event(), store._write

    def slowly(tokens, state):
        goes_on.wait()
        write(tokens, state)

    monkeypatch.setattr(store, "_write", slowly)
    for number in range(PENDING + 5):
        store.save([number], b"state")
    goes_on.set()
    store.flush()

    assert [store.find([number, 0]) is not None for number in range(PENDING + 1)] == [True] * PENDING + [
        False
    ]
    assert len(files(tmp_path)) == PENDING
    saved(store, [100])
    assert store.find([100, 0]) is not None


def test_forgetting_removes_the_states_of_every_model(open_store, tmp_path):
    saved(open_store("one"), [1])
    store = open_store("two")
    saved(store, [2])
    store.clear()

    assert store.find([2]) is None
    assert files(tmp_path) == []


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path):
    (tmp_path / "states").write_text("a file is in the way")
    store = StateStore(tmp_path / "states", key="model")
    saved(store, [1])

    assert store.find([1]) is None
    store.clear()
    store.close()


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_nobody_else_can_read_them(open_store, tmp_path):
    saved(open_store(), [1])
    folder = tmp_path / "states"
    (path,) = folder.iterdir()

    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
