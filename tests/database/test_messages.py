import json

import pytest

from app.database.messages import Conversations, Messages
from app.errors import NotFoundError
from app.filters import Filter
from app.records import Citation, Problem, Source, Timings, Usage


@pytest.fixture
def conversations(database):
    return Conversations(database)


@pytest.fixture
def messages(database):
    return Messages(database)


@pytest.fixture
def conversation(conversations, user):
    return conversations.create(user, "The lease")


def _sources(search, ids):
    return [
        Source(number, passage, 1 / number, True, also=("Copy.pdf",))
        for number, passage in enumerate(search.passages(ids), 1)
    ]


def test_a_conversation_holds_its_messages_oldest_first(conversations, messages, conversation, user):
    question = messages.add_question(user, conversation.id, "What is the rent?", trace_id="t1")
    answer = messages.start_answer(user, conversation.id, parent_id=question.id, model="m")
    follow = messages.add_question(user, conversation.id, "And the deposit?", parent_id=answer.id)

    detail = conversations.get(user, conversation.id)

    assert [message.id for message in detail.messages] == [question.id, answer.id, follow.id]
    assert [message.role for message in detail.messages] == ["user", "assistant", "user"]
    assert [message.parent_id for message in detail.messages] == [None, question.id, answer.id]
    assert detail.messages[0] == question


def test_an_answer_keeps_the_whole_cycle(database, messages, conversation, shelf, search, user):
    shelf.ready("The rent is 900 euros.\n\nIt is due monthly.")
    sources = _sources(search, [1, 2])
    question = messages.add_question(user, conversation.id, "What is the rent?")
    answer = messages.start_answer(
        user,
        conversation.id,
        parent_id=question.id,
        sources=sources,
        found=7,
        rendered_prompt="<prompt>",
        model="m",
        model_sha256="5" * 64,
        sampling={"temperature": 0.0, "seed": None},
        trace_id="t1",
    )
    assert (answer.state, answer.text, answer.sources) == ("running", "", tuple(sources))

    finished = messages.finish(
        answer.id,
        state="complete",
        text="It is 900 euros. [1]",
        citations=[Citation(0, 20, "supported", 1, 0, 22)],
        usage=Usage(100, 8, 20),
        timings=Timings(embed_ms=1.5, total_ms=300.0),
        raw_response="It is 900 euros. [1]</s>",
    )

    assert finished.text == "It is 900 euros. [1]"
    assert finished.citations == (Citation(0, 20, "supported", 1, 0, 22),)
    assert (finished.usage, finished.found, finished.trace_id) == (Usage(100, 8, 20), 7, "t1")
    assert finished.timings == Timings(embed_ms=1.5, total_ms=300.0)
    assert finished.sources == tuple(sources)
    row = database.read(lambda db: next(db["messages"].rows_where("id = ?", [answer.id])))
    assert row["rendered_prompt"] == "<prompt>"
    assert row["raw_response"] == "It is 900 euros. [1]</s>"
    assert row["model_sha256"] == "5" * 64
    assert json.loads(row["sampling"]) == {"temperature": 0.0, "seed": None}
    assert row["finished_at"] >= row["created_at"]


def test_an_answer_links_to_the_documents_and_passages_it_used(
    database, messages, conversation, shelf, search, user
):
    first, second = shelf.ready("Rent.\n\nDeposit."), shelf.ready("Pets.")
    question = messages.add_question(user, conversation.id, "?", limited=Filter(documents=(first.id,)))
    messages.start_answer(user, conversation.id, parent_id=question.id, sources=_sources(search, [3, 1, 2]))

    def work(db):
        linked = db.execute(
            "SELECT m.role, d.id FROM message_documents l JOIN messages m ON m.serial = l.message"
            " JOIN documents d ON d.serial = l.document ORDER BY m.serial, d.serial"
        ).fetchall()
        passages = db.execute("SELECT passage, number FROM message_passages ORDER BY number").fetchall()
        return linked, passages

    linked, passages = database.read(work)
    assert linked == [("user", first.id), ("assistant", first.id), ("assistant", second.id)]
    assert passages == [(3, 1), (1, 2), (2, 3)]


def test_an_answer_outlives_the_documents_it_cites(
    database, conversations, messages, conversation, documents, shelf, search, user
):
    document = shelf.ready("The rent is 900 euros.")
    sources = _sources(search, [1])
    question = messages.add_question(user, conversation.id, "?")
    messages.start_answer(user, conversation.id, parent_id=question.id, sources=sources)

    documents.delete(user, document.id)

    answer = conversations.get(user, conversation.id).messages[1]
    assert answer.sources == tuple(sources)
    assert database.read(lambda db: [db["message_documents"].count, db["message_passages"].count]) == [0, 0]


def test_an_answer_may_start_after_its_sources_were_deleted(
    messages, conversation, documents, shelf, search, user
):
    document = shelf.ready("The rent is 900 euros.")
    sources = _sources(search, [1])
    question = messages.add_question(user, conversation.id, "?", limited=Filter(documents=(document.id,)))
    documents.delete(user, document.id)

    answer = messages.start_answer(user, conversation.id, parent_id=question.id, sources=sources)

    assert answer.sources == tuple(sources)


def test_what_was_streamed_is_kept_and_marked_when_the_program_died(
    conversations, messages, conversation, user
):
    question = messages.add_question(user, conversation.id, "?")
    answer = messages.start_answer(user, conversation.id, parent_id=question.id)
    messages.append_text(answer.id, "The rent ")
    messages.append_text(answer.id, "is \x00 900")

    assert messages.interrupt_running() == 1
    assert messages.interrupt_running() == 0

    kept = conversations.get(user, conversation.id).messages[1]
    assert (kept.state, kept.text) == ("interrupted", "The rent is \x00 900")


def test_nothing_is_appended_to_an_answer_that_has_ended(messages, conversation, user):
    question = messages.add_question(user, conversation.id, "?")
    answer = messages.start_answer(user, conversation.id, parent_id=question.id)
    messages.finish(answer.id, state="stopped", text="Half")

    with pytest.raises(NotFoundError):
        messages.append_text(answer.id, " more")


def test_a_failed_answer_keeps_its_reason_and_what_was_written(messages, conversation, user):
    question = messages.add_question(user, conversation.id, "?")
    answer = messages.start_answer(user, conversation.id, parent_id=question.id)
    messages.append_text(answer.id, "The rent")

    failed = messages.finish(answer.id, state="failed", error=Problem("decode_failed", "It broke."))

    assert (failed.text, failed.error) == ("The rent", Problem("decode_failed", "It broke."))


def test_a_conversation_used_last_comes_first(conversations, messages, conversation, user):
    other = conversations.create(user, "Another")
    assert [found.id for found in conversations.list(user)] == [other.id, conversation.id]

    messages.add_question(user, conversation.id, "?")

    assert [found.id for found in conversations.list(user)] == [conversation.id, other.id]


def test_a_conversation_is_renamed(conversations, conversation, user):
    renamed = conversations.rename(user, conversation.id, "Rent \ud800")

    assert renamed.title == "Rent \ufffd"
    assert conversations.get(user, conversation.id).conversation == renamed


def test_a_deleted_conversation_takes_its_messages_and_tells_a_running_answer(
    database, conversations, messages, conversation, user
):
    question = messages.add_question(user, conversation.id, "?")
    answer = messages.start_answer(user, conversation.id, parent_id=question.id)

    conversations.delete(user, conversation.id)

    for call in (
        lambda: messages.append_text(answer.id, "x"),
        lambda: messages.finish(answer.id, state="complete"),
        lambda: messages.add_question(user, conversation.id, "?"),
        lambda: messages.get(user, question.id),
        lambda: conversations.get(user, conversation.id),
    ):
        with pytest.raises(NotFoundError):
            call()
    assert database.read(lambda db: db["messages"].count) == 0


def test_conversations_are_their_users_alone(conversations, messages, conversation, user, another_user):
    question = messages.add_question(user, conversation.id, "?")

    assert conversations.list(another_user) == ()
    for call in (
        lambda: conversations.get(another_user, conversation.id),
        lambda: conversations.rename(another_user, conversation.id, "Mine"),
        lambda: conversations.delete(another_user, conversation.id),
        lambda: messages.add_question(another_user, conversation.id, "?"),
        lambda: messages.get(another_user, question.id),
    ):
        with pytest.raises(NotFoundError):
            call()
