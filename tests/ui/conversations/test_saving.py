import pytest
from PySide6.QtWidgets import QFileDialog

from app.errors import StorageError
from app.ui.conversations.saving import file_name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("How long is the notice?", "How long is the notice.md"),
        ("a/b\\c: “d”\x00", "a b c “d”.md"),
        ("...", "Conversation.md"),
        ("x" * 200, "x" * 80 + ".md"),
    ],
)
def test_a_title_becomes_a_name_that_every_system_allows(title, name):
    assert file_name(title, ".md") == name


@pytest.fixture
def talk(window, client, fakes):
    made = client.talk("The lease", ("How long?", lambda q: fakes.an_answer(q, "Three months.")))
    window.history.model.put(made)
    return made


def choose(window, path):
    """What the user does in the dialog."""
    dialog = window.findChildren(QFileDialog)[-1]
    assert dialog.acceptMode() == QFileDialog.AcceptMode.AcceptSave
    dialog.filesSelected.emit([str(path)])
    dialog.close()


def test_a_conversation_is_saved_and_the_window_says_where(qtbot, window, talk, tmp_path):
    window.desk.save_asked.emit(talk.id)
    with qtbot.waitSignal(window.history.saved):
        choose(window, tmp_path / "lease.md")

    assert (tmp_path / "lease.md").read_bytes() == b"# The lease\n"
    assert str(tmp_path / "lease.md") in window.banner.text.words
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_one_that_cannot_be_saved_leaves_what_was_there(qtbot, window, client, talk, tmp_path, monkeypatch):
    async def broken(*_args, **_named):
        yield b"half"
        raise StorageError("The disk is full.")

    monkeypatch.setattr(client, "export", broken)
    file = tmp_path / "lease.md"
    file.write_text("mine")

    window.desk.save_asked.emit(talk.id)
    choose(window, file)

    qtbot.waitUntil(lambda: "The disk is full." in window.banner.text.words)
    assert file.read_text() == "mine"


def test_a_folder_that_is_gone_is_said(qtbot, window, talk, tmp_path):
    window.desk.save_asked.emit(talk.id)
    choose(window, tmp_path / "gone" / "lease.md")

    qtbot.waitUntil(lambda: "cannot be written" in window.banner.text.words)
