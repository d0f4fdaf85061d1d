"""Collections in the window: made, shown, filled by menu and by dragging, asked; and limits as chips."""

import pytest
from PySide6.QtCore import QMimeData, QModelIndex, QPointF, Qt
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtTest import QAbstractItemModelTester
from PySide6.QtWidgets import QApplication, QLineEdit

from app.filters import Filter, moments
from app.records import Collection
from app.ui.dialogs import Sheet
from app.ui.documents.collections import DOCUMENTS_MIME, CollectionsModel

COPY = Qt.DropAction.CopyAction
LEFT = Qt.MouseButton.LeftButton
NO_KEYS = Qt.KeyboardModifier.NoModifier


@pytest.fixture
def shelf(qtbot, window, client, fakes):
    """A window that shows three documents, a collection with the first, and a followed folder."""
    documents = [
        fakes.a_document("Lease.pdf", dated=moments("2023")[0]),
        fakes.a_document("Bill.pdf"),
        fakes.a_document("Letters.md", media_type="text/markdown"),
    ]
    client.put(*documents)
    home = Collection("c-home", "Home", 1, 1.0)
    client.held_collections = {"c-home": home, "f": Collection("f", "Papers", 0, 2.0, "/home/me/Papers")}
    client.held_members = {"c-home": [documents[0].id], "f": [documents[2].id]}
    window.shelf.fetch()
    window.collecting.fetch()
    qtbot.waitUntil(lambda: window.collecting.model.rowCount() == 2)
    qtbot.waitUntil(lambda: window.shelf.model.rowCount() >= 3)
    return documents


def names(window):
    model = window.desk.library.model()
    return {model.index(row, 0).data() for row in range(model.rowCount())}


def action(menu, text):
    (found,) = [action for action in menu.actions() if action.text() == text]
    return found


def typed(window, text):
    (sheet,) = [sheet for sheet in window.findChildren(Sheet) if sheet.isVisible()]
    sheet.findChild(QLineEdit).setText(text)
    sheet.accept()


def test_the_model_of_collections_is_a_sound_one(qapp):
    model = CollectionsModel()
    tester = QAbstractItemModelTester(model, QAbstractItemModelTester.FailureReportingMode.Fatal)
    model.reset([Collection("a", "A", 1, 0.0), Collection("f", "F", 2, 0.0, "/F")])
    model.reset([Collection("a", "B", 1, 0.0), Collection("f", "F", 2, 0.0, "/F")])
    assert model.index(0).data() == "B"
    assert model.index(0).data(Qt.ItemDataRole.AccessibleTextRole) == "Collection B, 1 file"
    model.reset([])
    del tester


def test_a_collection_that_is_pressed_is_all_that_the_library_shows(qtbot, window, shelf):
    window.desk.collections.opened.emit("c-home")
    qtbot.waitUntil(lambda: names(window) == {"Lease.pdf"})
    assert window.desk.collections.open_key == "c-home"
    assert "1 of" in window.desk.count.text

    window.desk.collections.opened.emit("c-home")
    qtbot.waitUntil(lambda: {"Lease.pdf", "Bill.pdf", "Letters.md"} <= names(window))
    assert window.desk.collections.open_key is None


def test_a_document_is_put_in_and_taken_out_by_its_menu(qtbot, window, client, shelf):
    menu = window.desk.document_menu([shelf[1].id])
    action(action(menu, "Put into a collection").menu(), "Home").trigger()
    qtbot.waitUntil(lambda: window.collecting.model.collection("c-home").documents == 2)
    assert client.held_members["c-home"] == [shelf[0].id, shelf[1].id]

    window.collecting.show("c-home")
    qtbot.waitUntil(lambda: names(window) == {"Lease.pdf", "Bill.pdf"})
    action(window.desk.document_menu([shelf[0].id]), "Take out of “Home”").trigger()
    qtbot.waitUntil(lambda: names(window) == {"Bill.pdf"})


def test_a_document_is_dragged_onto_a_collection_and_not_onto_a_folder(qtbot, window, client, shelf):
    window.show()
    desk = window.desk
    data = desk.library.model().mimeData(
        [
            desk.library.model().index(row, 0)
            for row in range(desk.library.model().rowCount())
            if desk.library.model().index(row, 0).data() == "Bill.pdf"
        ]
    )
    rows, view = window.collecting.model, desk.collections

    def drop(row):
        at = view.visualRect(rows.index(row)).center()
        for event in (
            QDragEnterEvent(at, COPY, data, LEFT, NO_KEYS),
            QDropEvent(QPointF(at), COPY, data, LEFT, NO_KEYS),
        ):
            QApplication.sendEvent(view.viewport(), event)

    drop(0)
    qtbot.waitUntil(lambda: client.held_members["c-home"] == [shelf[0].id, shelf[1].id])
    drop(1)
    assert client.held_members["f"] == [shelf[2].id]
    assert data.hasFormat(DOCUMENTS_MIME)
    assert not rows.canDropMimeData(QMimeData(), COPY, 0, 0, rows.index(0))
    assert not rows.canDropMimeData(data, COPY, 0, 0, QModelIndex())


def test_a_collection_is_made_renamed_and_deleted(qtbot, window, client, shelf):
    menu = window.desk.document_menu([shelf[1].id, shelf[2].id])
    action(action(menu, "Put into a collection").menu(), "New collection…").trigger()
    typed(window, "Taxes")
    qtbot.waitUntil(lambda: window.collecting.model.rowCount() == 3)
    (made,) = [known for known in window.collecting.model.collections() if known.name == "Taxes"]
    assert made.documents == 2

    action(window.desk.collections.menu(made.id), "Rename…").trigger()
    typed(window, "Taxes 2025")
    qtbot.waitUntil(lambda: window.collecting.model.collection(made.id).name == "Taxes 2025")

    window.desk.collections.removal_asked.emit([made.id])
    (sheet,) = [sheet for sheet in window.findChildren(Sheet) if sheet.isVisible()]
    sheet.accept()
    qtbot.waitUntil(lambda: window.collecting.model.rowCount() == 2)
    assert made.id not in client.held_collections
    assert set(client.held_documents) >= {document.id for document in shelf}


def test_a_name_that_is_taken_is_said(qtbot, window, client, shelf):
    window.collecting.create()
    typed(window, "Home")
    qtbot.waitUntil(lambda: window.banner.isVisibleTo(window))
    assert len(client.held_collections) == 2


def test_the_collection_of_a_folder_cannot_be_renamed_or_deleted(window, shelf):
    texts = [action.text() for action in window.desk.collections.menu("f").actions()]

    assert "Ask only this collection" in texts
    assert "Rename…" not in texts
    assert "Delete…" not in texts


def test_limits_are_chips_that_can_be_removed(qtbot, window, client, shelf, fakes):
    scope, composer = window.scope, window.room.composer
    menu = scope.menu(window)
    action(action(menu, "Collection").menu(), "Home").trigger()
    action(action(scope.menu(window), "Type").menu(), "PDFs").trigger()
    action(action(scope.menu(window), "Last changed").menu(), "2023").trigger()

    assert [chip.text() for chip in composer.chips] == ["Home", "PDFs", "2023"]
    assert action(action(scope.menu(window), "Type").menu(), "PDFs").isChecked()
    since, until = moments("2023")
    assert window.room.scope == Filter((), ("c-home",), ("pdf",), since, until)
    client.script = fakes.answering([])
    window.room.ask("What is the rent?")
    qtbot.waitUntil(lambda: client.filters == [window.room.scope])

    composer.chips[0].click()
    composer.chips[1].click()
    assert window.room.scope == Filter(types=("pdf",))
    action(scope.menu(window), "All documents").trigger()
    assert window.room.scope == Filter()
    assert composer.chips == []


def test_one_collection_or_some_documents_are_asked_alone(qtbot, window, shelf):
    window.scope.toggle_type("pdf")
    action(window.desk.collections.menu("c-home"), "Ask only this collection").trigger()
    assert window.room.scope == Filter(collections=("c-home",))

    action(window.desk.document_menu([shelf[0].id, shelf[1].id]), "Ask only these 2 documents").trigger()
    assert window.room.scope == Filter(documents=(shelf[0].id, shelf[1].id))
    assert [chip.text() for chip in window.room.composer.chips] == ["2 documents"]


def test_a_chip_of_a_collection_follows_its_name_and_goes_with_it(qtbot, window, client, shelf):
    window.scope.ask_collection("c-home")
    window.bridge.request(client.change_collection("c-home", name="House"), lambda _: None)
    qtbot.waitUntil(lambda: [chip.text() for chip in window.room.composer.chips] == ["House"])

    window.bridge.request(client.delete_collection("c-home"), lambda _: None)
    qtbot.waitUntil(lambda: window.room.composer.chips == [])
    assert window.room.scope == Filter()


def test_a_chip_of_documents_goes_with_them(qtbot, window, client, shelf):
    window.scope.ask_documents([shelf[0].id, shelf[1].id])
    window.bridge.request(client.delete_document(shelf[0].id), lambda _: None)
    qtbot.waitUntil(lambda: [chip.text() for chip in window.room.composer.chips] == ["Bill.pdf"])
    assert window.room.scope == Filter(documents=(shelf[1].id,))

    window.bridge.request(client.delete_document(shelf[1].id), lambda _: None)
    qtbot.waitUntil(lambda: window.room.composer.chips == [])
    assert window.room.scope == Filter()


def test_a_file_of_an_impossible_time_keeps_no_year_from_being_offered(window, client, shelf, fakes):
    window.shelf.model.put(fakes.a_document("Odd.pdf", dated=3e11))

    offered = [action.text() for action in action(window.scope.menu(window), "Last changed").menu().actions()]
    assert "2023" in offered


def test_many_limits_are_few_chips_that_fit_in_a_small_window(qtbot, window, client, shelf):
    for number in range(5):
        client.held_collections[f"c{number}"] = Collection(f"c{number}", f"Correspondence {number}", 1, 1.0)
        client.held_members[f"c{number}"] = []
    window.collecting.fetch()
    qtbot.waitUntil(lambda: window.collecting.model.rowCount() == 7)
    scope, composer = window.scope, window.room.composer
    for number in range(5):
        scope.toggle_collection(f"c{number}")
    for kind in ("pdf", "word", "mail"):
        scope.toggle_type(kind)
    scope.set_time(1.0, None)
    scope.toggle_document(shelf[0].id)

    assert [chip.text() for chip in composer.chips[:3]] == ["Lease.pdf", "5 collections", "3 types"]
    assert window.minimumSizeHint().width() <= 720
    composer.chips[1].click()
    composer.chips[1].click()
    assert (window.room.scope.collections, window.room.scope.types) == ((), ())
    assert window.room.scope.documents == (shelf[0].id,)
