"""The probe's child: what it finds out, what it may take, and what becomes of one that goes wrong."""

import importlib
import logging
import multiprocessing
import os
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import psutil
import pytest

from app.errors import ModelError, ModelTooLargeError
from app.serving.admission import trial
from app.serving.admission.probe import Probe
from app.serving.admission.verdicts import Verdict

# What a child does in place of loading; each begins as a real one does.
HOSTILE = """
import os, signal, subprocess, sys, threading
from pathlib import Path
from app import confinement
from app.serving.admission import trial

def begin(connection, output):
    os.setsid()
    confinement.confine(output=output, written=trial.OUTPUT_BYTES)
    connection.send_bytes(trial.READY)
    return Path(trial._wanted.decode(connection.recv_bytes()).path)

def hang(connection, output):
    path = begin(connection, output)
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    path.write_text(f"{os.getpid()} {helper.pid}")
    threading.Event().wait()

def hang_aloud(connection, output):
    begin(connection, output)
    os.write(2, b"x" * 10_000)
    threading.Event().wait()

def die(connection, output):
    begin(connection, output)
    os.write(2, b"GGML_ASSERT(everything) failed")
    os.kill(os.getpid(), signal.SIGSEGV)

def run_out_of_memory(connection, output):
    begin(connection, output)
    os.kill(os.getpid(), signal.SIGKILL)

def leave(connection, output):
    begin(connection, output)
    raise RuntimeError("a bug")

def talk_nonsense(connection, output):
    begin(connection, output)
    connection.send_bytes(b'{"type": "fine"}')
    threading.Event().wait()

def flood(connection, output):
    begin(connection, output)
    written = 0
    try:
        while True:
            written += os.write(2, b"x" * 4096)
    except OSError:
        connection.send_bytes(trial.encode(trial.Refused(str(written))))
    threading.Event().wait()

def start_slowly(connection, output):
    threading.Event().wait()

def fail_to_start(connection, output):
    os._exit(1)

def greet_strangely(connection, output):
    connection.send_bytes(b"hello")
    threading.Event().wait()
"""


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Puts a function of HOSTILE in the place of the child's."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    (folder / "carrel_hostile_trial.py").write_text(HOSTILE)
    monkeypatch.syspath_prepend(str(folder))
    module = importlib.import_module("carrel_hostile_trial")

    def put(name: str) -> None:
        monkeypatch.setattr(trial, "serve", getattr(module, name))

    yield put
    sys.modules.pop("carrel_hostile_trial")


@pytest.fixture(autouse=True)
def nothing_left(tmp_path, monkeypatch):
    """After every test: no child, and no file that took its last words."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    yield
    assert not multiprocessing.active_children()
    assert list(scratch.iterdir()) == []


def gone(pid: int) -> bool:
    """Whether a process ends within some seconds."""
    try:
        psutil.Process(pid).wait(timeout=10)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def with_a_negative_epsilon(data: bytes) -> bytes:
    """A model that looks like one in every respect, and ends the process at its first token."""
    key = b"llama.attention.layer_norm_rms_epsilon"
    at = data.index(key) + len(key) + 4
    return data[:at] + struct.pack("<f", -1.0) + data[at + 4 :]


def test_a_model_that_gives_a_token_and_one_that_gives_a_vector_are_proven(tiny):
    assert Probe().try_out(tiny("llama"), "chat") == Verdict("proven")
    assert Probe().try_out(tiny("llama"), "embedding") == Verdict("proven")


def test_a_model_for_which_there_is_no_memory_now_is_refused_with_figures_and_without_a_verdict(immense):
    with pytest.raises(ModelTooLargeError, match=r"immense\.gguf needs about .* GB of memory; .* are free"):
        Probe().try_out(immense, "chat")


@pytest.mark.model
def test_the_bundled_models_are_proven(models):
    assert Probe().try_out(models.chat.path, "chat") == Verdict("proven")
    assert Probe().try_out(models.embedding.path, "embedding") == Verdict("proven")


@pytest.mark.model
def test_a_model_for_another_use_is_refused_with_the_sentence_that_loading_it_gives(models):
    verdict = Probe().try_out(models.embedding.path, "chat")

    assert verdict.outcome == "refused"
    assert "turns texts into vectors" in verdict.reason


def test_a_file_that_is_no_model_is_refused_and_one_that_is_gone_gets_no_verdict(tmp_path):
    (tmp_path / "film.gguf").write_bytes(b"film" * 99)

    assert "not a GGUF" in Probe().try_out(tmp_path / "film.gguf", "embedding").reason
    with pytest.raises(ModelError, match=r"gone\.gguf cannot be read"):
        Probe().try_out(tmp_path / "gone.gguf", "chat")


def test_a_model_that_ends_the_process_is_told_by_signal_and_its_last_words_are_logged(
    tiny, tmp_path, caplog
):
    path = tmp_path / "crash.gguf"
    path.write_bytes(with_a_negative_epsilon(tiny("llama").read_bytes()))

    with caplog.at_level(logging.WARNING, "app.serving.admission.probe"):
        verdict = Probe().try_out(path, "chat")

    assert verdict == Verdict("crashed", "SIGABRT")
    assert "GGML_ASSERT" in caplog.records[-1].told


def test_a_vocabulary_without_one_of_the_bytes_ends_the_probe_and_not_the_first_text_that_needs_it(
    tiny, tmp_path
):
    path = tmp_path / "byte.gguf"
    path.write_bytes(tiny("llama").read_bytes().replace(b"<0xF4>", b"<none>"))

    assert Probe().try_out(path, "chat").outcome == "crashed"


def test_a_model_that_never_comes_to_an_end_is_given_up(tiny, tmp_path):
    path = tmp_path / "endless.gguf"
    data = tiny("gemma2", window=32).read_bytes()
    key = b"gemma2.rope.dimension_count"
    at = data.index(key) + len(key) + 4
    path.write_bytes(data[:at] + struct.pack("<I", 0) + data[at + 4 :])

    assert Probe(seconds=5).try_out(path, "chat") == Verdict("timed_out")


def test_what_takes_too_long_is_ended_with_everything_it_started(hostile, tmp_path):
    hostile("hang")
    pids = tmp_path / "pids"
    begun = time.monotonic()

    verdict = Probe(seconds=8).try_out(pids, "chat")  # a busy machine may take some to start it

    assert verdict == Verdict("timed_out")
    assert time.monotonic() - begun < 20
    assert all(gone(int(pid)) for pid in pids.read_text().split())


@pytest.mark.parametrize("how", ["start_slowly", "hang_aloud"])
def test_the_limit_holds_whatever_the_child_is_at(hostile, tmp_path, how):
    hostile(how)
    begun = time.monotonic()

    assert Probe(seconds=2).try_out(tmp_path / "m.gguf", "chat") == Verdict("timed_out")
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("die", "SIGSEGV"),
        ("run_out_of_memory", "SIGKILL"),
        ("leave", "exit code 1"),
        ("talk_nonsense", "an answer that makes no sense"),
    ],
)
def test_a_child_without_an_answer_is_a_crash_and_says_how(hostile, tmp_path, how, reason):
    hostile(how)

    assert Probe().try_out(tmp_path / "m.gguf", "chat") == Verdict("crashed", reason)


@pytest.mark.parametrize("how", ["fail_to_start", "greet_strangely"])
def test_a_child_that_does_not_start_says_nothing_about_the_file(hostile, tmp_path, how):
    hostile(how)

    with pytest.raises(ModelError, match=r"m\.gguf could not be tried out: the program"):
        Probe().try_out(tmp_path / "m.gguf", "chat")


def test_a_child_cannot_fill_the_disk(hostile, tmp_path):
    hostile("flood")

    verdict = Probe().try_out(tmp_path / "m.gguf", "chat")

    assert int(verdict.reason) <= trial.OUTPUT_BYTES


def test_closing_ends_the_child_and_tells_who_waits(hostile, tmp_path):
    hostile("hang")
    probe, pids, said = Probe(), tmp_path / "pids", []

    def wait():
        with pytest.raises(ModelError) as error:
            probe.try_out(pids, "chat")
        said.append(error.value.message)

    waiting = threading.Thread(target=wait)
    waiting.start()
    deadline = time.monotonic() + 30
    while not (pids.exists() and pids.read_text()) and time.monotonic() < deadline:
        waiting.join(0.05)
    probe.close()
    waiting.join(10)

    assert said == ["Carrel is closing."]
    assert all(gone(int(pid)) for pid in pids.read_text().split())
    with pytest.raises(ModelError, match="closing"):
        probe.try_out(pids, "chat")


def test_a_warm_child_takes_the_next_file_until_one_ends_it(tiny, tmp_path):
    crash = tmp_path / "crash.gguf"
    crash.write_bytes(with_a_negative_epsilon(tiny("llama").read_bytes()))
    film = tmp_path / "film.gguf"
    film.write_bytes(b"film" * 99)
    probe = Probe(warm=True)

    def child() -> int:
        (process,) = multiprocessing.active_children()
        return process.pid

    assert probe.try_out(tiny("llama"), "chat").outcome == "proven"
    first = child()
    assert probe.try_out(film, "chat").outcome == "refused"
    assert child() == first
    assert probe.try_out(crash, "chat").outcome == "crashed"
    assert probe.try_out(tiny("llama"), "chat").outcome == "proven"
    assert child() != first
    probe.close()


def test_the_child_is_a_group_of_its_own_that_gives_way_to_everybody(tiny):
    probe = Probe(warm=True)
    probe.try_out(tiny("llama"), "chat")
    (process,) = multiprocessing.active_children()

    assert os.getpgid(process.pid) == process.pid
    assert psutil.Process(process.pid).nice() >= min(19, psutil.Process().nice() + 10)
    if sys.platform == "linux":
        assert Path(f"/proc/{process.pid}/oom_score_adj").read_text().strip() == "1000"
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        assert f"Max data size             {tiny('llama').stat().st_size + (4 << 30)}" in limits
    probe.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere this limit is not kept")
def test_a_model_gets_no_more_memory_than_it_may_need():
    script = """
        from app.serving.admission import trial
        trial._limit_memory(1 << 30)
        try:
            bytearray(2 << 30)
        except MemoryError:
            print("refused")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False
    )

    assert done.stdout == "refused\n", done.stderr


def test_a_child_ends_when_the_program_is_killed(tmp_path):
    script = f"""
        import sys
        from pathlib import Path
        sys.path.insert(0, {str(tmp_path)!r})
        import carrel_hostile_kill
        from app.serving.admission import trial
        from app.serving.admission.probe import Probe
        trial.serve = carrel_hostile_kill.wait
        Probe().try_out(Path({str(tmp_path / "pid")!r}), "chat")
    """
    (tmp_path / "carrel_hostile_kill.py").write_text(
        textwrap.dedent(
            """
            import os, threading
            from pathlib import Path
            from app import confinement

            def wait(connection, output):
                confinement.confine(output=output, written=1)
                connection.send_bytes(b"ready")
                connection.recv_bytes()
                os.write(1, b"!")
                threading.Event().wait()
            """
        )
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], env=environment) as program:
        output, deadline = None, time.monotonic() + 30
        while output is None and time.monotonic() < deadline:
            output = next(
                (file for file in tmp_path.glob("carrel-probe-*") if file.read_bytes() == b"!"), None
            )
        (child,) = (
            it
            for it in psutil.Process(program.pid).children()
            if "resource_tracker" not in " ".join(it.cmdline())
        )
        program.send_signal(signal.SIGKILL)
    assert gone(child.pid)
    output.unlink()
