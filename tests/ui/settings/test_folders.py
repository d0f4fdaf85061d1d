import dataclasses

import pytest

from app.events import FolderChanged
from app.records import Addition, Problem
from app.ui.settings.dialog import SettingsDialog

MISSING = Problem("folder_missing", "This folder is not there now. Its documents are kept until it is back.")


@pytest.fixture
def following(qtbot, window, client, fakes):
    """The window follows so many folders."""

    def follow(*folders):
        client.held_folders = {folder.id: folder for folder in folders}
        window.shelf.following.fetch()
        qtbot.waitUntil(lambda: len(window.shelf.following.folders) == len(folders))
        window.open_settings()
        return window.findChild(SettingsDialog).folders

    return follow


def test_without_folders_there_is_a_button_and_no_list(following):
    section = following()

    assert section.add.isVisible()
    assert not section.view.isVisible()


def test_each_folder_says_how_it_is_followed(following, fakes):
    refused = (Addition("a.pdf", problem=Problem("file_damaged", "The file is damaged.")),)
    section = following(
        fakes.a_folder("/1", refused=refused, refused_count=1),
        fakes.a_folder("/2", state="missing", problem=MISSING),
        fakes.a_folder("/3", scanned_at=None),
        fakes.a_folder("/4", documents=1, include=("*.pdf",), exclude=("old/",)),
    )

    assert [row.state.text for row in section.rows] == [
        "12 documents · 1 not added",
        "12 documents · not there now, kept until it is back",
        "Being looked through",
        "1 document",
    ]
    assert [row.toolTip() for row in section.rows] == [
        "a.pdf: The file is damaged.",
        MISSING.message,
        "",
        "Only *.pdf, not old/",
    ]
    assert section.rows[1].state.colour_name == "warn"


def test_many_folders_scroll(following, fakes):
    section = following(*(fakes.a_folder(f"/home/reader/{number}") for number in range(40)))

    assert section.view.height() < 4 * section.rows[0].height()
    assert section.view.verticalScrollBar().maximum() > 0
    assert section.window().height() <= section.screen().availableGeometry().height()


def test_a_folder_is_left_by_its_button_and_the_dialog_fits_again(qtbot, following, client, fakes):
    first, second = fakes.a_folder("/1"), fakes.a_folder("/2")
    section = following(first, second)
    before = section.window().height()

    section.rows[0].leave.click()

    qtbot.waitUntil(lambda: [row.folder.id for row in section.rows] == [second.id])
    assert list(client.held_folders) == [second.id]
    qtbot.waitUntil(lambda: section.window().height() < before)


def test_a_change_of_a_folder_keeps_its_row(qtbot, following, client, fakes):
    folder = fakes.a_folder()
    section = following(folder)
    (row,) = section.rows

    client.publish(FolderChanged(dataclasses.replace(folder, documents=13)))

    qtbot.waitUntil(lambda: row.state.text == "13 documents")
    assert section.rows == [row]


def test_a_chosen_folder_is_followed(qtbot, window, following, client, tmp_path):
    section = following()
    section._following.follow([str(tmp_path)])

    qtbot.waitUntil(lambda: len(section.rows) == 1)
    assert section.rows[0].path.text == str(tmp_path)
