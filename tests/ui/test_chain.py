"""The window in front of everything real: the models, the database, the gateway, the parsing child."""

import asyncio
import threading

import pytest
import shiboken6
from reportlab.pdfgen.canvas import Canvas

from app.main.reach import prepare, reach
from app.ui.bridge import Bridge
from app.ui.state import StateFile
from app.ui.window import Window

pytestmark = [pytest.mark.model, pytest.mark.slow]
PATIENCE_MS = 120_000


@pytest.fixture
def real_window(qtbot, theme, profile, sample, tmp_path, bundled_models):
    prepare(profile, None, verbose=False)
    side = reach(profile, None)
    opening = threading.Thread(target=side.open)
    opening.start()
    bridge = Bridge(side.client, side.submit)
    window = Window(
        theme,
        bridge,
        side.settings,
        StateFile(tmp_path / "ui-state.json"),
        (sample.document, sample.question),
    )
    window.show()
    bridge.follow()
    qtbot.waitUntil(
        lambda: window.chip.usable and window.chip.text().endswith(("CPU", "GPU")), timeout=PATIENCE_MS
    )
    yield window
    bridge.close()
    window.close()
    for part in (window, bridge):
        shiboken6.delete(part)
    opening.join()
    side.close()


def test_the_sample_is_answered_with_its_fact_and_the_page_it_stands_on(qtbot, real_window, sample):
    room = real_window.room
    room.welcome.sample.button.click()
    qtbot.waitUntil(lambda: bool(room.talk.turns) and not room.asking, timeout=PATIENCE_MS)
    turn = room.talk.turns[0]
    assert turn.state == "complete"
    assert sample.answered_by(turn.answer.markdown)
    assert turn.places[0].page == sample.page
    turn.answer.chip_pressed.emit(turn.places[0].citation, turn.places[0].number)
    page = real_window.reader.page
    qtbot.waitUntil(lambda: page.has_picture and bool(page.boxes), timeout=PATIENCE_MS)
    for box in page.boxes:
        assert 0 < page.place_of(box).y() < page.viewport().height()


def test_a_question_longer_than_the_context_is_refused_in_the_window(qtbot, real_window):
    room = real_window.room
    room.ask("How long is the notice period? " * 2_000)
    qtbot.waitUntil(lambda: not room.asking, timeout=PATIENCE_MS)
    turn = room.talk.turns[0]
    assert turn.failure.code.text.startswith("context_overflow")
    assert room.composer.question.toPlainText().startswith("How long")


def test_stop_works_in_the_window_and_the_next_question_too(qtbot, real_window, sample):
    room = real_window.room
    real_window.shelf.add([str(sample.document)])
    qtbot.waitUntil(
        lambda: [d.status for d in real_window.shelf.model.documents()] == ["ready"], timeout=PATIENCE_MS
    )
    room.ask("Tell me everything about the repairs and the garden.")
    turn = room.talk.turns[0]
    qtbot.waitUntil(lambda: turn.answer_id is not None, timeout=PATIENCE_MS)
    room.stop()
    qtbot.waitUntil(lambda: not room.asking, timeout=5_000)
    assert turn.state in {"stopped", "complete"}
    room.ask(sample.question)
    qtbot.waitUntil(lambda: not room.asking, timeout=PATIENCE_MS)
    assert sample.answered_by(room.talk.turns[1].answer.markdown)


@pytest.mark.long
@pytest.mark.timeout(1_500)
def test_the_window_stays_alive_while_300_pages_are_read_and_asked(qtbot, real_window, tmp_path, heartbeat):
    path = tmp_path / "Logbook.pdf"
    canvas = Canvas(str(path))
    for page in range(300):
        for line in range(30):
            canvas.drawString(60, 780 - line * 20, f"Pump {page * 30 + line} was replaced in {1900 + line}.")
        canvas.showPage()
    canvas.save()
    heart = heartbeat()
    real_window.shelf.add([str(path)])
    model = real_window.shelf.model
    qtbot.waitUntil(lambda: [d.status for d in model.documents()] == ["ready"], timeout=1_200_000)
    real_window.room.ask("When was pump 4000 replaced?")
    qtbot.waitUntil(lambda: not real_window.room.asking, timeout=PATIENCE_MS)
    assert heart.longest < 0.1


def test_the_loop_is_not_the_gui_threads(qtbot, real_window):
    async def where():
        return threading.current_thread(), asyncio.get_running_loop()

    found = []
    real_window.bridge.request(where(), found.append)
    qtbot.waitUntil(lambda: bool(found))
    assert found[0][0] is not threading.main_thread()
