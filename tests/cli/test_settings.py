"""`carrel settings`: what is read, set and refused."""

import json

from app.cli.commands import run


def test_a_setting_is_set_and_read_again(program, tmp_path, capsys):
    assert run(program, ["settings", "listen", "on", "--profile", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "on\n"

    assert run(program, ["settings", "listen", "--json", "--profile", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["listen"]["value"] is True


def test_a_value_out_of_range_is_refused(program, tmp_path, capsys):
    assert run(program, ["settings", "threads", "9000", "--profile", str(tmp_path)]) == 1

    assert "ranges from 0 to 256" in capsys.readouterr().err


def test_a_name_that_is_unknown_is_refused(program, tmp_path, capsys):
    assert run(program, ["settings", "colour", "--json", "--profile", str(tmp_path)]) == 1

    assert json.loads(capsys.readouterr().out)["error"]["code"] == "setting_invalid"


def test_a_line_of_the_file_that_cannot_hold_is_told(program, tmp_path, capsys):
    (tmp_path / "settings.json").write_text('{"threads": -4}')

    assert run(program, ["settings", "threads", "--profile", str(tmp_path)]) == 0

    captured = capsys.readouterr()
    assert captured.out == "0\n"
    assert "Ignored: threads ranges from" in captured.err
