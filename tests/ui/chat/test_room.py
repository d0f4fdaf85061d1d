import asyncio

from app.errors import ContextOverflowError, ReportedError
from app.events import ConversationChanged
from app.records import Problem
from app.ui.asking import Ask

TEXT = "Notice is three months. Nobody knows why."


def a_script(fakes, **more):
    lease = fakes.a_document("Lease.pdf")
    sources = [fakes.a_source(1, lease)]
    return fakes.answering(
        ["Notice is ", "three months.", " Nobody knows why."],
        ("Notice is three months.", 1),
        ("Nobody knows why.", None),
        sources=sources,
        found=3,
        **more,
    )


def test_a_question_streams_into_a_turn_and_ends(qtbot, window, client, fakes):
    client.script = a_script(fakes)
    window.room.composer.asked.emit("How long?")
    turn = window.room.talk.turns[0]
    qtbot.waitUntil(lambda: turn.state == "complete")
    assert turn.answer.plain_text() == "Notice is three months. [1] Nobody knows why. (not in your documents)"
    assert not window.room.composer.running
    assert window.top.title.text == "How long?"


def test_the_next_question_goes_into_the_same_conversation(qtbot, window, client, fakes):
    client.script = a_script(fakes)
    window.room.ask("How long?")
    qtbot.waitUntil(lambda: not window.room.asking)
    first = window.room.conversation.id
    window.room.ask("And the garage?")
    qtbot.waitUntil(lambda: not window.room.asking)
    assert client.questions[1][1] == first


def test_up_brings_the_last_question_back_to_be_changed(qtbot, window, client, fakes):
    client.script = a_script(fakes)
    box = window.room.composer.question
    qtbot.keyClick(box, fakes.Qt.Key.Key_Up)
    assert box.toPlainText() == ""
    for question in ("How long?", "And the garage?"):
        window.room.ask(question)
        qtbot.waitUntil(lambda: not window.room.asking)
    qtbot.keyClick(box, fakes.Qt.Key.Key_Up)
    qtbot.keyClicks(box, " Or the cellar?")
    assert box.toPlainText() == "And the garage? Or the cellar?"


def test_stop_keeps_the_partial_answer(qtbot, window, client, fakes):
    client.script = a_script(fakes, before_end=asyncio.Event().wait)
    window.room.ask("How long?")
    turn = window.room.talk.turns[0]
    qtbot.waitUntil(lambda: turn.answer.markdown == TEXT)
    window.room.composer.send.click()
    qtbot.waitUntil(lambda: turn.state == "stopped")
    assert turn.answer.markdown == TEXT
    assert not window.room.composer.running


def test_a_refused_question_comes_back_into_the_box(qtbot, window, client):
    async def refuses(_client, _question, _conversation):
        raise ReportedError(ContextOverflowError(3_912, 2_048).problem, 400)
        yield

    client.script = refuses
    window.room.ask("A very long question")
    turn = window.room.talk.turns[0]
    qtbot.waitUntil(lambda: turn.state == "failed")
    assert turn.failure.code.text == "context_overflow"
    assert "2,048" in turn.failure.message.words
    assert window.room.composer.question.toPlainText() == "A very long question"


def test_trying_again_replaces_the_failed_turn(qtbot, window, client, fakes):
    client.reachable = False
    window.room.ask("How long?")
    qtbot.waitUntil(lambda: not window.room.asking)
    client.reachable = True
    client.script = a_script(fakes)
    window.room.talk.turns[0].failure.retry.click()
    qtbot.waitUntil(lambda: not window.room.asking)
    assert [turn.state for turn in window.room.talk.turns] == ["complete"]
    assert window.room.composer.question.toPlainText() == ""


def test_a_failure_after_the_sources_keeps_them(qtbot, window, client, fakes):
    client.script = a_script(fakes, failure=Problem("decode_failed", "The model broke off."))
    window.room.ask("How long?")
    turn = window.room.talk.turns[0]
    qtbot.waitUntil(lambda: turn.state == "failed")
    assert turn.answer.markdown == TEXT
    assert turn.cards.cards
    assert window.room.composer.question.toPlainText() == ""


def test_another_conversation_can_be_opened_while_an_answer_is_on_its_way(qtbot, window, client, fakes):
    client.script = a_script(fakes, before_end=asyncio.Event().wait)
    other = client.talk("Older", ("Older?", lambda q: fakes.an_answer(q, "Old answer.")))
    window.room.ask("How long?")
    qtbot.waitUntil(lambda: bool(window.room.talk.turns[0].answer.markdown))
    window.room.open(other)
    qtbot.waitUntil(lambda: window.room.talk.turns[0].question == "Older?")
    assert not window.room.composer.running
    window.room.ask("One more?")
    assert len(window.room.talk.turns) == 2


def test_an_answer_that_was_left_is_read_again_when_it_is_done(qtbot, window, client, fakes):
    talk = client.talk("Slow", ("Slow?", lambda q: fakes.an_answer(q, "Half", state="running")))
    window.history.fetch()
    qtbot.waitUntil(lambda: window.history.model.conversation(talk.id) is not None)
    window.desk.conversation_opened.emit(talk.id)
    qtbot.waitUntil(lambda: bool(window.room.talk.turns))
    turn = window.room.talk.turns[0]
    assert turn.ending.words == "Still being written…"
    detail = client.held_conversations[talk.id]
    whole = fakes.dataclasses.replace(detail.messages[1], text="Half and whole.", state="complete")
    client.held_conversations[talk.id] = fakes.dataclasses.replace(
        detail, messages=(detail.messages[0], whole)
    )
    client.publish(ConversationChanged(talk))
    qtbot.waitUntil(lambda: turn.answer.markdown == "Half and whole.")
    assert not turn.ending.isVisibleTo(turn)


def test_an_answer_that_is_left_goes_on_and_leaves_nothing_behind(qtbot, window, client, fakes):
    gate = asyncio.Event()
    client.script = a_script(fakes, before_end=gate.wait)
    window.room.ask("How long?")
    qtbot.waitUntil(lambda: bool(window.room.talk.turns[0].answer.markdown))
    window.new_question()
    assert client.stopped == []
    client.loop.call_soon_threadsafe(gate.set)
    qtbot.waitUntil(lambda: window.bridge.findChild(Ask) is None)


def test_the_scope_goes_with_the_question(qtbot, window, client, fakes):
    client.script = a_script(fakes)
    client.put(fakes.a_document("Lease.pdf"))
    key = next(iter(client.held_documents))
    window.shelf.fetch()
    qtbot.waitUntil(lambda: window.shelf.model.document(key) is not None)
    window.desk.scope_chosen.emit([key])
    assert [chip.text() for chip in window.room.composer.chips] == ["Lease.pdf"]
    window.room.ask("How long?")
    qtbot.waitUntil(lambda: not window.room.asking)
    assert client.questions[0][2] == (key,)


def test_a_new_name_does_not_put_the_reader_away(qtbot, window, client, fakes):
    lease = fakes.a_document("Lease.pdf")
    client.put(lease)
    talk = client.talk("Old name", ("Q?", lambda q: fakes.an_answer(q, "A.")))
    window.shelf.fetch()
    window.history.fetch()
    qtbot.waitUntil(lambda: window.history.model.conversation(talk.id) is not None)
    window.desk.conversation_opened.emit(talk.id)
    qtbot.waitUntil(lambda: bool(window.room.talk.turns))
    window.desk.document_opened.emit(lease.id)
    client.publish(ConversationChanged(fakes.dataclasses.replace(talk, title="New name")))
    qtbot.waitUntil(lambda: window.top.title.text == "New name")
    assert window.reader.isVisible()


def test_a_deleted_conversation_leaves_an_empty_desk(qtbot, window, client, fakes):
    talk = client.talk("To go", ("Q?", lambda q: fakes.an_answer(q, "A.")))
    window.history.fetch()
    qtbot.waitUntil(lambda: window.history.model.conversation(talk.id) is not None)
    window.desk.conversation_opened.emit(talk.id)
    qtbot.waitUntil(lambda: bool(window.room.talk.turns))
    window.desk.delete_asked.emit(talk.id)
    sheet = window.findChild(fakes.Sheet)
    sheet.findChild(fakes.Button, "yes").click()
    qtbot.waitUntil(lambda: window.history.model.conversation(talk.id) is None)
    assert window.room.stack.currentWidget() is window.room.welcome


def test_passages_are_found_without_a_model(qtbot, window, client, fakes):
    lease = fakes.a_document("Lease.pdf")
    client.put(lease)
    client.sources = (fakes.a_source(1, lease, 4), fakes.a_source(2, lease, 5))
    window.desk.find_box.setText("notice period")
    qtbot.keyClick(window.desk.find_box, fakes.Qt.Key.Key_Return)
    found = window.room.found
    qtbot.waitUntil(lambda: len(found.cards) == 2)
    found.cards[1].click()
    assert window.reader.place.page == 5
    window.desk.find_box.clear()
    assert window.room.stack.currentWidget() is window.room.welcome
