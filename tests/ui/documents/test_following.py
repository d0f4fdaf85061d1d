"""Folders put on the desk are followed; what there is to say about them is said above the talk."""

import dataclasses

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QApplication

from app.events import FolderChanged, FolderRemoved
from app.records import Addition, Problem

BROKEN = Problem("file_damaged", "The file is damaged.")
LIMIT = Problem("watch_limit", "The system's limit of watched folders is reached.")


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "Contracts"
    path.mkdir()
    return path


def drop(window, *paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QApplication.sendEvent(window, QDragEnterEvent(QPoint(300, 200), copy, data, left, none))
    QApplication.sendEvent(window, QDropEvent(QPointF(300, 200), copy, data, left, none))


def followed(client):
    return [folder.path for folder in client.held_folders.values()]


def test_a_dropped_folder_is_followed_and_files_beside_it_are_added(qtbot, window, client, folder, tmp_path):
    file = tmp_path / "a.pdf"
    file.touch()

    drop(window, folder, file)

    qtbot.waitUntil(window.banner.isVisible)
    assert followed(client) == [str(folder)]
    assert client.added == [str(file)]
    assert window.banner.text.words == "Contracts is followed: what changes in it, changes here."
    assert window.banner.choice.text() == "Add its files only"


def test_who_wanted_only_its_files_says_so(qtbot, window, client, folder):
    drop(window, folder)
    qtbot.waitUntil(window.banner.choice.isVisible)

    window.banner.choice.click()

    qtbot.waitUntil(lambda: followed(client) == [])
    qtbot.waitUntil(lambda: "followed no more" in window.banner.text.words)
    assert not window.banner.choice.isVisible()
    assert window.shelf.following.folders == ()


def test_files_of_a_new_folder_that_were_refused_are_named_once(qtbot, window, client, folder):
    drop(window, folder)
    qtbot.waitUntil(lambda: bool(client.held_folders))
    (found,) = client.held_folders.values()
    refused = tuple(Addition(name, problem=BROKEN) for name in ("a.pdf", "b.pdf"))
    looked = dataclasses.replace(found, scanned_at=1.0, documents=3, refused=refused, refused_count=5)

    client.publish(FolderChanged(looked))

    qtbot.waitUntil(lambda: "not added" in window.banner.text.words)
    assert window.banner.text.words.splitlines() == [
        "5 files were not added.",
        "a.pdf, b.pdf: The file is damaged.",
        "And 3 more.",
    ]
    window.banner.hide()
    client.publish(FolderChanged(dataclasses.replace(looked, documents=4)))
    qtbot.waitUntil(lambda: window.shelf.following.folders[0].documents == 4)
    assert not window.banner.isVisible()


def test_a_new_folder_without_a_file_that_is_read_says_so(qtbot, window, client, folder):
    drop(window, folder)
    qtbot.waitUntil(lambda: bool(client.held_folders))
    (found,) = client.held_folders.values()

    client.publish(FolderChanged(dataclasses.replace(found, scanned_at=1.0)))

    qtbot.waitUntil(lambda: "no file in Contracts" in window.banner.text.words)


def test_a_folder_that_cannot_be_followed_says_why(qtbot, window, client, folder):
    client.refused["Contracts"] = Problem(
        "folder_unreadable", "You are not allowed to look into this folder."
    )

    drop(window, folder)

    qtbot.waitUntil(window.banner.isVisible)
    assert window.banner.text.words == "Contracts: You are not allowed to look into this folder."
    assert not window.banner.choice.isVisible()


def test_that_the_system_watches_no_more_folders_is_said_once(qtbot, window, client, fakes):
    folder = fakes.a_folder(state="polling", problem=LIMIT)
    client.publish(FolderChanged(dataclasses.replace(folder, state="watching", problem=None)))
    client.publish(FolderChanged(folder))

    qtbot.waitUntil(window.banner.isVisible)
    assert window.banner.text.words == f"Contracts: {LIMIT.message}"
    window.banner.hide()
    client.publish(FolderChanged(dataclasses.replace(folder, documents=13)))
    qtbot.waitUntil(lambda: window.shelf.following.folders[0].documents == 13)
    assert not window.banner.isVisible()


def test_what_changes_elsewhere_is_followed(qtbot, window, client, fakes):
    folder = fakes.a_folder()
    client.publish(FolderChanged(folder))
    qtbot.waitUntil(lambda: window.shelf.following.folders == (folder,))

    client.publish(FolderRemoved(folder.id))
    qtbot.waitUntil(lambda: window.shelf.following.folders == ())
