"""`carrel replay`: both answers, how they check, and how fast they were."""

import json
from dataclasses import replace

import pytest

from app.audit import Audit
from app.cli.commands import run
from app.errors import ReportedError
from app.events import Failed, Finished, Retrieved
from app.records import (
    Citation,
    Conversation,
    ConversationDetail,
    Message,
    Passage,
    Problem,
    Source,
    Timings,
    Usage,
)

QUESTION = Message("q", "c", None, "user", "complete", "How long?", 1.0)
TEXT = "Three months. Dogs are welcome."
CHECKS = (
    Citation(0, 13, "supported", 1, 0, 13),
    Citation(14, 31, "unsupported", None, None, None),
)
BEFORE = Message(
    "a", "c", "q", "assistant", "complete", TEXT, 2.0, (), CHECKS, model="small",
    usage=Usage(900, 21), timings=Timings(decode_ms=500.0, first_token_ms=840.0),
)  # fmt: skip
NOW = Message("n", "c", "q", "assistant", "complete", "Three months.", 3.0, (), CHECKS[:1], model="large")


@pytest.fixture
def replaying(client):
    """Makes the scripted client answer `replay` with events, and remembers what it was asked."""
    asked = []

    def script(*events):
        async def message(message_id):
            return Audit(BEFORE, style="write")

        async def replay(message_id, model=None):
            asked.append((message_id, model))
            for event in events:
                if isinstance(event, Exception):
                    raise event
                yield event

        client.message, client.replay = message, replay
        return asked

    return script


RETRIEVED = Retrieved(Conversation("c", "c", 1.0, 1.0), QUESTION, "n", (), 0)


def test_both_answers_are_shown_with_their_figures(program, replaying, capsys):
    replaying(RETRIEVED, Finished(NOW))

    assert run(program, ["replay", "a"]) == 0

    assert capsys.readouterr().out == (
        "Before: small\n"
        f"    {TEXT}\n"
        "    1 of 2 sentences supported · first word 0.84 s · 42 tokens/s\n"
        "Now: large\n"
        "    Three months.\n"
        "    1 of 1 sentence supported\n"
    )


def test_with_json_both_are_whole(program, replaying, capsys):
    replaying(RETRIEVED, Finished(NOW))

    assert run(program, ["replay", "a", "--json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["before"]["style"] == "write"
    assert told["now"]["model"] == "large"


def test_the_model_is_passed_on_only_where_another_carrel_does_the_work(program, replaying, tmp_path):
    asked = replaying(RETRIEVED, Finished(NOW))
    model = str(tmp_path / "m.gguf")

    run(program, ["replay", "a", "--model", model])
    program.owner = False
    run(program, ["replay", "a", "--model", model])
    run(program, ["replay", "a"])

    assert asked == [("a", None), ("a", model), ("a", None)]


def test_a_replay_that_fails_gives_the_reason(program, replaying, capsys):
    replaying(RETRIEVED, Failed(Problem("model_file_invalid", "It is no model."), "t"))

    assert run(program, ["replay", "a"]) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "It is no model. [model_file_invalid]\n"


def test_without_an_id_the_latest_answer_is_run_again(program, client, replaying, lease):
    asked = replaying(RETRIEVED, Finished(NOW))
    passage = Passage(1, lease.id, lease.name, True, 3, 0, 5, None, "Three")
    answered = replace(BEFORE, sources=(Source(1, passage, 1.0, True),))
    told = {
        "new": (QUESTION, replace(BEFORE, id="nothing read")),
        "old": (QUESTION, answered, replace(QUESTION, id="q2")),
    }

    async def conversations():
        return tuple(Conversation(key, key, 1.0, 1.0) for key in told)

    async def conversation(key):
        return ConversationDetail(Conversation(key, key, 1.0, 1.0), told[key])

    client.conversations, client.conversation = conversations, conversation

    assert run(program, ["replay"]) == 0
    assert asked == [("a", None)]

    told.clear()
    assert run(program, ["replay"]) == 1


def test_an_unknown_message_is_an_error(program, replaying, capsys):
    replaying(ReportedError(Problem("not_found", "There is no such message (any more)."), 404))

    assert run(program, ["replay", "a"]) == 1
    assert "[not_found]" in capsys.readouterr().err
