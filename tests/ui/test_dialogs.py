import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QFileDialog, QLineEdit, QWidget

from app.backend.documents.media_types import EXPECTED
from app.ui.controls import Button
from app.ui.dialogs import Sheet, ask_text, confirm
from app.ui.files import DOCUMENTS, choose_files
from app.ui.links import open_link


@pytest.fixture
def parent(qtbot) -> QWidget:
    made = QWidget()
    qtbot.addWidget(made)
    made.show()
    return made


def press_yes(parent: QWidget) -> None:
    parent.findChild(Sheet).findChild(Button, "yes").click()


def test_only_a_yes_confirms(qtbot, theme, parent):
    done = []
    sheet = confirm(theme, "Remove it?", "It is gone then.", "Remove", parent, then=lambda: done.append(True))
    qtbot.keyClick(sheet, Qt.Key.Key_Escape)
    assert done == []
    qtbot.waitUntil(lambda: parent.findChild(Sheet) is None)
    confirm(theme, "Remove it?", "It is gone then.", "Remove", parent, then=lambda: done.append(True))
    press_yes(parent)
    assert done == [True]


def test_enter_alone_is_no(qtbot, theme, parent):
    done = []
    sheet = confirm(theme, "Remove it?", "It is gone then.", "Remove", parent, then=lambda: done.append(True))
    qtbot.keyClick(sheet.findChildren(Button)[0], Qt.Key.Key_Return)
    assert done == []


def test_a_typed_name_is_stripped_and_never_empty(qtbot, theme, parent):
    names = []
    ask_text(theme, "Rename", "Old", "Rename", parent, then=names.append)
    parent.findChild(Sheet).findChild(QLineEdit).setText("  New name ")
    press_yes(parent)
    qtbot.waitUntil(lambda: parent.findChild(Sheet) is None)
    ask_text(theme, "Rename", "Old", "Rename", parent, then=names.append)
    parent.findChild(Sheet).findChild(QLineEdit).setText("   ")
    press_yes(parent)
    assert names == ["New name"]


@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "javascript:alert(1)", "/etc/passwd", "smb://host/x", "https://", ""]
)
def test_only_web_addresses_are_offered_to_the_browser(theme, parent, address):
    open_link(theme, address, parent)
    assert parent.findChild(Sheet) is None


def test_a_link_opens_only_after_its_address_was_seen(theme, parent, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toString()))
    open_link(theme, "https://example.org/lease", parent)
    assert opened == []
    press_yes(parent)
    assert opened == ["https://example.org/lease"]


def test_chosen_files_are_given_as_paths(qtbot, theme, parent, tmp_path):
    (tmp_path / "a.pdf").write_bytes(b"%PDF-1.4")
    chosen = []
    dialog = choose_files(
        theme, parent, "Add", "Documents (*.pdf)", then=chosen.append, folder=str(tmp_path), several=True
    )
    assert isinstance(dialog, QFileDialog)
    dialog.filesSelected.emit([str(tmp_path / "a.pdf")])
    assert chosen == [[str(tmp_path / "a.pdf")]]
    dialog.close()


def test_the_files_that_are_offered_are_those_that_a_folder_is_searched_for():
    offered = DOCUMENTS.partition("(")[2].partition(")")[0].split()

    assert offered == [f"*{suffix}" for suffix in EXPECTED]
