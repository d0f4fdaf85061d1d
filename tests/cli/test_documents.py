"""`carrel add` and `carrel documents`: the library from the terminal."""

import json
import os
import signal
from dataclasses import replace

import pytest

from app.cli.commands import run
from app.events import DocumentRemoved
from app.records import Addition, Collection, Problem, Renewal


@pytest.fixture
def queued(lease):
    return replace(lease, status="queued", pages=None, pages_read=0, passages=0, passages_embedded=0)


def test_add_waits_until_the_document_is_ready(program, client, queued, lease, progressing, capsys):
    client.additions = (Addition(lease.name, queued),)
    client.feed_events = (
        progressing(queued, status="reading", pages=4, pages_read=1),
        progressing(queued, status="embedding", passages=9, passages_embedded=3),
        progressing(lease),
    )

    assert run(program, ["add", "Lease agreement.pdf"]) == 0

    assert capsys.readouterr().out == "1 document ready.\n"


def test_a_failed_file_is_listed_with_its_reason_and_the_code_is_1(
    program, client, queued, lease, failed_document, progressing, capsys
):
    client.additions = (
        Addition(lease.name, lease, known=True),
        Addition(failed_document.name, replace(failed_document, status="queued", error=None)),
    )
    client.feed_events = (progressing(failed_document),)

    assert run(program, ["add", "folder"]) == 1

    captured = capsys.readouterr()
    assert "1 document ready (1 known before)." in captured.out
    assert "This PDF is damaged" in captured.err


def test_a_change_that_the_feed_did_not_tell_of_is_seen_all_the_same(program, client, queued, lease, capsys):
    client.additions = (Addition(lease.name, queued),)

    assert run(program, ["add", "Lease agreement.pdf"]) == 0


@pytest.mark.parametrize(
    ("owner", "said"), [(True, "when Carrel runs again"), (False, "by the Carrel that is running")]
)
def test_who_stops_waiting_is_told_what_becomes_of_the_files(program, client, queued, capsys, owner, said):
    program.owner = owner
    client.additions = (Addition(queued.name, queued),)
    client.library = (queued,)
    client.feed_events = (lambda: os.kill(os.getpid(), signal.SIGINT),)

    assert run(program, ["add", "Lease agreement.pdf"]) == 130

    assert said in capsys.readouterr().err


def test_a_document_that_is_removed_meanwhile_ends_the_wait(program, client, queued, capsys):
    client.additions = (Addition(queued.name, queued),)
    client.feed_events = (DocumentRemoved(queued.id),)
    client.library = ()

    assert run(program, ["add", "Lease agreement.pdf"]) == 1

    assert "removed before it was read" in capsys.readouterr().err


def test_add_with_json_prints_one_value_and_nothing_else(program, client, failed_document, capsys):
    client.additions = (Addition(failed_document.name, failed_document),)

    assert run(program, ["add", "--json", "broken.pdf"]) == 1

    found = json.loads(capsys.readouterr().out)
    assert found["additions"][0]["problem"]["code"] == "file_damaged"


def test_documents_are_listed_with_their_state(program, client, lease, failed_document, capsys):
    client.library = (lease, failed_document)

    assert run(program, ["documents"]) == 0

    out = capsys.readouterr().out
    assert "d-lease-  Lease agreement.pdf  ready" in out
    assert "failed: This PDF is damaged and cannot be opened." in out


def test_with_the_documents_it_says_how_far_another_model_has_read_them(program, client, capsys):
    client.state = replace(client.state, renewal=Renewal("Gemma", 120, 40, None))

    assert run(program, ["documents"]) == 0
    assert capsys.readouterr().out.endswith(
        "Reading the library with Gemma: 40 of 120 documents; the others are found by their words only.\n"
    )
    assert run(program, ["documents", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["renewal"]["documents_read"] == 40


def test_a_document_is_removed_by_the_beginning_of_its_id(program, client, lease, failed_document, capsys):
    client.library = (lease, failed_document)

    assert run(program, ["documents", "remove", "d-br"]) == 0

    assert client.removed == [failed_document.id]


def test_an_id_that_fits_two_documents_removes_none(program, client, lease, failed_document, capsys):
    client.library = (lease, failed_document)

    assert run(program, ["documents", "remove", "d-"]) == 1

    assert client.removed == []
    assert "more than one document whose ID begins with d-." in capsys.readouterr().err


def test_a_retried_document_that_fails_again_gives_1(program, client, failed_document, progressing, capsys):
    client.library = (failed_document,)
    client.feed_events = (
        progressing(failed_document, error=Problem("no_text", "There is no text in this file.")),
    )

    assert run(program, ["documents", "retry", failed_document.id]) == 1

    assert "There is no text in this file." in capsys.readouterr().err


def test_the_list_says_what_of_each_document_was_no_ordinary_page_and_how_long_it_took(
    program, client, lease, capsys
):
    client.library = (
        replace(lease, pages_empty=1, pages_by_ocr=2, read_s=1.24, embed_s=0.5),
        replace(lease, id="d-notes-0001", name="notes.txt", paged=False, missing=True),
        replace(lease, id="d-draft-0001", name="draft.txt", status="queued", changed=True, paged=False),
    )

    run(program, ["documents"])

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        "d-lease- Lease agreement.pdf ready 4 (1 empty, 2 by OCR) 9 2 KB 1.2 + 0.5 s",
        "d-notes- notes.txt ready, file missing 9 2 KB",
        "d-draft- draft.txt changed 9 2 KB",
    ]


@pytest.mark.parametrize("command", [["documents", "remove"], ["collections", "delete"]])
def test_an_empty_id_names_nothing_even_where_there_is_only_one(program, client, command, capsys):
    client.collected = (Collection("c-home", "Home", 1, 1.0),)

    assert run(program, [*command, ""]) != 0

    assert client.removed == []
    assert "There is no" in capsys.readouterr().err
