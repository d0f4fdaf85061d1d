import asyncio

import pytest
from PySide6.QtCore import QObject

from app.errors import ConnectionLostError, NotFoundError
from app.events import Delta, DocumentChanged, DocumentRemoved, Finished, Retrieved
from app.records import Conversation, Message, Problem

LONGEST_GAP_S = 0.1


def test_a_result_arrives_on_the_gui_thread(qtbot, bridge, client):
    got = []
    bridge.request(client.documents(), got.append)
    qtbot.waitUntil(lambda: got == [()])


def test_an_error_of_ours_arrives_with_its_code(qtbot, bridge):
    async def fails():
        raise NotFoundError("There is no such document.")

    got = []
    bridge.request(fails(), got.append, got.append)
    qtbot.waitUntil(lambda: got == [Problem("not_found", "There is no such document.")])


def test_any_other_error_is_shown_as_a_bug_with_a_trace(qtbot, bridge, caplog):
    async def fails():
        raise ZeroDivisionError("secret words of a document")

    with qtbot.waitSignal(bridge.trouble) as trouble:
        bridge.request(fails(), lambda _: None)

    problem = trouble.args[0]
    assert problem.code == "bug"
    assert "secret" not in problem.message


def test_nothing_is_delivered_to_a_widget_that_is_gone(qtbot, bridge, client):
    owner = QObject()
    got = []
    bridge.request(client.documents(), got.append, owner=owner)
    owner.deleteLater()
    owner = None
    done = []
    qtbot.wait(50)
    bridge.request(client.models(), done.append)
    qtbot.waitUntil(lambda: bool(done))
    assert got == []


def test_nothing_is_begun_after_closing(bridge, client):
    bridge.close()
    future = bridge.request(client.documents(), lambda _: None)
    assert future.cancelled()


def test_an_exception_in_a_slot_does_not_hold_up_what_comes_after(qtbot, bridge, client):
    def fails(_: object) -> None:
        raise RuntimeError("a bug in a slot")

    got = []
    with qtbot.captureExceptions() as caught:
        bridge.request(client.documents(), fails)
        bridge.request(client.documents(), got.append)
        qtbot.waitUntil(lambda: bool(got))
    assert len(caught) == 1


def test_pieces_of_an_answer_merge_while_they_wait(qtbot, bridge, client, fakes):
    client.script = fakes.answering(["word "] * 2_000)
    texts = []
    ask = bridge.ask("Say it.")
    ask.text.connect(texts.append)
    with qtbot.waitSignal(ask.finished, timeout=10_000):
        pass
    assert "".join(texts) == "word " * 2_000
    assert len(texts) < 200


def test_the_loop_stays_alive_while_2_000_pieces_arrive_in_a_turn(qtbot, window, client, fakes, heartbeat):
    text = [f"word{number} " + ("\n\n" if number % 40 == 39 else "") for number in range(2_000)]
    client.script = fakes.answering(text)
    heart = heartbeat()
    window.room.ask("Say it.")
    qtbot.waitUntil(lambda: window.room.talk.turns[0].state == "complete", timeout=30_000)
    assert heart.longest < LONGEST_GAP_S


def test_the_loop_stays_alive_while_document_events_pour_in(qtbot, window, client, loop, fakes, heartbeat):
    documents = [fakes.a_document(f"Volume {n}.pdf", status="reading", pages=300) for n in range(300)]
    client.put(*documents)

    async def pour():
        for done in range(0, 300, 10):
            for document in documents:
                client.publish(DocumentChanged(fakes.dataclasses.replace(document, pages_read=done)))
            await asyncio.sleep(0.01)
        client.publish(DocumentChanged(fakes.a_document("The last one.pdf")))

    heart = heartbeat()
    loop.submit(pour())
    model = window.shelf.model
    qtbot.waitUntil(lambda: any(d.name == "The last one.pdf" for d in model.documents()), timeout=30_000)
    assert heart.longest < LONGEST_GAP_S


def test_of_many_changes_of_a_document_the_last_one_counts(qtbot, bridge, client, fakes):
    document = fakes.a_document(status="reading")
    seen = []
    bridge.document_changed.connect(seen.append)
    bridge.follow()
    qtbot.waitUntil(lambda: bool(client.feeds))
    for number in range(500):
        client.publish(DocumentChanged(fakes.dataclasses.replace(document, pages_read=number)))
    qtbot.waitUntil(lambda: bool(seen) and seen[-1].pages_read == 499)
    assert len(seen) < 100


def test_a_removal_is_not_overtaken_by_an_earlier_change(qtbot, bridge, client, fakes):
    document = fakes.a_document()
    seen = []
    bridge.document_changed.connect(lambda d: seen.append(d.id))
    bridge.document_removed.connect(lambda key: seen.append(f"-{key}"))
    bridge.follow()
    qtbot.waitUntil(lambda: bool(client.feeds))
    client.publish(DocumentChanged(document))
    client.publish(DocumentRemoved(document.id))
    qtbot.waitUntil(lambda: len(seen) == 2)
    assert seen == [document.id, f"-{document.id}"]


def test_a_lost_feed_is_said_and_taken_up_again(qtbot, bridge, client):
    bridge.follow()
    qtbot.waitUntil(lambda: bool(client.feeds))
    with qtbot.waitSignal(bridge.lost) as lost:
        client.publish(ConnectionLostError("gone"))
    assert lost.args[0].code == "connection_lost"
    with qtbot.waitSignal(bridge.connected, timeout=5_000):
        pass


def test_reconnect_does_not_wait_for_the_backoff(qtbot, bridge, client):
    client.reachable = False
    with qtbot.waitSignal(bridge.lost):
        bridge.follow()
    client.reachable = True
    with qtbot.waitSignal(bridge.connected, timeout=300):
        bridge.reconnect()


class TestAsk:
    def test_a_question_ends_exactly_once(self, qtbot, bridge, client, fakes):
        client.script = fakes.answering(["Yes."])
        ends = []
        ask = bridge.ask("Is it?")
        ask.finished.connect(ends.append)
        ask.failed.connect(lambda *_: ends.append("failed"))
        qtbot.waitUntil(lambda: bool(ends))
        qtbot.wait(100)
        assert [end.text for end in ends] == ["Yes."]

    def test_stop_before_the_sources_cancels_the_request(self, qtbot, bridge, client):
        began = []

        async def never(_client, _question, _conversation):
            began.append(True)
            await asyncio.Event().wait()
            yield Delta("")

        client.script = never
        ask = bridge.ask("Is it?")
        qtbot.waitUntil(lambda: bool(began))
        with qtbot.waitSignal(ask.finished) as finished:
            ask.stop()
        assert finished.args == [None]

    def test_stop_after_the_sources_asks_the_other_side_to_stop(self, qtbot, bridge, client, fakes):
        client.script = fakes.answering(["Part"], before_end=asyncio.Event().wait)
        ask = bridge.ask("Is it?")
        with qtbot.waitSignal(ask.text):
            pass
        with qtbot.waitSignal(ask.finished) as finished:
            ask.stop()
        assert finished.args[0].state == "stopped"
        assert len(client.stopped) == 1

    def test_a_stream_that_breaks_off_is_a_failure(self, qtbot, bridge, client, fakes):
        async def breaks(_client, question, conversation):
            asked = Message("q", conversation.id, None, "user", "complete", question, 0.0)
            yield Retrieved(conversation, asked, "a", (), 0)
            raise ConnectionLostError("The connection was lost before the answer's end.")

        client.script = breaks
        ask = bridge.ask("Is it?")
        with qtbot.waitSignal(ask.failed) as failed:
            pass
        assert failed.args[0].code == "connection_lost"

    def test_a_stream_that_ends_without_an_end_is_a_failure(self, qtbot, bridge, client):
        async def ends(_client, question, conversation):
            yield Delta("Half")

        client.script = ends
        ask = bridge.ask("Is it?")
        with qtbot.waitSignal(ask.failed) as failed:
            pass
        assert failed.args[0].code == "connection_lost"

    def test_what_comes_after_the_end_is_not_delivered(self, qtbot, bridge, client, fakes):
        conversation = Conversation("c", "c", 0.0, 0.0)
        answer = Message("a", "c", None, "assistant", "complete", "", 0.0)
        client.script = fakes.answering([])
        asked = bridge.ask("Is it?")
        with qtbot.waitSignal(asked.finished):
            pass
        with qtbot.assertNotEmitted(asked.finished), qtbot.assertNotEmitted(asked.retrieved):
            asked.arrived(Retrieved(conversation, answer, "a", (), 0))
            asked.arrived(Finished(answer))


@pytest.fixture(autouse=True)
def _quiet(caplog):
    caplog.set_level("CRITICAL", logger="app.ui.bridge")
