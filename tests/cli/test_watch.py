"""`carrel watch`: followed folders from the terminal."""

import json
from dataclasses import replace

import pytest

from app.cli.commands import run
from app.records import Addition, Problem, WatchedFolder

ODD = Addition("odd.txt", problem=Problem("unsupported_type", "This is a program."))


@pytest.fixture
def folder():
    return WatchedFolder(
        id="f-papers-0001",
        path="/papers",
        include=(),
        exclude=(),
        state="watching",
        problem=None,
        documents=1,
        refused=(),
        refused_count=0,
        added_at=1.0,
        scanned_at=2.0,
    )


def test_add_waits_until_the_folder_is_looked_through_and_its_documents_are_ready(
    program, client, folder, lease, progressing, capsys
):
    inside = replace(lease, path="/papers/lease.pdf")
    client.library = (replace(inside, status="queued"), replace(lease, id="other", path="/papers too/x.pdf"))
    client.following = [replace(folder, scanned_at=None), folder]
    client.feed_events = (progressing(inside),)

    assert run(program, ["watch", "add", "/papers", "--exclude", "drafts/"]) == 0

    assert client.followed == [("/papers", (), ("drafts/",))]
    assert capsys.readouterr().out == "Following /papers.\n1 document ready.\n"


def test_add_names_the_files_that_were_refused_and_ends_with_1(program, client, folder, capsys):
    client.library = ()
    client.following = [replace(folder, refused=(ODD,), refused_count=1)]

    assert run(program, ["watch", "add", "/papers"]) == 1

    captured = capsys.readouterr()
    assert "odd.txt" in captured.err
    assert "This is a program." in captured.err


def test_add_says_that_the_folder_is_polled(program, client, folder, capsys):
    client.library = ()
    limit = Problem("watch_limit", "The system's limit of watched folders is reached.")
    client.following = [replace(folder, state="polling", problem=limit)]

    run(program, ["watch", "add", "/papers"])

    assert "limit of watched folders" in capsys.readouterr().out


def test_list_says_how_each_folder_is_followed(program, client, folder, capsys):
    missing = Problem("folder_missing", "This folder is not there now.")
    client.following = [
        folder,
        replace(folder, id="f-usb", path="/usb", state="missing", problem=missing, refused_count=3),
        replace(folder, id="f-code", path="/code", include=("*.py",), exclude=("old/",)),
    ]

    assert run(program, ["watch", "list"]) == 0

    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        "f-papers /papers followed 1",
        "f-usb /usb not there 1 3 This folder is not there now.",
        "f-code /code followed 1 Only *.py, not old/.",
    ]


def test_watch_alone_lists(program, client, capsys):
    client.following = []

    assert run(program, ["watch"]) == 0

    assert capsys.readouterr().out == "No folder is followed. `carrel watch add FOLDER` follows one.\n"


def test_list_as_json_has_everything(program, client, folder, capsys):
    client.following = [folder]

    assert run(program, ["watch", "list", "--json"]) == 0

    (found,) = json.loads(capsys.readouterr().out)["folders"]
    assert (found["id"], found["path"], found["state"]) == (folder.id, "/papers", "watching")


@pytest.mark.parametrize("given", ["/papers", "/papers/", "/papers/../papers", "f-pap"])
def test_remove_takes_a_path_or_an_id(program, client, folder, capsys, given):
    client.following = [folder, replace(folder, id="other", path="/other")]

    assert run(program, ["watch", "remove", given]) == 0

    assert client.left == [(folder.id, False)]
    assert capsys.readouterr().out == "/papers is followed no more.\n"


def test_remove_can_take_the_documents_along(program, client, folder):
    client.following = [folder]

    assert run(program, ["watch", "remove", "/papers", "--documents"]) == 0

    assert client.left == [(folder.id, True)]


def test_a_folder_that_is_not_followed_cannot_be_left(program, client, capsys):
    client.following = []

    assert run(program, ["watch", "remove", "/papers"]) == 1

    assert "[not_found]" in capsys.readouterr().err
