"""What holds for every command: options anywhere, exit codes, no traceback, a clean stdout."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

import app
from app.cli.commands import carrel, run
from app.errors import ConnectionLostError, ProfileInUseError
from app.paths import Profile
from app.records import Model, Problem


def test_without_a_command_the_window_opens(program, tmp_path):
    assert run(program, ["--profile", str(tmp_path)]) == 0

    assert program.windows == [Profile(tmp_path)]


@pytest.mark.parametrize(
    "line",
    [
        ["--profile", "{}", "--verbose", "--json", "documents"],
        ["documents", "--profile", "{}", "--verbose", "--json"],
        ["--verbose", "documents", "--json", "--profile", "{}"],
    ],
)
def test_shared_options_hold_before_and_after_the_command(program, tmp_path, capsys, line):
    assert run(program, [part.format(tmp_path) for part in line]) == 0

    assert program.opened == [(Profile(tmp_path), None, True)]
    assert json.loads(capsys.readouterr().out)["documents"]


def test_a_model_is_handed_on_as_an_absolute_path(program, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    run(program, ["models", "--model", "mine.gguf"])

    assert program.opened[0][1] == tmp_path / "mine.gguf"


def test_the_profile_of_the_environment_is_used(program, tmp_path, monkeypatch):
    monkeypatch.setenv("CARREL_PROFILE", str(tmp_path))

    run(program, ["documents"])

    assert program.opened[0][0] == Profile(tmp_path)


def test_every_command_takes_the_shared_options_and_tells_the_exit_codes(program, capsys):
    for name in carrel.commands:
        assert run(program, [name, "--help"]) == 0
        out = capsys.readouterr().out
        for option in ("--json", "--profile", "--model", "--verbose", "--version"):
            assert option in out, f"{name} lacks {option}"
        assert "130 stopped by Ctrl-C" in " ".join(out.split())


def test_the_version_is_printed(program, capsys):
    assert run(program, ["--version"]) == 0

    assert capsys.readouterr().out == f"carrel {app.__version__}\n"


def test_a_line_that_is_not_understood_gives_2(program, capsys):
    assert run(program, ["ask"]) == 2
    assert "Missing argument" in capsys.readouterr().err

    assert run(program, ["frobnicate", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "usage"


def test_an_error_is_one_sentence_with_its_code(program, capsys):
    program.refusal = ProfileInUseError("Another Carrel holds this profile and does not answer.")

    assert run(program, ["documents"]) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "Another Carrel holds this profile and does not answer. [profile_in_use]\n"


def test_a_bug_is_shown_as_one(program, capsys):
    program.refusal = RuntimeError("something private")

    assert run(program, ["documents", "--json"]) == 1

    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["code"] == "bug"
    assert "a mistake in Carrel" in captured.err


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from app.main import main; sys.argv = ['carrel', '--help']\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'fastapi', 'PySide6', 'llama_cpp', 'numpy', 'httpx2', 'rich', 'sqlite_utils', 'uvicorn'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "[]"
    assert "Exit codes" in done.stdout


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    line = f"'{sys.executable}' -m app settings --profile '{tmp_path}' | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=False)

    assert done.stdout == "chat_model = \n"
    assert done.stderr == ""


def test_a_command_that_loses_its_carrel_before_it_printed_anything_begins_again(
    program, client, monkeypatch, capsys
):
    found = client.documents

    async def lost_once():
        monkeypatch.setattr(client, "documents", found)
        raise ConnectionLostError("The first Carrel has ended.")

    monkeypatch.setattr(client, "documents", lost_once)

    assert run(program, ["documents", "--json"]) == 0

    assert len(program.opened) == 2
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_command_that_loses_every_carrel_fails(program, client, monkeypatch, capsys):
    async def lost():
        raise ConnectionLostError("The first Carrel has ended.")

    monkeypatch.setattr(client, "documents", lost)

    assert run(program, ["documents"]) == 1

    assert "[connection_lost]" in capsys.readouterr().err


def test_models_are_shown_when_they_are_loaded(program, client, monkeypatch, capsys):
    loading = Model("Mine", "chat", "/mine.gguf", 3_000_000, "", False, 0, "", 0, 0)
    states = [(loading,), (replace(loading, loaded=True, context_length=2_048, backend="CPU", layers=30),)]

    async def models():
        return states.pop(0)

    monkeypatch.setattr(client, "models", models)

    assert run(program, ["models"]) == 0

    out = capsys.readouterr().out
    assert "Mine (chat)" in out
    assert "2,048 tokens of context, on CPU, 0 of 30 layers offloaded" in out


def test_a_model_that_failed_gives_1(program, client, monkeypatch, capsys):
    failed = Model("Mine", "chat", "/m.gguf", 3, "", False, 0, "", 0, 0, Problem("x", "It is torn."))

    async def models():
        return (failed,)

    monkeypatch.setattr(client, "models", models)

    assert run(program, ["models"]) == 1

    assert "not loaded: It is torn." in capsys.readouterr().out


def test_an_empty_search_is_refused(program, capsys):
    assert run(program, ["search", "  "]) == 1

    assert "There is nothing to search for. [invalid_request]" in capsys.readouterr().err
    assert not program.opened


@pytest.mark.parametrize(("path", "code"), [("/mine.gguf", 0), ("/other.gguf", 1)])
def test_a_model_that_a_running_carrel_does_not_answer_with_is_refused(
    program, client, monkeypatch, capsys, path, code
):
    async def models():
        return (Model("Mine", "chat", "/mine.gguf", 3, "", True, 2_048, "CPU", 30, 0),)

    monkeypatch.setattr(client, "models", models)
    program.owner = False

    assert run(program, ["--model", path, "documents"]) == code

    assert ("answers with Mine" in capsys.readouterr().err) is bool(code)
