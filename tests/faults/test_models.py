"""Model files that end a process, and processes that end while a model works: the next start copes."""

import contextlib
import json
import struct
import subprocess
import time

import httpx2
import pytest

from app.serving.catalogue import bundled

pytestmark = [pytest.mark.model, pytest.mark.slow]

BUNDLED = "SmolLM2 135M Instruct"


@pytest.fixture
def crashing(bundled_models, tmp_path):
    """The bundled model with a number that llama.cpp asserts on, in the middle of its first token."""
    data = bytearray(bundled(bundled_models).chat.path.read_bytes())
    key = b"llama.attention.layer_norm_rms_epsilon"
    struct.pack_into("<f", data, data.index(key) + len(key) + 4, -1.0)
    path = tmp_path / "crashing.gguf"
    path.write_bytes(data)
    return path


@pytest.fixture
def mine(bundled_models, tmp_path):
    """A model of the user's own, as far as Carrel can tell."""
    path = tmp_path / "mine.gguf"
    path.hardlink_to(bundled(bundled_models).chat.path)
    return path


@pytest.fixture
def kill_while_answering(start, sample, profile):
    """Ask, and kill the process while the model reads the question or answers it."""

    def kill():
        before = _text(profile.breadcrumb)  # what another that was killed left, until it is picked up
        running = start("ask", "--json", "--without-documents", sample.question)
        deadline = time.monotonic() + 60
        while '"answering"' not in (now := _text(profile.breadcrumb)) or now == before:
            assert running.process.poll() is None, running.errors
            assert time.monotonic() < deadline
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.process.wait(timeout=0.005)
        running.kill()

    return kill


def _text(file):
    return file.read_text("utf-8") if file.exists() else ""


def _answering(carrel, *options):
    done = carrel("models", "--json", *options)
    assert done.returncode == 0, done.stderr
    return next(model["name"] for model in json.loads(done.stdout)["models"] if model["kind"] == "chat")


def _logged(profile, code):
    lines = map(json.loads, _text(profile.logs / "carrel.log").splitlines())
    return [line["message"] for line in lines if line.get("code") == code]


def test_a_model_of_the_settings_that_ends_its_process_gives_way_to_the_bundled_one(
    carrel, crashing, sample, profile
):
    assert carrel("settings", "chat_model", crashing).returncode == 0

    for _ in range(2):
        done = carrel("ask", sample.question, sample.document)
        assert done.returncode == 0, done.stderr
        assert sample.answered_by(done.stdout)

    assert len(_logged(profile, "model_crashed")) == 2
    log = _text(profile.logs / "carrel.log")
    tried_out = [json.loads(line) for line in log.splitlines() if '"message": "model tried out"' in line]
    assert [line["file"] for line in tried_out].count(crashing.name) == 1
    assert "GGML_ASSERT" in log


def test_a_model_of_the_command_line_that_ends_its_process_is_refused(carrel, crashing, sample):
    done = carrel("ask", "--model", crashing, sample.question, sample.document)

    assert done.returncode == 1
    assert done.stderr.strip().endswith("[model_crashed]")
    assert "Traceback" not in done.stderr


def test_a_process_killed_while_it_answers_is_told_to_the_next_window(kill_while_answering, start, carrel):
    kill_while_answering()
    running = start("serve", "--json", "--port", 0)
    address = json.loads(running.wait_for(lambda line: "address" in line))["address"]
    signed_in = {"authorization": f"Bearer {carrel('token').stdout.strip()}"}

    with httpx2.stream("GET", f"{address}/events?window=1", headers=signed_in, timeout=60.0) as events:
        lines = events.iter_lines()
        next(line for line in lines if line == "event: notice")
        notice = json.loads(next(lines).removeprefix("data: "))["problem"]

    assert notice["code"] == "ended_unexpectedly"
    assert notice["message"] == f"Carrel ended unexpectedly while {BUNDLED} was answering."


def test_after_three_kills_in_a_row_the_bundled_model_answers_until_the_other_is_asked_for(
    kill_while_answering, carrel, mine, profile
):
    assert carrel("settings", "chat_model", mine).returncode == 0
    for _ in range(3):
        assert _logged(profile, "model_quarantined") == []
        kill_while_answering()

    assert _answering(carrel) == BUNDLED
    assert "mine" in _logged(profile, "model_quarantined")[0]
    assert _answering(carrel) == BUNDLED
    assert _answering(carrel, "--model", mine) == "mine"
    assert _answering(carrel) == "mine"
