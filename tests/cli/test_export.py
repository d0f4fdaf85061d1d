"""`carrel export` over a real gateway."""

import asyncio
import json

import pytest

from app.cli.commands import run
from app.cli.program import Desk
from app.errors import StorageError
from app.paths import Profile
from tests.gateway.conftest import opened


class Lent:
    """A program whose desk is an open gateway."""

    def __init__(self, site):
        self.site = site

    def open(self, profile, *, model, verbose):
        import contextlib

        return contextlib.nullcontext(Desk(self.site.client, self.site.server.submit, owner=True))


@pytest.fixture
def site(tmp_path):
    with opened(Profile(tmp_path / "profile")) as running:
        yield running


@pytest.fixture
def program(site):
    return Lent(site)


@pytest.fixture
def store(site):
    """Puts a question and its answer into the store."""

    def put(question, answer, thumb=None):
        conversations, messages = site.backend.ask._conversations, site.backend.ask._messages

        async def work():
            user = await site.backend.accounts.local_user()
            made = await asyncio.to_thread(conversations.create, user, question)
            asked = await asyncio.to_thread(messages.add_question, user, made.id, question)
            started = await asyncio.to_thread(messages.start_answer, user, made.id, parent_id=asked.id)
            ended = await asyncio.to_thread(messages.finish, started.id, state="complete", text=answer)
            if thumb:
                await site.backend.messages.rate(user, ended.id, thumb)
            return ended

        return site.do(work())

    return put


def test_examples_go_to_stdout_and_nothing_else_does(program, store, capsys):
    store("How much is the rent?", "900 euros.")

    assert run(program, ["export", "--without-passages"]) == 0

    captured = capsys.readouterr()
    (example,) = [json.loads(line) for line in captured.out.splitlines()]
    assert example["messages"][-1] == {"role": "assistant", "content": "900 euros."}
    assert captured.err == ""


def test_the_file_s_name_says_what_is_written(program, store, tmp_path, capsys):
    store("How much is the rent?", "900 euros.")

    for name, begins in (("a.md", "# How much"), ("a.json", '{"format"'), ("a.jsonl", '{"messages"')):
        assert run(program, ["export", str(tmp_path / name), "--without-passages"]) == 0
        assert (tmp_path / name).read_text("utf-8").startswith(begins)

    assert "(1 examples," in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.jsonl", "a.md", "profile"]


def test_a_file_is_never_written_over_unless_it_is_asked_for(program, store, tmp_path, capsys):
    store("How much is the rent?", "900 euros.")
    file = tmp_path / "kept.md"
    file.write_text("mine")

    assert run(program, ["export", str(file)]) == 1
    assert file.read_text() == "mine"
    assert "[storage_failed]" in capsys.readouterr().err

    assert run(program, ["export", str(file), "--force"]) == 0
    assert file.read_text("utf-8").startswith("# How much")


def test_an_export_that_breaks_off_leaves_no_file_and_the_old_one(
    program, site, tmp_path, monkeypatch, capsys
):
    async def broken(*_args, **_named):
        yield b"half"
        raise StorageError("The disk is gone.")

    monkeypatch.setattr(site.client, "export", broken)
    file = tmp_path / "kept.jsonl"
    file.write_text("mine")

    assert run(program, ["export", str(file), "--force"]) == 1

    assert file.read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".part"] == []
    assert "The disk is gone." in capsys.readouterr().err


def test_ratings_and_time_choose_what_is_written(program, store, capsys):
    store("Good?", "Yes.", "up")
    store("Bad?", "No.", "down")
    line = ["export", "--format", "markdown"]

    assert run(program, [*line, "--rated", "up"]) == 0
    assert "## Good?" in (out := capsys.readouterr().out)
    assert "## Bad?" not in out

    assert run(program, [*line, "--since", "1h"]) == 0
    assert "## Bad?" in capsys.readouterr().out
    assert run(program, [*line, "--since", "2999-01-01"]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("when", ["yesterday", "2026-13-40", "7y", ""])
def test_a_time_that_is_none_is_a_usage_error(program, when, capsys):
    assert run(program, ["export", "--since", when or " "]) == 2
    assert "neither a date" in capsys.readouterr().err


def test_with_json_stdout_holds_everything_or_what_became_of_the_file(program, store, tmp_path, capsys):
    store("Good?", "Yes.")

    assert run(program, ["export", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "carrel-export"

    assert run(program, ["export", "--json", str(tmp_path / "a.jsonl"), "--without-passages"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format"], told["lines"]) == ("jsonl", 1)
    assert told["bytes"] == (tmp_path / "a.jsonl").stat().st_size


def test_an_unknown_conversation_is_an_error_and_no_file(program, tmp_path, capsys):
    file = tmp_path / "a.md"

    assert run(program, ["export", str(file), "--conversation", "nothing"]) == 1

    assert not file.exists()
    assert "[not_found]" in capsys.readouterr().err


def test_a_folder_that_is_not_there_is_said_before_anything_is_asked(program, tmp_path, capsys):
    assert run(program, ["export", str(tmp_path / "no" / "a.md")]) == 1

    assert "cannot be written: No such file or directory." in capsys.readouterr().err


def test_an_empty_export_says_so(program, tmp_path, capsys):
    assert run(program, ["export", str(tmp_path / "a.jsonl"), "--rated", "up"]) == 0

    assert "No answer matches" in capsys.readouterr().err
