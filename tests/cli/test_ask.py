"""`carrel ask`: what is printed where, and how it ends."""

import json
import os
import signal
from dataclasses import replace

import pytest

from app.cli.ask import line
from app.cli.commands import run
from app.errors import ContextOverflowError
from app.events import Checked, Delta, Failed, Finished, Progress, Retrieved
from app.filters import period
from app.records import (
    Addition,
    Citation,
    Conversation,
    Message,
    Passage,
    Problem,
    SearchResult,
    Source,
    Timings,
)

TEXT = "The notice period is three months. The moon is made of cheese."
QUESTION = Message("m1", "c1", None, "user", "complete", "How long?", 1.0)
SUPPORTED = Citation(0, 34, "supported", 1, 0, 34)
UNSUPPORTED = Citation(35, 62, "unsupported", None, None, None)


@pytest.fixture
def source(lease):
    passage = Passage(
        7, lease.id, lease.name, True, 3, 100, 150, None, "The notice period is\nthree months. Else nothing."
    )
    return Source(1, passage, 0.5, True)


@pytest.fixture
def whole_answer(source):
    answer = Message(
        "m2", "c1", "m1", "assistant", "complete", TEXT, 2.0, (source,), (SUPPORTED, UNSUPPORTED), found=1
    )
    return (
        Retrieved(Conversation("c1", "How long?", 1.0, 1.0), QUESTION, "m2", (source,), 1),
        Delta("The notice period "),
        Delta("is three months. The"),
        Checked((SUPPORTED,)),
        Delta(" moon is made of cheese."),
        Checked((UNSUPPORTED,)),
        Finished(answer),
    )


def test_the_answer_is_streamed_with_its_marks_and_then_its_sources_are_quoted(
    program, client, whole_answer, capsys
):
    client.answer = whole_answer

    assert run(program, ["ask", "How long?"]) == 0

    assert capsys.readouterr().out == (
        "The notice period is three months. [1] The moon is made of cheese. [not in your documents]\n"
        "\n"
        "[1] Lease agreement.pdf, page 3\n"
        "    “The notice period is three months.”\n"
    )


def test_how_far_the_reading_of_whole_documents_is_goes_to_stderr(program, client, whole_answer, capsys):
    begun = replace(whole_answer[0], sources=())
    parts = tuple(Progress(done, 2, name) for done, name in enumerate(("Lease.pdf", "Offer.pdf", "")))
    client.answer = (begun, *parts, *whole_answer)

    assert run(program, ["ask", "Summarise all documents"]) == 0

    out, err = capsys.readouterr()
    assert err == "Reading part 1 of 2: Lease.pdf…\nReading part 2 of 2: Offer.pdf…\n"
    assert out.startswith("The notice period is three months. [1]")


def test_other_files_that_hold_the_same_text_are_named(program, client, whole_answer, source, capsys):
    message = whole_answer[-1].message
    copied = replace(source, also=("Copy.pdf", "Draft.pdf"))
    client.answer = (*whole_answer[:-1], Finished(replace(message, sources=(copied,))))

    assert run(program, ["ask", "How long?"]) == 0

    assert "[1] Lease agreement.pdf, page 3 (also in Copy.pdf, Draft.pdf)\n" in capsys.readouterr().out


def test_with_json_every_line_of_stdout_is_one_event(program, client, whole_answer, capsys):
    client.answer = whole_answer

    assert run(program, ["--json", "ask", "How long?"]) == 0

    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events] == [event.event for event in whole_answer]
    assert events[-1]["message"]["citations"][0]["source"] == 1


def test_a_mark_that_comes_late_is_listed_with_its_sentence(program, client, whole_answer, capsys):
    retrieved, first, second, _, third, _, finished = whole_answer
    client.answer = (retrieved, first, second, third, finished)

    assert run(program, ["ask", "How long?"]) == 0

    out = capsys.readouterr().out
    assert out.startswith(TEXT + "\n")
    assert "[not in your documents] “The moon is made of cheese.”" in out


def test_an_answer_that_no_passage_supports_says_so(program, client, whole_answer, capsys):
    finished = whole_answer[-1]
    client.answer = (whole_answer[0], Delta(TEXT), Finished(replace(finished.message, citations=())))

    assert run(program, ["ask", "How long?"]) == 0

    assert "No passage of your documents supports this answer." in capsys.readouterr().out


def test_where_nothing_was_found_the_answer_itself_says_so(program, client, whole_answer, capsys):
    nothing = replace(whole_answer[-1].message, text="Nothing was found.", sources=(), citations=(), found=0)
    client.answer = (
        replace(whole_answer[0], sources=(), found=0),
        Delta("Nothing was found."),
        Finished(nothing),
    )

    assert run(program, ["ask", "How long?"]) == 0

    assert capsys.readouterr().out == "Nothing was found.\n"


def test_a_failed_answer_keeps_its_text_and_gives_the_reason_on_stderr(program, client, whole_answer, capsys):
    partial = replace(whole_answer[-1].message, state="failed", text="The notice", citations=())
    client.answer = (
        whole_answer[0],
        Delta("The notice"),
        Failed(Problem("decode_failed", "The model refused a step."), "t-1", partial),
    )

    assert run(program, ["ask", "How long?"]) == 1

    captured = capsys.readouterr()
    assert captured.out.startswith("The notice\n")
    assert "The model refused a step. [decode_failed]" in captured.err


def test_a_refused_question_is_one_json_error_object(program, client, capsys):
    client.answer = (ContextOverflowError(9_000, 2_048),)

    assert run(program, ["ask", "long " * 100, "--json"]) == 1

    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["code"] == "context_overflow"
    assert "context_overflow" in captured.err


def test_an_empty_question_is_refused(program, capsys):
    assert run(program, ["ask", "  "]) == 1

    assert "The question is empty. [invalid_request]" in capsys.readouterr().err
    assert not program.opened


def test_files_are_added_first_and_only_they_are_asked(
    program, client, whole_answer, lease, failed_document, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    client.answer = whole_answer
    client.additions = (
        Addition(lease.name, lease),
        Addition(failed_document.name, failed_document),
        Addition("gone.pdf", problem=Problem("file_missing", "There is no file gone.pdf.")),
    )

    assert run(program, ["ask", "How long?", "Lease agreement.pdf", "broken.pdf", "gone.pdf"]) == 0

    assert client.added[0] == str(tmp_path / "Lease agreement.pdf")
    assert client.asked[0]["limited"].documents == (lease.id,)
    captured = capsys.readouterr()
    assert "broken.pdf" in captured.err
    assert "file_missing" in captured.err
    assert "broken.pdf" not in captured.out


def test_a_question_is_limited_to_types_and_a_time(program, client, whole_answer):
    client.answer = whole_answer

    line = ["ask", "How long?", "--type", "PDF", "--type", "xlsx", "--since", "2023", "--until", "2023"]
    assert run(program, line) == 0

    limited = client.asked[0]["limited"]
    assert limited.types == ("pdf", "spreadsheet")
    assert period(limited.since, limited.until) == "2023"


@pytest.mark.parametrize(
    ("option", "value"), [("--type", "film"), ("--since", "yesterday"), ("--until", "2023-02-30")]
)
def test_a_type_or_a_date_that_is_none_is_refused_before_anything_is_opened(program, capsys, option, value):
    for command in ("ask", "search"):
        assert run(program, [command, "How long?", option, value]) == 2
        assert value in capsys.readouterr().err
    assert not program.opened


def test_a_search_that_its_limits_leave_nothing_says_so(program, client, capsys):
    client.found = SearchResult((), 0, Timings(), "No document is a PDF.")

    assert run(program, ["search", "rent", "--type", "pdf"]) == 0

    assert capsys.readouterr().out == "No document is a PDF.\n"


def test_nothing_is_asked_when_every_file_failed(program, client, failed_document, capsys):
    client.additions = (Addition(failed_document.name, failed_document),)

    assert run(program, ["ask", "How long?", "broken.pdf"]) == 1

    assert not client.asked


def test_ctrl_c_stops_the_answer_and_keeps_what_there_is(program, client, whole_answer, capsys, monkeypatch):
    def press_ctrl_c_after_a_word(event):
        if isinstance(event, Delta):
            os.kill(os.getpid(), signal.SIGINT)
        return line(event)

    monkeypatch.setattr("app.cli.ask.line", press_ctrl_c_after_a_word)
    stopped = replace(whole_answer[-1].message, state="stopped", text="The notice period ", citations=())
    client.answer = (
        whole_answer[0],
        Delta("The notice period "),
        lambda: None,  # the model goes on until it is stopped
        Finished(stopped),
    )

    assert run(program, ["ask", "How long?"]) == 130

    assert client.stopped == ["m2"]
    captured = capsys.readouterr()
    assert "The notice period" in captured.out
    assert "(stopped)" in captured.out
    assert "Traceback" not in captured.err


def test_ctrl_c_before_the_first_event_leaves_at_once(program, client, capsys):
    client.answer = (lambda: os.kill(os.getpid(), signal.SIGTERM),)

    assert run(program, ["ask", "How long?"]) == 130

    captured = capsys.readouterr()
    assert not captured.out
    assert "Stopped." in captured.err


def test_control_sequences_of_a_document_never_reach_the_terminal(program, client, whole_answer, capsys):
    client.answer = (whole_answer[0], Delta("a\x1b]0;owned\x07b\x9b31m"), *whole_answer[-1:])

    run(program, ["ask", "How long?"])

    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\x9b" not in out


def test_a_source_whose_file_has_changed_since_is_said_to_be_of_before(
    program, client, whole_answer, source, lease, capsys
):
    client.answer = whole_answer
    client.found = SearchResult((source,), 1, Timings())
    client.library = (
        replace(lease, status="queued", changed=True),
        replace(lease, id="other", name="other.pdf", changed=True),
    )

    for line_given in (["ask", "How long?"], ["search", "notice"]):
        assert run(program, line_given) == 0
        said = capsys.readouterr().err
        assert "Lease agreement.pdf has changed since it was read" in said
        assert "other.pdf" not in said
