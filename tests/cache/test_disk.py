import pickle

import diskcache
import pytest
from diskcache.core import MODE_BINARY, MODE_PICKLE, MODE_RAW, MODE_TEXT

from app.cache.disk import ForeignRowError, RawDisk


@pytest.fixture
def disk(tmp_path):
    return RawDisk(str(tmp_path))


@pytest.mark.parametrize(
    "value", [b"", b"bytes \x00", "", "text \x00 é 😀", b"x" * 1_000_000, "x" * 1_000_000]
)
def test_bytes_and_text_are_kept_in_the_row_and_come_back(disk, value):
    size, mode, filename, column = disk.store(value, False)

    assert (size, mode, filename) == (
        len(value.encode() if isinstance(value, str) else value),
        MODE_RAW,
        None,
    )
    assert disk.fetch(mode, filename, bytes(column) if isinstance(value, bytes) else column, False) == value


@pytest.mark.parametrize("value", [None, 1, 1.5, [], {}, ("a",), object(), bytearray(b"x"), memoryview(b"x")])
def test_other_values_are_refused(disk, value):
    with pytest.raises(TypeError):
        disk.store(value, False)


def test_files_are_refused_as_values(disk, tmp_path):
    with pytest.raises(TypeError):
        disk.store(b"x", True)
    with pytest.raises(ForeignRowError):
        disk.filename()
    with pytest.raises(ForeignRowError):
        disk.fetch(MODE_RAW, None, b"x", True)


@pytest.mark.parametrize("key", [1, 1.5, b"bytes", None, ("a", "b")])
def test_keys_are_text(disk, key):
    with pytest.raises(TypeError):
        disk.put(key)


@pytest.mark.parametrize("mode", [MODE_PICKLE, MODE_BINARY, MODE_TEXT, 0, 5, None, "1"])
def test_a_row_of_another_mode_is_foreign(disk, mode):
    with pytest.raises(ForeignRowError):
        disk.fetch(mode, None, pickle.dumps("x"), False)


def test_a_row_with_a_file_is_foreign_and_its_file_is_neither_read_nor_removed(disk, tmp_path):
    (tmp_path / "precious.txt").write_text("mine")

    with pytest.raises(ForeignRowError):
        disk.fetch(MODE_BINARY, "precious.txt", None, False)
    disk.remove("precious.txt")

    assert (tmp_path / "precious.txt").read_text() == "mine"


def test_a_pickled_key_is_foreign(disk):
    with pytest.raises(ForeignRowError):
        disk.get(pickle.dumps("key"), False)


def test_the_library_is_the_one_whose_inside_was_read():
    assert diskcache.__version__ == "5.6.3"
