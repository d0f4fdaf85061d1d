"""Which files may be loaded: by their origin, by a verdict that is remembered, or by a new one."""

import hashlib
import os
import threading
from collections import deque

import pytest

from app.errors import ModelCrashedError, ModelError, ModelFileError, ModelTimeoutError
from app.serving import llama
from app.serving.admission.admission import Admission
from app.serving.admission.probe import Probe
from app.serving.admission.verdicts import Verdict
from app.serving.hardware import Device

PROVEN, CRASHED, LATE = Verdict("proven"), Verdict("crashed", "SIGABRT"), Verdict("timed_out")
NEVER = 3_600.0  # seconds until a remembered hash is looked at


class Told:
    """A probe that says what it is told to, and remembers what it was asked."""

    def __init__(self, *verdicts):
        self.verdicts = deque(verdicts)
        self.asked = []

    def try_out(self, path, kind, *, gpu_layers, on_gpu, tiles):
        self.asked.append((path.name, kind, gpu_layers, on_gpu, *(["tiles"] if tiles else [])))
        verdict = self.verdicts.popleft()
        if callable(verdict):
            return verdict(path)
        return verdict

    def close(self):
        pass


@pytest.fixture
def house(tmp_path):
    """Admissions over the same remembered hashes and verdicts; closed after the test."""
    made = []

    def house(*verdicts, trusted=(), verify_after=NEVER, on_notice=None, probe=None):
        probe = probe or Told(*verdicts)
        admission = Admission(
            hashes=tmp_path / "kept" / "hashes.json",
            verdicts=tmp_path / "kept" / "verdicts.json",
            trusted=frozenset(trusted),
            on_notice=on_notice or (lambda problem: pytest.fail(problem.message)),
            probe=probe,
            verify_after=verify_after,
        )
        made.append(admission)
        return admission, probe

    yield house
    for admission in made:
        admission.close()


@pytest.fixture
def mine(tiny, tmp_path):
    path = tmp_path / "mine.gguf"
    path.write_bytes(tiny("llama").read_bytes())
    return path


@pytest.fixture(autouse=True)
def no_tiles(monkeypatch):
    monkeypatch.setattr(llama, "has_tiles", lambda: False)


@pytest.fixture
def tiles(no_tiles, monkeypatch):
    monkeypatch.setattr(llama, "has_tiles", lambda: True)


@pytest.fixture
def graphics_card(monkeypatch):
    found = (Device("CPU", "", False, 0, 0), Device("CUDA0", "", True, 0, 0))
    monkeypatch.setattr(llama, "devices", lambda: found)


def looking():
    """The threads that look at remembered hashes."""
    return [thread for thread in threading.enumerate() if thread.name == "verify-model"]


def admit(admission, path, kind="chat", *, gpu_layers=-1, asked=False):
    return admission.admit(path, kind, gpu_layers=gpu_layers, asked=asked)


def test_a_file_is_tried_out_once_and_its_verdict_is_remembered(house, mine):
    admission, probe = house(PROVEN)
    first = admit(admission, mine)
    again, idle = house()

    assert admit(again, mine) == first
    assert first.sha256 == hashlib.sha256(mine.read_bytes()).hexdigest()
    assert (first.device, first.gpu_layers, first.notice) == ("CPU", -1, None)
    assert (len(probe.asked), idle.asked) == (1, [])


def test_the_verdict_belongs_to_the_contents_wherever_they_are(house, mine, tmp_path):
    admission, probe = house(PROVEN)
    admit(admission, mine)
    moved = mine.rename(tmp_path / "moved.gguf")

    admit(admission, moved)

    assert len(probe.asked) == 1


def test_a_changed_file_is_tried_out_again(house, mine):
    admission, probe = house(PROVEN, CRASHED)
    admit(admission, mine)
    mine.write_bytes(mine.read_bytes() + b"\0")

    with pytest.raises(ModelCrashedError):
        admit(admission, mine)
    assert len(probe.asked) == 2


def test_another_use_or_another_build_is_tried_out_anew(house, mine, monkeypatch):
    admission, probe = house(PROVEN, PROVEN)
    admit(admission, mine)
    admit(admission, mine, "embedding", gpu_layers=0)
    assert [kind for _, kind, _, _ in probe.asked] == ["chat", "embedding"]

    monkeypatch.setattr(llama, "build", lambda: "a later llama.cpp")
    later, probe = house(CRASHED)
    with pytest.raises(ModelCrashedError):
        admit(later, mine)
    assert len(probe.asked) == 1


def test_the_programs_own_files_need_no_proof(house, mine):
    admission, probe = house(trusted={hashlib.sha256(mine.read_bytes()).hexdigest()})

    admit(admission, mine)

    assert probe.asked == []


def test_what_is_no_model_is_refused_without_being_tried_out_or_read_whole(house, tmp_path):
    admission, probe = house()
    (tmp_path / "film.gguf").write_bytes(b"film" * 999)

    for path, sentence in (
        (tmp_path / "film.gguf", "not a GGUF"),
        (tmp_path / "gone.gguf", "gone.gguf"),
        (tmp_path, "folder"),
    ):
        with pytest.raises(ModelFileError, match=sentence):
            admit(admission, path)
    assert probe.asked == []
    assert not (tmp_path / "kept").exists()


def test_a_crash_is_remembered_whoever_asks(house, mine):
    admission, probe = house(CRASHED)
    for asked in (False, True, True):
        with pytest.raises(ModelCrashedError, match="SIGABRT"):
            admit(admission, mine, asked=asked)

    assert len(probe.asked) == 1


@pytest.mark.parametrize("verdict", [LATE, Verdict("crashed", "SIGKILL")])
def test_what_the_machine_may_be_to_blame_for_is_tried_again_when_asked_for(house, mine, verdict):
    admission, probe = house(verdict, PROVEN)
    for _ in range(2):
        with pytest.raises((ModelTimeoutError, ModelCrashedError)):
            admit(admission, mine)
    assert len(probe.asked) == 1

    admit(admission, mine, asked=True)
    admit(admission, mine)
    assert len(probe.asked) == 2


def test_what_could_not_be_tried_out_is_not_remembered(house, mine):
    def fail(path):
        raise ModelError("There is no memory.")

    admission, probe = house(fail, PROVEN)
    with pytest.raises(ModelError, match="no memory"):
        admit(admission, mine)

    assert admit(admission, mine)
    assert len(probe.asked) == 2


def test_a_file_that_changes_while_it_is_tried_out_gets_no_verdict(house, mine):
    def change(path):
        path.write_bytes(path.read_bytes() + b"\0")
        return PROVEN

    admission, probe = house(change, CRASHED)
    with pytest.raises(ModelFileError, match="changed"):
        admit(admission, mine)

    mine.write_bytes(mine.read_bytes()[:-1])
    with pytest.raises(ModelCrashedError):
        admit(admission, mine)
    assert len(probe.asked) == 2


def test_a_model_that_ends_the_graphics_card_runs_on_the_processor_and_says_so(house, mine, graphics_card):
    admission, probe = house(CRASHED, PROVEN)

    found = admit(admission, mine)

    assert probe.asked == [("mine.gguf", "chat", -1, True), ("mine.gguf", "chat", 0, False)]
    assert (found.gpu_layers, found.device) == (0, "CPU")
    assert found.notice.code == "gpu_refused"
    assert "CUDA0" in found.notice.message
    assert admit(admission, mine) == found


def test_a_model_that_crashes_on_both_is_refused(house, mine, graphics_card):
    admission, probe = house(CRASHED, CRASHED)

    with pytest.raises(ModelCrashedError):
        admit(admission, mine)
    assert len(probe.asked) == 2


def test_no_layers_on_the_graphics_card_is_a_trial_on_the_processor(house, mine, graphics_card):
    admission, probe = house(PROVEN)

    assert admit(admission, mine, gpu_layers=0).device == "CPU"
    assert probe.asked == [("mine.gguf", "chat", 0, False)]


def test_contents_that_changed_without_a_trace_are_told_and_tried_out_again(house, mine):
    told, noticed = [], threading.Event()
    admission, probe = house(PROVEN)
    admit(admission, mine)
    status, data = mine.stat(), mine.read_bytes()
    mine.write_bytes(data[:-1] + bytes((data[-1] ^ 1,)))
    os.utime(mine, ns=(status.st_atime_ns, status.st_mtime_ns))

    watching, idle = house(verify_after=0.0, on_notice=lambda problem: (told.append(problem), noticed.set()))
    admit(watching, mine)

    assert idle.asked == []
    assert noticed.wait(30)
    assert [problem.code for problem in told] == ["model_changed"]
    assert "mine.gguf" in told[0].message
    later, probe = house(PROVEN)
    admit(later, mine)
    assert len(probe.asked) == 1


def test_contents_that_are_as_they_were_are_looked_at_in_silence(house, mine):
    told = []
    admission, _ = house(PROVEN)
    admit(admission, mine)
    watching, _ = house(verify_after=0.0, on_notice=told.append)
    admit(watching, mine)
    for thread in looking():
        thread.join(30)

    assert told == []
    later, probe = house()
    admit(later, mine)
    assert probe.asked == []


def test_closing_does_not_wait_for_what_is_still_to_be_looked_at(house, mine):
    admission, _ = house(PROVEN)
    admit(admission, mine)
    admit(admission, mine)

    admission.close()

    assert not looking()


@pytest.mark.parametrize("damaged", ["", "{", '{"x": 1}', "\0"])
def test_damaged_memories_are_done_without(house, mine, tmp_path, damaged):
    (tmp_path / "kept").mkdir()
    for name in ("hashes.json", "verdicts.json"):
        (tmp_path / "kept" / name).write_text(damaged)
    admission, probe = house(PROVEN)

    admit(admission, mine)
    admit(admission, mine)

    assert len(probe.asked) == 1


def test_memories_that_cannot_be_written_are_done_without(house, mine, tmp_path):
    (tmp_path / "kept").write_text("in the way")
    admission, probe = house(PROVEN, PROVEN)

    admit(admission, mine)
    admit(admission, mine)

    assert len(probe.asked) == 2


def test_a_real_probe_lets_a_whole_model_pass_and_refuses_one_that_would_end_the_process(
    house, mine, tmp_path
):
    admission, _ = house(probe=Probe())
    assert admit(admission, mine).device == "CPU"
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(mine.read_bytes().replace(b"<0xF4>", b"<none>"))

    with pytest.raises(ModelCrashedError, match=r"broken\.gguf crashed the process that tried it out"):
        admit(admission, broken)


@pytest.mark.parametrize("kind", ["embedding", "reranking"])
@pytest.mark.usefixtures("tiles")
def test_where_the_processor_has_tiles_they_are_used_once_that_was_tried_out(house, mine, kind):
    trusted = [hashlib.sha256(mine.read_bytes()).hexdigest()]
    admission, probe = house(PROVEN, trusted=trusted)

    assert admit(admission, mine, kind, gpu_layers=0).tiles
    assert admit(house(trusted=trusted)[0], mine, kind, gpu_layers=0).tiles  # remembered
    assert probe.asked == [(mine.name, kind, 0, False, "tiles")]


@pytest.mark.usefixtures("tiles")
def test_where_tiles_end_the_process_a_model_is_loaded_without_them(house, mine):
    admission, probe = house(CRASHED, PROVEN)

    assert not admit(admission, mine, "embedding", gpu_layers=0).tiles
    assert not admit(house()[0], mine, "embedding", gpu_layers=0).tiles  # remembered
    assert probe.asked == [(mine.name, "embedding", 0, False, "tiles"), (mine.name, "embedding", 0, False)]


@pytest.mark.usefixtures("tiles")
def test_where_tiles_cannot_be_tried_out_a_model_is_loaded_without_them(house, mine):
    def no_memory(_path):
        raise ModelError("There is not enough memory.")

    trusted = [hashlib.sha256(mine.read_bytes()).hexdigest()]

    assert not admit(house(no_memory, trusted=trusted)[0], mine, "embedding", gpu_layers=0).tiles


@pytest.mark.usefixtures("tiles")
def test_a_chat_model_is_not_laid_out_for_tiles(house, mine):
    admission, probe = house(PROVEN)

    assert not admit(admission, mine).tiles
    assert probe.asked == [(mine.name, "chat", -1, False)]
