import json

import pytest
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QDragEnterEvent,
    QDragLeaveEvent,
    QDropEvent,
    QKeySequence,
    QPixmap,
    QShortcut,
)
from PySide6.QtWidgets import QAbstractButton, QApplication, QLineEdit, QWidget

from app.errors import ConnectionLostError
from app.events import (
    DocumentChanged,
    DocumentRemoved,
    ModelChanged,
    Notice,
    RenewalChanged,
    WindowRequested,
)
from app.records import Problem, Renewal
from app.ui.rows import Part, RowDelegate, RowList
from app.ui.state import StateFile
from app.ui.theme import Size
from app.ui.window import Window

COPY = Qt.DropAction.CopyAction
NO_KEYS = Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


def files(*paths: str) -> QMimeData:
    data = QMimeData()
    data.setUrls([QUrl(path) if "://" in path else QUrl.fromLocalFile(path) for path in paths])
    return data


def drag(window: Window, data: QMimeData) -> QDragEnterEvent:
    event = QDragEnterEvent(QPoint(300, 200), COPY, data, LEFT, NO_KEYS)
    QApplication.sendEvent(window, event)
    return event


def drop(window: Window, data: QMimeData) -> QDropEvent:
    event = QDropEvent(QPointF(300, 200), COPY, data, LEFT, NO_KEYS)
    QApplication.sendEvent(window, event)
    return event


class TestDropping:
    def test_files_over_the_window_show_where_they_may_be_put_down(self, window):
        event = drag(window, files("/tmp/a.pdf", "/tmp/b"))
        assert event.isAccepted()
        assert window.overlay.isVisible()
        assert window.overlay.geometry() == window.rect()
        QApplication.sendEvent(window, QDragLeaveEvent())
        assert not window.overlay.isVisible()

    def test_dropped_files_are_added_and_appear_at_once(self, qtbot, window, client):
        data = files("/tmp/a.pdf", "/tmp/folder with spaces")
        drag(window, data)
        assert drop(window, data).isAccepted()
        assert not window.overlay.isVisible()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 2)
        assert client.added == ["/tmp/a.pdf", "/tmp/folder with spaces"]

    def test_files_copied_elsewhere_are_added_when_they_are_pasted(self, qtbot, window, client):
        box = window.room.composer.question
        QApplication.clipboard().setMimeData(files("/tmp/a.pdf", "/tmp/b c.pdf"))
        box.paste()
        QApplication.clipboard().clear()  # what Python made must not outlive it: the process would crash
        qtbot.waitUntil(lambda: client.added == ["/tmp/a.pdf", "/tmp/b c.pdf"])
        assert box.toPlainText() == ""

    def test_words_and_web_addresses_are_not_files(self, window, client):
        words = QMimeData()
        words.setText("/etc/passwd")
        assert not drag(window, words).isAccepted()
        assert not drag(window, files("https://example.org/a.pdf", "file://server/share/a.pdf")).isAccepted()
        assert not window.overlay.isVisible()
        assert client.added == []

    def test_a_refused_file_is_named_with_its_reason(self, qtbot, window, client):
        client.refused["b.zip"] = Problem("unsupported_type", "Carrel cannot read this kind of file.")
        data = files("/tmp/a.pdf", "/tmp/b.zip")
        drag(window, data)
        drop(window, data)
        qtbot.waitUntil(window.banner.isVisible)
        assert window.banner.text.words == "b.zip: Carrel cannot read this kind of file."
        assert window.shelf.model.rowCount() == 1

    def test_several_refused_files_are_named_by_their_reasons(self, qtbot, window, client):
        image = Problem("unsupported_type", "This is an image.")
        client.refused |= {f"{n}.jpg": image for n in range(5)}
        client.refused["b.zip"] = Problem("unsupported_type", "This is an archive.")
        data = files("/tmp/a.pdf", "/tmp/b.zip", *(f"/tmp/{n}.jpg" for n in range(5)))
        drag(window, data)
        drop(window, data)
        qtbot.waitUntil(window.banner.isVisible)
        assert window.banner.text.words.splitlines() == [
            "6 files were not added.",
            "b.zip: This is an archive.",
            "0.jpg, 1.jpg, 2.jpg and 2 more: This is an image.",
        ]

    def test_the_same_content_under_another_name_is_said_to_be_known(self, window, fakes):
        known = fakes.a_document("Lease.pdf")
        window.shelf.added([fakes.Addition("Copy of lease.pdf", known, known=True)])
        assert window.banner.text.words == "Copy of lease.pdf is in the library already, as Lease.pdf."

    def test_a_file_that_is_known_is_said_to_be_among_others_too(self, window, fakes):
        known, new = fakes.a_document("Lease.pdf"), fakes.a_document("New.pdf")
        window.shelf.added(
            [fakes.Addition("Copy of lease.pdf", known, known=True), fakes.Addition("New.pdf", new)]
        )
        assert window.banner.text.words == "Copy of lease.pdf is in the library already, as Lease.pdf."

    def test_nothing_inside_the_window_takes_files_for_itself(self, window):
        takers = [widget for widget in window.findChildren(QWidget) if widget.acceptDrops()]
        # Documents are put down on collections; files over them go to the window all the same.
        collections = window.desk.collections
        assert set(takers) <= {collections, collections.viewport()}
        data = files("/tmp/a.pdf")  # the event holds no reference of its own
        event = QDragEnterEvent(QPoint(5, 5), COPY, data, LEFT, NO_KEYS)
        QApplication.sendEvent(collections.viewport(), event)
        assert window.overlay.isVisible()


class TestFirstStart:
    def test_an_empty_desk_offers_the_sample_and_a_place_to_drop(self, qtbot, window):
        welcome = window.room.welcome
        qtbot.waitUntil(welcome.drop.isVisible)
        assert welcome.sample.isVisible()

    def test_trying_the_sample_asks_its_question_once_it_is_read(self, qtbot, window, client, fakes):
        client.script = fakes.answering(["Three months."])
        window.room.welcome.sample.button.click()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)
        assert client.added == ["/opt/carrel/sample/Lease agreement.pdf"]
        assert client.questions == []
        document = window.shelf.model.documents()[0]
        client.publish(DocumentChanged(fakes.dataclasses.replace(document, status="ready")))
        qtbot.waitUntil(lambda: not window.room.asking and bool(client.questions))
        assert client.questions[0][0] == "How long is the notice period?"

    def test_the_sample_goes_once_there_are_documents(self, qtbot, window, client, fakes):
        client.publish(DocumentChanged(fakes.a_document()))
        welcome = window.room.welcome
        qtbot.waitUntil(lambda: "1 document" in welcome.below.words)
        assert not welcome.drop.isVisible()
        assert not welcome.sample.isVisible()

    @pytest.mark.parametrize(
        ("states", "said"),
        [
            (["ready"], "1 document with 1 passage"),
            (["ready", "ready", "queued"], "2 documents with 2 passages, 1 still being read"),
            (
                ["ready", "failed", "reading"],
                "1 document with 1 passage, 1 still being read, 1 could not be read",
            ),
            (["queued", "failed"], "2 documents on the desk. You can ask as soon as the first is read."),
            (["failed"], "1 document could not be read. Press it in the library to see why."),
        ],
    )
    def test_the_empty_desk_says_what_there_is_to_ask(self, qtbot, window, client, fakes, states, said):
        client.put(*(fakes.a_document(status=state, passages=1) for state in states))
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.room.welcome.below.words == said)


class TestLibrary:
    def test_rows_follow_the_feed(self, qtbot, window, client, fakes):
        document = fakes.a_document(status="reading", pages=10, pages_read=0)
        client.publish(DocumentChanged(document))
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)
        client.publish(DocumentChanged(fakes.dataclasses.replace(document, pages_read=4)))
        view = window.desk.library
        qtbot.waitUntil(lambda: view.model().index(0, 0).data(Part.META) == "4/10")
        client.publish(DocumentRemoved(document.id))
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 0)

    def test_a_click_opens_a_document_in_the_reader(self, qtbot, window, client, fakes):
        client.put(fakes.a_document("Lease.pdf"))
        window.shelf.fetch()
        view = window.desk.library
        qtbot.waitUntil(lambda: view.model().rowCount() == 1)
        at = view.visualRect(view.model().index(0, 0)).center()
        qtbot.mouseClick(view.viewport(), LEFT, pos=at)
        assert window.reader.isVisible()
        qtbot.waitUntil(lambda: window.reader.page.has_picture)
        assert window.reader.name.text == "Lease.pdf"

    def test_the_row_of_the_page_in_the_reader_is_the_open_one(self, qtbot, window, client, fakes):
        lease, rules = fakes.a_document("Lease.pdf"), fakes.a_document("Rules.pdf")
        client.put(lease, rules)
        window.shelf.fetch()
        library = window.desk.library
        qtbot.waitUntil(lambda: library.model().rowCount() == 2)
        at = library.visualRect(library.model().index(0, 0)).center()
        qtbot.mouseClick(library.viewport(), LEFT, pos=at)
        assert library.open_key == lease.id
        # From an answer, say: the row that was clicked before must not look like the open one.
        window.reader.show_document(rules)
        assert library.open_key == rules.id
        assert library.selected_keys() == []
        window.close_reader()
        assert library.open_key is None

    def test_a_choice_of_several_files_outlasts_what_is_opened(self, qtbot, window, client, fakes):
        client.put(*(fakes.a_document(f"{name}.pdf") for name in "abc"))
        window.shelf.fetch()
        library = window.desk.library
        qtbot.waitUntil(lambda: library.model().rowCount() == 3)
        library.selectAll()
        window.reader.show_document(window.shelf.model.documents()[0])
        assert len(library.selected_keys()) == 3

    def test_a_failed_document_says_why_and_can_be_tried_again(self, qtbot, window, client, fakes):
        problem = Problem("file_encrypted", "The file is protected by a password.")
        document = fakes.a_document(status="failed", error=problem)
        client.put(document)
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)
        window.desk.document_opened.emit(document.id)
        notice = window.reader.notice
        assert notice.text.words == "The file is protected by a password."
        notice.retry.click()
        qtbot.waitUntil(lambda: client.retried == [document.id])

    def test_the_menu_of_a_row_offers_what_can_be_done(self, qtbot, window, client, fakes):
        ready, failed = (
            fakes.a_document(),
            fakes.a_document(status="failed", error=Problem("file_empty", "Empty.")),
        )
        client.put(ready, failed)
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 2)
        menu = window.desk.document_menu([ready.id])
        texts = [a.text() for a in menu.actions() if a.text()]
        assert texts == ["Open", "Ask only this document", "Put into a collection", "Remove…"]
        menu = window.desk.document_menu([failed.id])
        assert [a.text() for a in menu.actions() if a.text()] == [
            "Open",
            "Put into a collection",
            "Try again",
            "Remove…",
        ]

    def test_removing_asks_first(self, qtbot, window, client, fakes):
        document = fakes.a_document()
        client.put(document)
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)
        window.desk.removal_asked.emit([document.id])
        assert client.deleted == []
        window.findChild(fakes.Sheet).findChild(fakes.Button, "yes").click()
        qtbot.waitUntil(lambda: client.deleted == [document.id])
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 0)

    def test_the_delete_key_asks_before_it_removes_what_is_chosen(self, qtbot, window, client, fakes):
        client.put(fakes.a_document(), fakes.a_document(), fakes.a_document())
        window.shelf.fetch()
        library = window.desk.library
        qtbot.waitUntil(lambda: library.model().rowCount() == 3)
        qtbot.keyClick(library, Qt.Key.Key_Delete)
        assert window.findChild(fakes.Sheet) is None
        library.selectAll()
        qtbot.keyClick(library, Qt.Key.Key_Delete)
        assert client.deleted == []
        window.findChild(fakes.Sheet).findChild(fakes.Button, "yes").click()
        qtbot.waitUntil(lambda: len(client.deleted) == 3)

    def test_a_thousand_rows_cost_only_those_in_sight(self, qtbot, window, client, fakes, theme):
        client.put(*(fakes.a_document(f"Minutes {n}.pdf") for n in range(1_000)))
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1_000)
        painted = []

        class Counting(RowDelegate):
            def paint(self, painter, option, index):
                painted.append(index.row())
                super().paint(painter, option, index)

        view = window.desk.library
        view.setItemDelegate(Counting(theme, view, Qt.TextElideMode.ElideRight))
        view.viewport().grab()
        assert 0 < len(painted) < 60

    def test_the_library_counts_what_is_read_until_all_of_it_is(self, qtbot, window, client, fakes):
        waiting = fakes.a_document(status="queued")
        client.put(fakes.a_document(), fakes.a_document(status="failed"), waiting)
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.desk.count.text == "2 of 3 read")
        client.publish(DocumentChanged(fakes.dataclasses.replace(waiting, status="ready")))
        qtbot.waitUntil(lambda: window.desk.count.text == "3 files")

    def test_a_library_that_is_read_with_another_model_says_how_far_it_is_and_what_answers(
        self, qtbot, window, client
    ):
        line = window.desk.renewal
        assert line.isHidden()
        client.publish(RenewalChanged(Renewal("Gemma", 120, 40, "MiniLM")))
        qtbot.waitUntil(line.isVisible)
        assert line.text == "New model: 40 of 120 read"
        assert line.toolTip() == (
            "Reading the library with Gemma: 40 of 120 documents; answers still come from MiniLM."
        )
        client.publish(RenewalChanged(Renewal("Gemma", 1, 0, None)))
        said = "0 of 1 document; the others are found by their words only."
        qtbot.waitUntil(lambda: line.toolTip().endswith(said))
        client.publish(RenewalChanged(None))
        qtbot.waitUntil(line.isHidden)

    def test_a_window_that_opens_meanwhile_says_so_too(self, qtbot, window, client, bridge):
        client.renewal = Renewal("Gemma", 120, 40, "MiniLM")
        bridge.reconnect()
        qtbot.waitUntil(window.desk.renewal.isVisible)

    def test_find_filters_both_lists(self, qtbot, window, client, fakes):
        client.put(fakes.a_document("Lease.pdf"), fakes.a_document("Pumps.pdf"))
        client.talk("About the lease", ("?", lambda q: fakes.an_answer(q, "!")))
        client.talk("About pumps", ("?", lambda q: fakes.an_answer(q, "!")))
        window.shelf.fetch()
        window.history.fetch()
        qtbot.waitUntil(lambda: window.desk.talks.model().rowCount() == 3)
        window.desk.find_box.setText("LEASE")
        assert window.desk.library.model().rowCount() == 1
        assert window.desk.talks.model().rowCount() == 2


class TestLostGateway:
    def test_a_banner_says_so_and_goes_when_it_is_back(self, qtbot, window, client):
        client.reachable = False
        client.publish(ConnectionLostError("The connection to Carrel is lost."))
        qtbot.waitUntil(window.banner.isVisible)
        assert window.banner.text.words == "The connection to Carrel is lost."
        client.reachable = True
        window.banner.retry.click()
        qtbot.waitUntil(lambda: not window.banner.isVisible())

    def test_the_typed_question_is_kept(self, qtbot, window, client):
        client.reachable = False
        qtbot.keyClicks(window.room.composer.question, "Is this kept?")
        qtbot.keyClick(window.room.composer.question, Qt.Key.Key_Return)
        qtbot.waitUntil(lambda: not window.room.asking)
        assert window.room.composer.question.toPlainText() == "Is this kept?"

    def test_what_changed_meanwhile_is_fetched_again(self, qtbot, window, client, fakes):
        client.publish(ConnectionLostError("gone"))
        qtbot.waitUntil(window.banner.isVisible)
        client.put(fakes.a_document("Meanwhile.pdf"))
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)


class TestModels:
    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({}, "SmolLM2 135M Instruct · CPU"),
            ({"backend": "CUDA0", "layers_offloaded": 30}, "SmolLM2 135M Instruct · GPU"),
            ({"backend": "CUDA0", "layers_offloaded": 12}, "SmolLM2 135M Instruct · 12 of 30 layers on GPU"),
            ({"loaded": False}, "Loading SmolLM2 135M Instruct…"),
            ({"loaded": False, "resting": True}, "SmolLM2 135M Instruct · resting"),
            ({"loaded": False, "problem": Problem("model_unavailable", "No memory.")}, "No model"),
        ],
    )
    def test_the_chip_says_which_model_answers_and_where(self, qtbot, window, client, fakes, changed, said):
        client.publish(ModelChanged(fakes.a_model(**changed)))
        qtbot.waitUntil(lambda: window.chip.text() == said)

    def test_the_chip_explains_how_the_model_was_laid_out(self, qtbot, window, client, fakes):
        client.publish(ModelChanged(fakes.a_model(placement="31 of 36 layers on the GPU, 8,192 tokens")))
        qtbot.waitUntil(lambda: window.chip.toolTip().endswith("\n31 of 36 layers on the GPU, 8,192 tokens"))

    def test_a_chosen_model_is_kept_in_the_settings(self, qtbot, window, settings):
        window.chip.chosen.emit("/home/reader/Big.gguf")
        qtbot.waitUntil(lambda: window.chip.text() == "Big · CPU")
        assert settings.text("chat_model") == "/home/reader/Big.gguf"

    def test_a_bad_model_file_leaves_the_old_one(self, qtbot, window, client, settings):
        client.refused["bad.gguf"] = Problem("model_file_invalid", "This is not a model.")
        before = window.chip.text()
        window.chip.chosen.emit("/home/reader/bad.gguf")
        qtbot.waitUntil(window.banner.isVisible)
        assert window.banner.text.words == "bad.gguf: This is not a model."
        assert window.chip.text() == before
        assert settings.text("chat_model") == ""


class TestShape:
    def test_the_window_does_not_get_smaller_than_its_minimum(self, qtbot, window):
        window.resize(300, 200)
        assert (window.width(), window.height()) == (Size.LEAST_WIDTH, Size.LEAST_HEIGHT)
        assert window.minimumSizeHint().width() <= Size.LEAST_WIDTH
        assert window.minimumSizeHint().height() <= Size.LEAST_HEIGHT

    def test_in_a_narrow_window_the_reader_covers_the_talk(self, qtbot, window, client, fakes):
        document = fakes.a_document()
        client.put(document)
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)
        window.resize(1_300, 700)
        window.desk.document_opened.emit(document.id)
        qtbot.waitUntil(lambda: window.reader.isVisible() and window.middle.isVisible())
        window.resize(800, 700)
        qtbot.waitUntil(lambda: not window.middle.isVisible())
        assert window.reader.width() > 450
        window.close_reader()
        assert window.middle.isVisible()
        window.desk.document_opened.emit(document.id)
        window.resize(1_300, 700)
        qtbot.waitUntil(lambda: window.middle.isVisible() and window.reader.isVisible())

    def test_the_desk_folds_and_comes_back(self, qtbot, window):
        qtbot.keyClick(window, Qt.Key.Key_B, Qt.KeyboardModifier.ControlModifier)
        window.toggle_desk() if window.desk.isVisible() else None
        assert not window.desk.isVisible()
        assert window.top.unfold.isVisible()
        window.top.unfold.click()
        assert window.desk.isVisible()

    def test_its_shape_is_remembered(self, qtbot, window, theme, bridge, settings, tmp_path):
        window.resize(777, 555)
        window.toggle_desk()
        theme.set_scale(1.2)
        window.close()
        kept = json.loads((tmp_path / "ui-state.json").read_text("utf-8"))
        assert (kept["width"], kept["height"], kept["desk_folded"]) == (777, 555, True)
        assert kept["text_scale"] == 1.2
        again = Window(theme, bridge, settings, StateFile(tmp_path / "ui-state.json"))
        assert (again.width(), again.height()) == (777, 555)
        assert again.panes.desk_folded
        again.deleteLater()

    def test_on_a_smaller_screen_than_last_time_all_of_it_is_on_the_screen(
        self, qtbot, theme, bridge, settings, tmp_path
    ):
        state = StateFile(tmp_path / "ui-state.json")
        available = QApplication.primaryScreen().availableGeometry()
        far = available.bottomRight() - QPoint(60, 60)
        state.remember(x=far.x(), y=far.y(), width=Size.LEAST_WIDTH, height=Size.LEAST_HEIGHT)
        made = Window(theme, bridge, settings, StateFile(tmp_path / "ui-state.json"))
        qtbot.addWidget(made)
        assert available.contains(made.geometry())

    def test_the_foot_says_where_other_tools_may_ask_and_has_room_for_it(self, qtbot, window):
        foot = window.desk.foot
        foot.show_address("http://127.0.0.1:11711")
        assert foot.line.text == "Tools may ask at 127.0.0.1:11711"
        qtbot.waitUntil(lambda: foot.line.width() >= foot.line.sizeHint().width())
        foot.show_address(None)
        assert foot.line.text.startswith("Offline")

    def test_at_twice_the_text_size_everything_still_fits(self, qtbot, window, theme):
        window.resize(1_440, 900)
        theme.set_scale(2.0)
        QApplication.processEvents()
        assert window.width() == 1_440
        assert window.room.composer.send.visibleRegion().boundingRect() == window.room.composer.send.rect()

    def test_mirrored_for_a_right_to_left_language(self, qtbot, window, qapp, client, fakes):
        client.put(fakes.a_document("חוזה.pdf"))
        window.shelf.fetch()
        qapp.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        try:
            left = QPoint(0, 0)
            qtbot.waitUntil(
                lambda: window.desk.mapTo(window, left).x() > window.middle.mapTo(window, left).x()
            )
            assert not window.grab().isNull()
        finally:
            qapp.setLayoutDirection(Qt.LayoutDirection.LeftToRight)


class TestReach:
    def test_a_new_window_takes_a_question_at_once(self, window):
        assert window.focusWidget() is window.room.composer.question

    @pytest.mark.parametrize("keys", ["Ctrl+W", "Ctrl+Q"])
    def test_the_usual_keys_close_the_window(self, window, keys):
        shortcut = next(s for s in window.findChildren(QShortcut) if s.key() == QKeySequence(keys))
        shortcut.activated.emit()
        assert not window.isVisible()

    def test_everything_that_can_be_pressed_has_a_name(self, window):
        nameless = [
            widget
            for widget in window.findChildren(QWidget)
            if isinstance(widget, (QAbstractButton, QLineEdit, RowList)) and not widget.accessibleName()
        ]
        assert nameless == []

    def test_tab_reaches_desk_talk_and_composer(self, qtbot, window, client, fakes):
        client.put(fakes.a_document())
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)
        reached = set()
        at = window.desk.new.nextInFocusChain()
        while at is not window.desk.new:
            if at.focusPolicy() & Qt.FocusPolicy.TabFocus and at.isVisible() and at.isEnabled():
                reached.add(at)
            at = at.nextInFocusChain()
        wanted = {window.desk.find_box, window.desk.library, window.chip, window.room.composer.question}
        assert wanted <= reached

    def test_a_second_start_brings_the_window_forward(self, qtbot, window, client, monkeypatch):
        raised = []
        monkeypatch.setattr(window, "raise_", lambda: raised.append(True))
        client.publish(WindowRequested())
        qtbot.waitUntil(lambda: bool(raised))

    def test_a_notice_is_shown_once_and_can_be_put_away(self, qtbot, window, client):
        client.publish(
            Notice(Problem("gpu", "The graphics card could not be used; answers come from the CPU."))
        )
        qtbot.waitUntil(window.banner.isVisible)
        window.banner.shut.click()
        assert not window.banner.isVisible()

    def test_escape_ends_a_search_and_brings_all_files_back(self, qtbot, window, client, fakes):
        client.put(fakes.a_document("Lease.pdf"))
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)
        qtbot.waitUntil(lambda: not window.desk.hint.isVisible())
        window.desk.find_box.setText("heat pump")
        assert window.desk.library.model().rowCount() == 0
        assert window.desk.hint.isVisible()
        qtbot.keyClick(window.desk.find_box, Qt.Key.Key_Return)
        assert window.room.stack.currentWidget() is window.room.found
        window._escape()
        assert window.desk.find_box.text() == ""
        assert window.desk.library.model().rowCount() == 1
        assert window.room.stack.currentWidget() is window.room.welcome
        assert not window.desk.hint.isVisible()

    def test_escape_stops_then_closes_the_reader(self, qtbot, window, client, fakes):
        document = fakes.a_document()
        client.put(document)
        window.shelf.fetch()
        qtbot.waitUntil(lambda: window.shelf.model.rowCount() == 1)
        window.desk.document_opened.emit(document.id)
        window._escape()
        assert not window.reader.isVisible()


def test_the_whole_window_can_be_drawn_in_both_schemes(qtbot, window, theme, client, fakes):
    for choice in ("dark", "light"):
        theme.choose(choice)
        picture = window.grab()
        assert isinstance(picture, QPixmap)
        colour = picture.toImage().pixelColor(window.middle.x() + 4, window.height() // 2)
        assert colour == theme.colour("paper")
