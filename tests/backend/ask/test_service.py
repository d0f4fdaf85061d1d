import asyncio
import json
from contextlib import aclosing

import pytest

from app.backend.ask.answering import INTERNAL
from app.errors import (
    ContextOverflowError,
    DecodeError,
    InvalidRequestError,
    ModelError,
    NotFoundError,
)
from app.events import Checked, ConversationChanged, Delta, Failed, Finished, Retrieved
from app.filters import Filter
from app.records import Manner

pytestmark = pytest.mark.model

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
LARGE = 4_000_000_000
QUESTION = "How long is the notice period?"
ANSWER = ("The notice", " period is", " three months [4]", ". It must", " be given", " in writing.")


def run(coroutine):
    async def bounded():
        async with asyncio.timeout(120):
            return await coroutine

    return asyncio.run(bounded())


def text_of(events) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def checks_of(events):
    return tuple(one for event in events if isinstance(event, Checked) for one in event.citations)


def test_a_question_is_answered_with_the_fact_and_the_page_it_stands_on(open_desk):
    async def main():
        async with open_desk() as desk:
            document = await desk.shelve()
            events = await desk.ask(QUESTION)
            *_, finished = events
            assert isinstance(finished, Finished)
            message = finished.message
            assert "three months" in message.text or "3 months" in message.text
            citation = message.citations[0]
            source = next(one for one in message.sources if one.number == citation.source)
            assert (source.passage.document_id, source.passage.page) == (document.id, 4)
            quote = source.passage.text[citation.quote_start : citation.quote_end]
            assert quote.startswith("Either party may end the lease with three months’ notice")

    run(main())


def test_sources_come_before_the_first_word_and_the_end_comes_once_and_last(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            events = await desk.ask(QUESTION)
            assert isinstance(events[0], Retrieved)
            assert events[0].sources[0].read
            assert events[0].found >= 1
            assert isinstance(events[-1], Finished)
            assert not any(isinstance(event, (Retrieved, Finished, Failed)) for event in events[1:-1])

    run(main())


def test_what_streamed_is_what_is_stored(open_desk, lend, script):
    async def main():
        async with open_desk(lend(script(*ANSWER, size=LARGE))) as desk:
            await desk.shelve()
            events = await desk.ask(QUESTION)
            message = events[-1].message
            detail = await desk.backend.conversations.get(desk.user, message.conversation_id)
            assert detail.messages[-1] == message
            assert message.text == text_of(events)
            assert message.citations == checks_of(events)

    run(main())


def test_the_whole_cycle_is_stored(open_desk, lend, script):
    async def main():
        engine = script(*ANSWER, size=LARGE)
        async with open_desk(lend(engine), answer_tokens=77) as desk:
            await desk.shelve()
            events = await desk.ask(QUESTION, trace_id=TRACE)
            row = desk.row(events[-1].message.id)
            assert row["state"] == "complete"
            assert row["rendered_prompt"] == engine.generations[0].prompt.text
            assert QUESTION in row["rendered_prompt"]
            assert row["raw_response"] == "".join(ANSWER)
            assert row["model"] == engine.model.name
            assert row["model_sha256"] == engine.model.sha256
            assert json.loads(row["sampling"])["max_tokens"] == 77
            assert json.loads(row["usage"])["completion_tokens"] == len(ANSWER)
            assert json.loads(row["timings"])["total_ms"] > 0
            assert row["trace_id"] == TRACE
            assert row["parent_id"] == events[0].question.id

    run(main())


def test_the_models_own_marks_are_taken_out_and_citations_carry_them(open_desk, lend, script):
    async def main():
        async with open_desk(lend(script(*ANSWER, size=LARGE))) as desk:
            await desk.shelve()
            message = (await desk.ask(QUESTION))[-1].message
            assert message.text == "The notice period is three months. It must be given in writing."
            assert [message.text[one.start : one.end] for one in message.citations] == [
                "The notice period is three months.",
                "It must be given in writing.",
            ]
            assert all(one.verdict == "supported" for one in message.citations)

    run(main())


def test_a_sentence_without_ground_is_marked_as_such(open_desk, lend, script):
    async def main():
        invented = ("The notice period is six weeks. ", "It is three months.")
        async with open_desk(lend(script(*invented, size=LARGE))) as desk:
            await desk.shelve()
            message = (await desk.ask(QUESTION))[-1].message
            assert [one.verdict for one in message.citations] == ["unsupported", "supported"]

    run(main())


def test_a_tiny_model_that_invents_is_not_shown_but_the_passage_is(open_desk, lend, script):
    async def main():
        async with open_desk(lend(script("The notice period is", " 12 days."))) as desk:
            await desk.shelve()
            message = (await desk.ask(QUESTION))[-1].message
            assert "12 days" not in message.text
            assert "three months’ notice" in message.text
            (citation,) = message.citations
            assert citation.verdict == "supported"
            assert desk.row(message.id)["raw_response"] == "The notice period is 12 days."

    run(main())


def test_a_tiny_models_answer_is_shown_without_its_preamble(open_desk, lend, script):
    async def main():
        async with open_desk(lend(script('The answer to the question is: "three months"'))) as desk:
            await desk.shelve()
            message = (await desk.ask(QUESTION))[-1].message
            assert message.text == "Three months"

    run(main())


def test_a_conversation_is_made_from_the_first_question_and_kept_for_the_next(open_desk, lend, script):
    async def main():
        engine = script("It is three months.", size=LARGE)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            first = (await desk.ask(QUESTION))[0]
            assert first.conversation.title == QUESTION
            second = (await desk.ask("And in writing?", conversation_id=first.conversation.id))[0]
            assert second.conversation.id == first.conversation.id
            detail = await desk.backend.conversations.get(desk.user, first.conversation.id)
            assert [one.role for one in detail.messages] == ["user", "assistant", "user", "assistant"]
            assert detail.messages[2].parent_id == detail.messages[1].id
            # The second prompt begins like the first one and holds the first turn.
            one, other = (generation.prompt.text for generation in engine.generations)
            assert QUESTION in other
            assert "It is three months." in other
            assert one[:300] == other[:300]

    run(main())


def test_a_tiny_model_gets_only_the_sentence_and_the_question(open_desk, lend, script):
    async def main():
        engine = script("It is three months.")
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            first = (await desk.ask(QUESTION))[0]
            await desk.ask("And what is not enough?", conversation_id=first.conversation.id)
            assert QUESTION not in engine.generations[1].prompt.text

    run(main())


def test_the_feed_hears_of_a_new_conversation(open_desk):
    async def main():
        async with open_desk() as desk, desk.backend.feed.subscribe() as changes:
            events = await desk.ask(QUESTION)
            heard = await anext(changes)
            assert heard == ConversationChanged(events[0].conversation)

    run(main())


def test_an_empty_library_is_said_without_asking_the_model(open_desk, lend, script):
    async def main():
        engine = script("I invent something.")
        async with open_desk(lend(engine)) as desk:
            events = await desk.ask(QUESTION)
            message = events[-1].message
            assert message.state == "complete"
            assert message.text.startswith("Nothing in your documents")
            assert message.text == text_of(events)
            assert message.model is None
            assert engine.generations == []

    run(main())


def test_documents_that_are_still_being_read_are_said(open_desk):
    async def main():
        async with open_desk() as desk:
            desk.queue("one.pdf")
            message = (await desk.ask(QUESTION))[-1].message
            assert "still being read" in message.text

    run(main())


def test_a_question_about_something_else_finds_nothing(open_desk, lend, script):
    async def main():
        engine = script("Ulaanbaatar.")
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            events = await desk.ask("Who won the chess tournament of Zürich 1953?")
            assert events[-1].message.text == "Nothing in your documents matches this question."
            assert engine.generations == []

    run(main())


def test_only_the_chosen_documents_are_searched(open_desk):
    async def main():
        async with open_desk() as desk:
            lease = await desk.shelve()
            await desk.shelve("Recipe.pdf", ["Bread is baked for three months at 200 degrees with notice."])
            events = await desk.ask(QUESTION, limited=Filter(documents=(lease.id,)))
            assert {source.passage.document_id for source in events[0].sources} == {lease.id}

    run(main())


@pytest.mark.parametrize("question", ["", "  \n "])
def test_a_blank_question_is_refused_before_anything_is_stored(open_desk, question):
    async def main():
        async with open_desk() as desk:
            with pytest.raises(InvalidRequestError):
                await desk.ask(question)
            assert await desk.backend.conversations.list(desk.user) == ()

    run(main())


def test_a_question_longer_than_the_context_is_refused_before_anything_is_stored(open_desk):
    async def main():
        async with open_desk() as desk:
            with pytest.raises(ContextOverflowError) as refused:
                await desk.ask("Why is that so? " * 1000)
            assert refused.value.available == 1024
            assert refused.value.needed > 1024
            assert await desk.backend.conversations.list(desk.user) == ()

    run(main())


@pytest.mark.slow
def test_a_question_that_only_just_fits_is_answered(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            question = "notice " * 700
            events = await desk.ask(question + "?", max_tokens=8)
            assert isinstance(events[-1], Finished)

    run(main())


def test_an_unknown_conversation_or_document_is_refused_before_anything_is_stored(open_desk):
    async def main():
        async with open_desk() as desk:
            with pytest.raises(NotFoundError):
                await desk.ask(QUESTION, conversation_id="nowhere")
            with pytest.raises(NotFoundError):
                await desk.ask(QUESTION, limited=Filter(documents=("nothing",)))
            assert await desk.backend.conversations.list(desk.user) == ()

    run(main())


def test_without_a_chat_model_the_question_is_refused_and_search_still_works(open_desk, lend):
    async def main():
        async with open_desk(lend(ModelError("It is gone."))) as desk:
            await desk.shelve()
            with pytest.raises(ModelError):
                await desk.ask(QUESTION)
            assert await desk.backend.conversations.list(desk.user) == ()
            found = await desk.backend.ask.search(desk.user, "notice period", k=3)
            assert found.sources[0].passage.page == 4

    run(main())


def test_without_an_embedding_model_words_are_searched(open_desk, lend):
    async def main():
        async with open_desk(lend(embedding=False)) as desk:
            await desk.shelve()
            message = (await desk.ask(QUESTION))[-1].message
            assert message.sources[0].passage.page == 4

    run(main())


def test_an_engine_that_fails_in_the_middle_ends_in_failed_with_what_there_was(open_desk, lend, script):
    async def main():
        engine = script("It is three months. ", "And then", DecodeError("No slot."), size=LARGE)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            events = await desk.ask(QUESTION, trace_id=TRACE)
            failed = events[-1]
            assert isinstance(failed, Failed)
            assert (failed.problem.code, failed.trace_id) == ("decode_failed", TRACE)
            assert failed.message.state == "failed"
            assert failed.message.text == text_of(events) == "It is three months. And then"
            assert failed.message.error == failed.problem
            assert desk.row(failed.message.id)["raw_response"] == "It is three months. And then"

    run(main())


def test_a_bug_ends_in_failed_and_is_logged(open_desk, lend, script, caplog):
    async def main():
        async with open_desk(lend(script("It is", ZeroDivisionError("secret text"), size=LARGE))) as desk:
            await desk.shelve()
            failed = (await desk.ask(QUESTION))[-1]
            assert isinstance(failed, Failed)
            assert failed.problem == INTERNAL
            assert failed.message.text == "It is"

    run(main())
    assert any(record.exc_info for record in caplog.records)


def test_an_engine_that_is_busy_ends_in_failed(open_desk, lend, script):
    async def main():
        from app.errors import BusyError

        async with open_desk(lend(script(BusyError()))) as desk:
            await desk.shelve()
            failed = (await desk.ask(QUESTION))[-1]
            assert isinstance(failed, Failed)
            assert failed.problem.code == "busy"

    run(main())


def test_after_a_failure_the_next_question_works(open_desk, lend, script, models):
    async def main():
        lent = lend(script("It", DecodeError("No slot.")))
        async with open_desk(lent) as desk:
            await desk.shelve()
            assert isinstance((await desk.ask(QUESTION))[-1], Failed)
            lent._engine = await models.chat()
            assert isinstance((await desk.ask(QUESTION))[-1], Finished)

    run(main())


@pytest.mark.parametrize("gate_at", [0, 2])
def test_stop_ends_the_stream_with_what_there_was(open_desk, lend, script, gate_at):
    async def main():
        gate = asyncio.Event()
        engine = script("It is ", "three ", "months.", size=LARGE, gate=gate, gate_at=gate_at)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            events = []
            async for event in desk.backend.ask.ask(desk.user, QUESTION, trace_id=TRACE):
                events.append(event)
                ready = isinstance(event, Retrieved) if gate_at == 0 else text_of(events) == "It is three"
                if ready and not isinstance(event, Finished):
                    assert await desk.backend.ask.stop(desk.user, events[0].answer_id)
            message = events[-1].message
            assert isinstance(events[-1], Finished)
            assert message.state == "stopped"
            assert message.text == text_of(events)
            assert engine.closed == len(engine.generations)
            assert not await desk.backend.ask.stop(desk.user, events[0].answer_id)

    run(main())


def test_nobody_stops_the_answer_of_another(open_desk, lend, script):
    async def main():
        gate = asyncio.Event()
        async with open_desk(lend(script("It is.", size=LARGE, gate=gate))) as desk:
            await desk.shelve()
            async for event in desk.backend.ask.ask(desk.user, QUESTION, trace_id=TRACE):
                if isinstance(event, Retrieved):
                    assert not await desk.backend.ask.stop("somebody else", event.answer_id)
                    gate.set()
            assert event.message.state == "complete"

    run(main())


def test_stop_while_the_real_model_writes_keeps_the_partial_answer(open_desk, lend, script):
    async def main():
        # The real engine, read as a large model: its words are shown as they come.
        engine = script(size=LARGE)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            question = "Write a long letter to the landlord about the notice period."
            events = []
            async for event in desk.backend.ask.ask(desk.user, question, trace_id=TRACE, max_tokens=400):
                events.append(event)
                if isinstance(event, Delta) and not any(isinstance(one, Finished) for one in events):
                    await desk.backend.ask.stop(desk.user, events[0].answer_id)
            message = events[-1].message
            assert message.state == "stopped"
            assert message.text
            assert desk.row(message.id)["text"] == message.text

    run(main())


def test_closing_the_iterator_stops_and_keeps_the_answer(open_desk, lend, script):
    async def main():
        gate = asyncio.Event()
        engine = script("It is ", "three ", "months.", size=LARGE, gate=gate, gate_at=1)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            async with aclosing(desk.backend.ask.ask(desk.user, QUESTION, trace_id=TRACE)) as events:
                async for event in events:
                    if isinstance(event, Retrieved):
                        answer_id = event.answer_id
                    if isinstance(event, Delta):
                        break
            row = desk.row(answer_id)
            assert (row["state"], row["text"]) == ("stopped", "It is")
            assert engine.closed == 1

    run(main())


def test_a_reader_that_is_cancelled_leaves_a_stored_answer(open_desk, lend, script):
    async def main():
        gate = asyncio.Event()
        shown = asyncio.Event()
        engine = script("It is ", "three ", "months.", size=LARGE, gate=gate, gate_at=1)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            seen = []

            async def read():
                async for event in desk.backend.ask.ask(desk.user, QUESTION, trace_id=TRACE):
                    seen.append(event)
                    if isinstance(event, Delta):
                        shown.set()

            reader = asyncio.create_task(read())
            await shown.wait()
            reader.cancel()
            with pytest.raises(asyncio.CancelledError):
                await reader
            await desk.backend.ask.close()
            assert desk.row(seen[0].answer_id)["state"] == "stopped"

    run(main())


def test_closing_the_backend_ends_every_answer(open_desk, lend, script):
    async def main():
        gate = asyncio.Event()
        async with open_desk(lend(script("It is ", "so.", size=LARGE, gate=gate, gate_at=1))) as desk:
            await desk.shelve()
            events = []
            async for event in desk.backend.ask.ask(desk.user, QUESTION, trace_id=TRACE):
                events.append(event)
                if isinstance(event, Delta) and len(events) == 2:
                    closing = asyncio.create_task(desk.backend.ask.close())
            await closing
            assert events[-1].message.state == "stopped"

    run(main())


def test_the_text_is_kept_while_it_streams(open_desk, lend, script, monkeypatch):
    monkeypatch.setattr("app.backend.ask.answering._BETWEEN_SAVES", 0.0)

    async def main():
        gate = asyncio.Event()
        engine = script("It is ", "three ", "months.", size=LARGE, gate=gate, gate_at=1)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            kept = asyncio.Event()
            append_text = desk.backend.ask._answering._messages.append_text
            loop = asyncio.get_running_loop()

            def noticed(message_id, text):
                append_text(message_id, text)
                loop.call_soon_threadsafe(kept.set)

            monkeypatch.setattr(desk.backend.ask._answering._messages, "append_text", noticed)
            async for event in desk.backend.ask.ask(desk.user, QUESTION, trace_id=TRACE):
                if isinstance(event, Retrieved):
                    answer_id = event.answer_id
                if isinstance(event, Delta) and not gate.is_set():
                    await kept.wait()
                    row = desk.row(answer_id)
                    assert (row["state"], row["text"]) == ("running", "It is")
                    gate.set()
            assert event.message.text == "It is three months."

    run(main())


def test_a_conversation_deleted_while_its_answer_is_written_ends_the_stream(open_desk, lend, script):
    async def main():
        gate = asyncio.Event()
        engine = script("It is ", "three months.", size=LARGE, gate=gate, gate_at=1)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            async for event in desk.backend.ask.ask(desk.user, QUESTION, trace_id=TRACE):
                if isinstance(event, Retrieved):
                    await desk.backend.conversations.delete(desk.user, event.conversation.id)
                    gate.set()
            assert isinstance(event, Failed)
            assert event.problem.code == "not_found"
            assert event.message is None

    run(main())


def test_two_questions_at_once_both_end(open_desk):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            one, other = await asyncio.gather(desk.ask(QUESTION), desk.ask("How much is the rent?"))
            assert "months" in one[-1].message.text
            assert "1,180" in other[-1].message.text

    run(main())


def test_no_text_of_question_or_answer_is_logged(open_desk, caplog):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            await desk.ask(QUESTION)

    caplog.set_level("DEBUG", logger="app")
    run(main())
    logged = " ".join(str(vars(record)) for record in caplog.records)
    assert "notice" not in logged
    assert "months" not in logged


def test_without_documents_the_model_answers_alone_and_every_sentence_says_so(open_desk, lend, script):
    async def main():
        engine = script("Smyslov won it.", size=LARGE)
        async with open_desk(lend(engine)) as desk:
            await desk.shelve()
            events = await desk.ask("Who won the tournament?", manner=Manner(without_documents=True))
            message = events[-1].message
            assert message.text == "Smyslov won it."
            assert message.undocumented
            assert (message.sources, message.found) == ((), 0)
            assert [one.verdict for one in message.citations] == ["unsupported"]

    run(main())


def test_what_an_answer_rests_on_can_be_told_from_its_message(open_desk, models):
    async def main():
        async with open_desk() as desk:
            await desk.shelve()
            quoted = (await desk.ask("How much is the rent?", manner=Manner(style="quote")))[-1].message
            assert (quoted.quoted, quoted.nearest, quoted.unfounded) == (True, False, False)
            nearest = (await desk.ask("How deep is the pool of the flat?", manner=Manner(style="quote")))[-1]
            assert (nearest.message.quoted, nearest.message.nearest) == (True, True)
            nothing = (await desk.ask("Who is Zebulon Quark?"))[-1].message
            assert (nothing.unfounded, nothing.quoted, nothing.undocumented) == (True, False, False)

    run(main())
