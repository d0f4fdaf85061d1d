"""`carrel serve` and `carrel token`."""

import json
import os
import signal
from dataclasses import replace

import pytest

from app.cli.commands import run
from app.errors import ConnectionLostError
from app.records import Health


@pytest.fixture
def listening(client):
    client.state = Health("ok", "0.1.0", {}, "/p", 1.0, 5, 1, 9, 9, 0, (), None)
    return client


def _press_ctrl_c(monkeypatch):
    def stream(self, items):
        os.kill(os.getpid(), signal.SIGINT)
        yield from ()

    monkeypatch.setattr("app.cli.program.Desk.stream", stream)


def test_serve_tells_the_address_and_how_to_get_a_token(program, listening, monkeypatch, capsys):
    _press_ctrl_c(monkeypatch)

    assert run(program, ["serve", "--port", "4711"]) == 0

    out = capsys.readouterr().out
    assert "Listening on http://127.0.0.1:4711." in out
    assert "carrel token" in out


def test_serve_prints_one_json_line_when_it_listens(program, listening, monkeypatch, capsys, tmp_path):
    _press_ctrl_c(monkeypatch)

    assert run(program, ["serve", "--json", "--port", "4711", "--profile", str(tmp_path)]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found == {"address": "http://127.0.0.1:4711", "profile": str(tmp_path)}


@pytest.mark.parametrize(("before", "after"), [(None, None), ("http://127.0.0.1:4711", 4711)])
def test_the_first_carrel_listens_only_as_long_as_serve_lasts_unless_it_did_before(
    program, listening, monkeypatch, before, after
):
    _press_ctrl_c(monkeypatch)
    listening.state = replace(listening.state, listening=before)
    program.owner = False

    assert run(program, ["serve", "--port", "4711"]) == 0

    assert listening.on == after


def test_serve_fails_when_the_first_carrel_ends(program, listening, monkeypatch, capsys):
    def stream(self, items):
        raise ConnectionLostError("gone")
        yield

    monkeypatch.setattr("app.cli.program.Desk.stream", stream)

    assert run(program, ["serve", "--port", "4711"]) == 1

    assert "[connection_lost]" in capsys.readouterr().err


def test_token_prints_a_token_and_nothing_else(program, capsys):
    assert run(program, ["token"]) == 0

    assert capsys.readouterr().out == "a-token\n"


def test_serve_names_its_profile_to_the_token_command_only_where_it_must(
    program, listening, monkeypatch, capsys, tmp_path
):
    for line, hint in (([], "$(carrel token)"), (["--profile", str(tmp_path)], f"--profile {tmp_path})")):
        with monkeypatch.context() as patched:
            _press_ctrl_c(patched)
            assert run(program, ["serve", *line]) == 0
        assert hint in capsys.readouterr().out
