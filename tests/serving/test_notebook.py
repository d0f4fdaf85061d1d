import logging

import pytest

from app.serving.notebook import Notebook


@pytest.fixture
def notebook(tmp_path):
    return Notebook(tmp_path / "kept" / "numbers.json", dict[str, int])


def test_what_was_written_is_read_by_the_next_one(notebook):
    notebook.change(lambda found: {"a": 1} if found is None else found)
    notebook.change(lambda found: {**found, "b": 2}, durable=True)

    assert Notebook(notebook.path, dict[str, int]).read() == {"a": 1, "b": 2}
    assert list(notebook.path.parent.iterdir()) == [notebook.path]


def test_nothing_to_keep_leaves_no_file(notebook):
    notebook.change(lambda found: {"a": 1})
    notebook.change(lambda found: None)
    notebook.change(lambda found: None)

    assert notebook.read() is None
    assert list(notebook.path.parent.iterdir()) == []


@pytest.mark.parametrize("damaged", [b"", b"{", b"[]", b'{"a": "one"}', b"\xff\xfe\0"])
def test_a_damaged_file_counts_as_an_empty_one(notebook, damaged):
    notebook.path.parent.mkdir()
    notebook.path.write_bytes(damaged)

    assert notebook.read() is None
    notebook.change(lambda found: {"a": 1} if found is None else {})
    assert notebook.read() == {"a": 1}


def test_a_file_that_cannot_be_written_is_done_without_and_told_to_the_log(tmp_path, caplog):
    (tmp_path / "file").write_text("in the way")
    notebook = Notebook(tmp_path / "file" / "numbers.json", dict[str, int])

    with caplog.at_level(logging.WARNING):
        notebook.change(lambda found: {"a": 1})

    assert notebook.read() is None
    assert "could not be written" in caplog.text
