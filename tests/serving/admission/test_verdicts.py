import pytest

from app.errors import ModelCrashedError, ModelFileError, ModelTimeoutError
from app.serving.admission.verdicts import Verdict, Verdicts

SHA256 = "0" * 64


@pytest.fixture
def file(tmp_path):
    return tmp_path / "verdicts.json"


def test_a_verdict_is_found_again_by_contents_use_build_and_device(file):
    Verdicts(file, "b1").keep(SHA256, "chat", "CPU", Verdict("crashed", "SIGABRT"))
    Verdicts(file, "b1").keep(SHA256, "embedding", "CPU", Verdict("proven"))

    again = Verdicts(file, "b1")

    assert again.find(SHA256, "chat", "CPU") == Verdict("crashed", "SIGABRT")
    assert again.find(SHA256, "embedding", "CPU") == Verdict("proven")
    assert again.find(SHA256, "chat", "CUDA0") is None
    assert again.find("1" * 64, "chat", "CPU") is None
    assert Verdicts(file, "b2").find(SHA256, "chat", "CPU") is None


def test_the_newest_verdict_counts(file):
    verdicts = Verdicts(file, "b1")
    verdicts.keep(SHA256, "chat", "CPU", Verdict("timed_out"))
    verdicts.keep(SHA256, "chat", "CPU", Verdict("proven"))

    assert verdicts.find(SHA256, "chat", "CPU") == Verdict("proven")


@pytest.mark.parametrize("damaged", ["", "[]", '{"x": 1}', '{"x": {"build": "b1", "outcome": "fine"}}'])
def test_a_damaged_file_is_done_without(file, damaged):
    file.write_text(damaged)
    verdicts = Verdicts(file, "b1")

    assert verdicts.find(SHA256, "chat", "CPU") is None
    verdicts.keep(SHA256, "chat", "CPU", Verdict("proven"))
    assert verdicts.find(SHA256, "chat", "CPU") == Verdict("proven")


@pytest.mark.parametrize(
    ("verdict", "kind", "sentence", "lasting"),
    [
        (Verdict("refused", "m.gguf is no model."), ModelFileError, "m.gguf is no model", True),
        (Verdict("crashed", "SIGABRT"), ModelCrashedError, "SIGABRT", True),
        (Verdict("crashed", "SIGKILL"), ModelCrashedError, "memory is short", False),
        (Verdict("crashed", "SIGTERM"), ModelCrashedError, "The system ended", False),
        (Verdict("timed_out"), ModelTimeoutError, "in time", False),
    ],
)
def test_every_verdict_but_a_proof_is_said_with_its_own_code(verdict, kind, sentence, lasting):
    with pytest.raises(kind, match=sentence) as refused:
        verdict.check("m.gguf")

    assert type(refused.value) is kind
    assert "m.gguf" in refused.value.message
    assert verdict.lasting is lasting


def test_a_proof_passes():
    Verdict("proven").check("m.gguf")
    assert Verdict("proven").lasting
