"""A profile, or a system, that is not as it should be: one sentence, exit code 1, nothing lost."""

import json
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.model, pytest.mark.slow]


def _refused(done, code):
    assert done.returncode == 1
    assert done.stderr.strip().endswith(f"[{code}]")
    assert "Traceback" not in done.stderr


def test_a_damaged_database_is_told_and_left_as_it_is(carrel, profile):
    damaged = b"This is no database at all, but long enough to be looked at. " * 99
    profile.database.write_bytes(damaged)

    _refused(carrel("documents"), "database_damaged")

    assert profile.database.read_bytes() == damaged


def test_a_database_of_a_newer_carrel_is_told_and_left_as_it_is(carrel, profile, sample):
    assert carrel("add", sample.document).returncode == 0
    with sqlite3.connect(profile.database) as database:
        database.execute("PRAGMA user_version = 9999")

    _refused(carrel("documents"), "newer_schema")

    with sqlite3.connect(profile.database) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (9999,)


def test_damaged_caches_are_begun_anew(carrel, profile, sample):
    assert carrel("add", sample.document).returncode == 0
    for cache in (profile.embeddings, profile.sessions):
        for file in cache.rglob("*"):
            if file.is_file():
                file.write_bytes(b"\0garbage" * 999)

    done = carrel("ask", sample.question)

    assert done.returncode == 0, done.stderr
    assert sample.answered_by(done.stdout)


def test_settings_that_cannot_be_read_do_not_keep_it_from_starting(carrel, profile):
    profile.settings.write_text("{ this is not JSON")

    done = carrel("documents", "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["documents"] == []


def test_a_chat_model_of_the_settings_that_is_gone_gives_way_to_the_bundled_one(carrel, profile, sample):
    assert carrel("settings", "chat_model", "/nowhere/my-model.gguf").returncode == 0

    done = carrel("ask", sample.question, sample.document)

    assert done.returncode == 0, done.stderr
    assert sample.answered_by(done.stdout)


def test_a_port_that_is_taken_is_told(carrel):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()

        _refused(carrel("serve", "--port", other.getsockname()[1]), "setting_invalid")


def test_a_profile_that_is_a_file_is_refused(carrel, tmp_path):
    (tmp_path / "file").write_text("in the way")

    _refused(carrel("documents", "--profile", tmp_path / "file" / "profile"), "storage_failed")


@pytest.mark.parametrize("blocks", [4, 120, 400])
def test_a_full_disk_is_told_and_the_profile_stays_whole(carrel, environment, profile, sample, blocks):
    line = f"ulimit -f {blocks}; exec '{sys.executable}' -m app add '{sample.document}'"
    done = subprocess.run(
        ["/bin/sh", "-c", line], capture_output=True, text=True, timeout=120, env=environment, check=False
    )

    assert "Traceback" not in done.stderr
    if done.returncode:
        assert done.returncode == 1
        assert "storage_failed" in done.stderr
    again = carrel("ask", sample.question, sample.document)
    assert again.returncode == 0, again.stderr
    assert sample.answered_by(again.stdout)
    with sqlite3.connect(f"file:{profile.database}?mode=ro", uri=True) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_stdout_that_cannot_be_written_is_told(environment):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "app", "settings"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
        )

    assert done.returncode == 1
    assert done.stderr.startswith("The output could not be written: ")
    assert len(done.stderr.splitlines()) == 1
