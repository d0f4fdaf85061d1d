import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QPointF, Qt
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QWidget

from app.records import Problem
from app.ui.places import Place, place_of, places_of
from app.ui.reader.reader import Reader


@pytest.fixture
def reader(qtbot, theme, bridge) -> Reader:
    made = Reader(theme, bridge)
    qtbot.addWidget(made)
    made.resize(440, 700)
    made.show()
    return made


@pytest.fixture
def lease(client, fakes):
    made = fakes.a_document("Lease.pdf")
    client.put(made)
    return made


def test_the_cited_place_is_marked_and_in_view(qtbot, reader, lease):
    reader.resize(440, 300)
    reader.show_place(Place(lease.id, lease.name, True, 4, 10, 60))
    qtbot.waitUntil(lambda: reader.page.has_picture and bool(reader.page.boxes))
    assert reader.number.text == "page 4 of 12"
    for box in reader.page.boxes:
        assert 0 < reader.page.place_of(box).y() < reader.page.viewport().height()


def test_a_marker_lies_on_the_paper_like_a_marker(qtbot, reader, lease, theme):
    reader.show_place(Place(lease.id, lease.name, True, 4, 10, 60))
    qtbot.waitUntil(lambda: reader.page.has_picture and bool(reader.page.boxes))
    picture = reader.page.viewport().grab().toImage()
    mark = theme.colour("page_mark")
    pixels = [
        picture.pixelColor(x, y) for x in range(0, picture.width(), 3) for y in range(0, picture.height(), 3)
    ]
    assert sum(pixel == mark for pixel in pixels) > 100
    assert sum(pixel.lightness() < 90 and pixel.red() > pixel.blue() + 15 for pixel in pixels) > 0


def test_the_places_of_an_answer_are_walked_through(qtbot, reader, lease, fakes):
    sources = [fakes.a_source(1, lease, 4), fakes.a_source(2, lease, 9)]
    places = places_of(sources, (), "a")
    seen = []
    reader.place_shown.connect(lambda place: seen.append(place.page))
    reader.show_place(places[0], places)
    assert reader.at_place.text == "1 of 2"
    assert not reader.previous_place.isEnabled()
    reader.next_place.click()
    assert reader.at_place.text == "2 of 2"
    assert not reader.next_place.isEnabled()
    reader.step(1)
    assert seen == [4, 9]


def test_pages_are_turned_within_the_document(qtbot, reader, lease):
    reader.show_place(Place(lease.id, lease.name, True, 12, 10, 60))
    qtbot.waitUntil(lambda: reader.number.text == "page 12 of 12")
    assert not reader.forth.isEnabled()
    reader.turn(1)
    reader.back.click()
    qtbot.waitUntil(lambda: reader.number.text == "page 11 of 12" and not reader.page.boxes)


def test_the_answer_to_an_older_question_for_a_page_is_dropped(qtbot, reader, lease):
    for number in (3, 5, 7):
        reader.show_place(Place(lease.id, lease.name, True, number, 10, 60))
    qtbot.waitUntil(lambda: reader.page.has_picture)
    qtbot.wait(100)
    assert reader.number.text == "page 7 of 12"


def test_a_text_without_pages_is_shown_with_the_passage_marked(qtbot, reader, client, fakes):
    notes = fakes.a_document("Notes.md", pages=1)
    client.put(notes)
    text = "Before 😀 this. The passage that counts. After it.\n" * 3
    start = text.index("The passage", 60)
    client.pages[notes.id, 1] = text
    reader.show_place(Place(notes.id, notes.name, False, 1, start, start + 24))
    qtbot.waitUntil(lambda: reader.stack.currentWidget() is reader.text)
    assert reader.text.marked == "The passage that counts."
    assert not reader.number.isVisibleTo(reader)


def test_a_very_long_text_is_shown_around_the_passage(qtbot, reader, client, fakes):
    notes = fakes.a_document("Notes.txt", pages=1)
    client.put(notes)
    text = "word " * 100_000 + "HERE it is. " + "word " * 100_000
    start = text.index("HERE")
    client.pages[notes.id, 1] = text
    reader.show_place(Place(notes.id, notes.name, False, 1, start, start + 11))
    qtbot.waitUntil(lambda: reader.stack.currentWidget() is reader.text)
    assert reader.text.marked == "HERE it is."
    assert len(reader.text.text.toPlainText()) < 100_000


def test_a_document_that_is_gone_says_so(qtbot, reader, client, lease):
    reader.show_place(Place("nowhere", "Gone.pdf", True, 1, 0, 5))
    qtbot.waitUntil(lambda: reader.stack.currentWidget() is reader.notice)
    assert reader.notice.text.words == "There is no such document."


def test_a_document_removed_while_it_is_open_says_so(qtbot, reader, lease):
    reader.show_document(lease)
    qtbot.waitUntil(lambda: reader.page.has_picture)
    reader.document_removed(lease.id)
    assert "removed" in reader.notice.text.words


def test_a_document_being_read_opens_by_itself_when_it_is_ready(qtbot, reader, client, fakes):
    document = fakes.a_document(status="reading", pages=10, pages_read=2)
    client.put(document)
    reader.show_document(document)
    assert reader.notice.text.words == "Reading: 2 of 10 pages"
    reader.document_changed(fakes.dataclasses.replace(document, status="ready"))
    qtbot.waitUntil(lambda: reader.page.has_picture)


def test_a_failed_document_offers_to_try_again(qtbot, reader, fakes):
    document = fakes.a_document(status="failed", error=Problem("file_damaged", "It is broken."))
    reader.show_document(document)
    with qtbot.waitSignal(reader.retry_asked) as retry:
        reader.notice.retry.click()
    assert retry.args == [document.id]


def test_zooming_asks_for_a_sharper_picture(qtbot, reader, lease):
    reader.show_document(lease)
    qtbot.waitUntil(lambda: reader.page.has_picture)
    before = reader.page.pixel_width
    reader.page.set_zoom(2.0)
    assert reader.zoom.text() == "200 %"
    assert reader.page.pixel_width > 1.8 * before
    assert reader.page.verticalScrollBar().maximum() > 0
    reader.zoom.click()
    assert reader.page.zoom == 1.0


def test_the_page_comes_to_rest_at_every_zoom_and_height(qtbot, reader, lease):
    reader.show_document(lease)
    qtbot.waitUntil(lambda: reader.page.has_picture)
    laid_out = _Resizes(reader.page.viewport())
    for height in range(500, 760, 4):
        for zoom in (0.9, 1.0, 1.1):
            reader.resize(440, height)
            reader.page.set_zoom(zoom)
            laid_out.count = 0
            for _ in range(10):
                QApplication.sendPostedEvents()
            assert laid_out.count <= 4, f"{height} high at {zoom}"
    bar = reader.page.horizontalScrollBar()
    reader.page.set_zoom(1.0)
    qtbot.waitUntil(lambda: bar.maximum() == 0)


class _Resizes(QObject):
    """Counts how often a widget gets another size; ends a layout that would go on forever."""

    def __init__(self, watched: QWidget) -> None:
        super().__init__(watched)
        self.count = 0
        watched.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        self.count += event.type() == QEvent.Type.Resize
        return self.count > 40


def test_the_end_of_a_page_leads_to_the_next(qtbot, reader, lease):
    reader.show_place(Place(lease.id, lease.name, True, 4, 10, 60))
    qtbot.waitUntil(lambda: reader.page.has_picture and reader.number.text == "page 4 of 12")
    reader.page.verticalScrollBar().setValue(reader.page.verticalScrollBar().maximum())
    qtbot.keyClick(reader.page, Qt.Key.Key_PageDown)
    qtbot.waitUntil(lambda: reader.number.text == "page 5 of 12")


def test_the_wheel_goes_on_to_the_next_page_and_back(qtbot, reader, lease):
    reader.show_place(Place(lease.id, lease.name, True, 4, 10, 60))
    qtbot.waitUntil(lambda: reader.page.has_picture and reader.number.text == "page 4 of 12")
    bar = reader.page.verticalScrollBar()
    bar.setValue(bar.maximum())

    roll(reader, -120)
    assert reader.number.text == "page 4 of 12"
    roll(reader, -120)
    assert reader.number.text == "page 5 of 12"
    assert bar.value() == bar.minimum()

    bar.setValue(bar.minimum())
    roll(reader, 120)
    roll(reader, 120)
    assert reader.number.text == "page 4 of 12"


def test_a_touchpad_that_rolls_on_by_itself_turns_no_page(qtbot, reader, lease):
    reader.show_place(Place(lease.id, lease.name, True, 4, 10, 60))
    qtbot.waitUntil(lambda: reader.page.has_picture and reader.number.text == "page 4 of 12")
    reader.page.verticalScrollBar().setValue(reader.page.verticalScrollBar().maximum())
    for _ in range(10):
        roll(reader, -120, Qt.ScrollPhase.ScrollMomentum)
    assert reader.number.text == "page 4 of 12"


def roll(reader: Reader, by: int, phase: Qt.ScrollPhase = Qt.ScrollPhase.NoScrollPhase) -> None:
    at = QPointF(50, 50)
    none = Qt.KeyboardModifier.NoModifier
    buttons = Qt.MouseButton.NoButton
    event = QWheelEvent(at, at, QPoint(), QPoint(0, by), buttons, none, phase, False)
    QApplication.sendEvent(reader.page.viewport(), event)


def test_a_quote_narrows_the_place_of_its_source(lease, fakes):
    source = fakes.a_source(1, lease, 4)
    citation = fakes.Citation(0, 10, "supported", 1, 7, 19)
    place = place_of(source, "a", citation, 0)
    assert (place.start, place.end) == (source.passage.start + 7, source.passage.start + 19)


CLAUSE = "Either party may end the lease."


def place_in(document, text, **changed):
    start = text.index(CLAUSE)
    return Place(document.id, document.name, document.paged, 1, start, start + len(CLAUSE), text=CLAUSE)


def test_a_passage_is_marked_where_it_stands_after_its_file_was_edited(qtbot, reader, client, fakes):
    notes = fakes.a_document("Notes.md", pages=1)
    place = place_in(notes, f"Before. {CLAUSE}")
    client.put(notes)
    client.pages[notes.id, 1] = f"Much more was written before it since. {CLAUSE} And after."

    reader.show_place(place)

    qtbot.waitUntil(lambda: reader.stack.currentWidget() is reader.text)
    assert reader.text.marked == CLAUSE
    assert reader.name.text == "Notes.md"


def test_a_passage_that_an_edit_took_away_is_not_marked_elsewhere_and_that_is_said(
    qtbot, reader, client, fakes
):
    notes = fakes.a_document("Notes.md", pages=1)
    place = place_in(notes, f"Before. {CLAUSE}")
    client.put(notes)
    client.pages[notes.id, 1] = "Everything is another text now, and longer than it was before."

    reader.show_place(place)

    qtbot.waitUntil(lambda: reader.stack.currentWidget() is reader.text)
    assert reader.text.marked == ""
    assert reader.name.text == "Notes.md · changed since then"


def test_on_a_page_the_boxes_are_those_of_where_it_stands_now(qtbot, reader, client, lease, monkeypatch):
    place = place_in(lease, f"Before. {CLAUSE}")
    client.pages[lease.id, 1] = f"More before it. {CLAUSE}"
    asked = []
    page = client.page
    monkeypatch.setattr(client, "page", lambda *given: asked.append(given[2:]) or page(*given))

    reader.show_place(place)

    qtbot.waitUntil(lambda: bool(reader.page.boxes))
    assert asked == [(8, 8 + len(CLAUSE)), (16, 16 + len(CLAUSE))]


def test_a_page_whose_passage_is_gone_has_no_boxes(qtbot, reader, client, lease):
    place = place_in(lease, f"Before. {CLAUSE}")
    client.pages[lease.id, 1] = "Another text."

    reader.show_place(place)

    qtbot.waitUntil(lambda: reader.name.text == "Lease.pdf · changed since then")
    assert not reader.page.boxes
    reader.turn(1)
    assert reader.name.text == "Lease.pdf"


def test_pictures_of_a_file_that_changed_are_drawn_anew(qtbot, reader, client, lease, fakes, monkeypatch):
    drawn = []
    image = client.page_image
    monkeypatch.setattr(client, "page_image", lambda *given: drawn.append(given[:2]) or image(*given))
    reader.document_changed(lease)
    reader.show_place(Place(lease.id, lease.name, True, 4))
    qtbot.waitUntil(lambda: reader.page.has_picture)

    reader.document_changed(fakes.dataclasses.replace(lease, content_hash="f" * 64))
    reader.show_place(Place(lease.id, lease.name, True, 4))

    qtbot.waitUntil(lambda: drawn == [(lease.id, 4), (lease.id, 4)])
