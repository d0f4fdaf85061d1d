import hashlib
import json

import pytest

from app.errors import ModelFileError
from app.serving import catalogue
from app.serving.catalogue import bundled, file_hash, forget_hash, hashes, known_hash

ENTRY = {"file": "m.gguf", "name": "M", "sha256": "0" * 64, "license": "MIT", "source": "here"}


def test_the_manifest_names_both_models(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"chat": ENTRY, "embedding": ENTRY | {"name": "E"}}))

    found = bundled(tmp_path)

    assert found.chat.path == tmp_path / "m.gguf"
    assert (found.chat.name, found.embedding.name) == ("M", "E")


def test_a_manifest_cannot_point_out_of_its_folder(tmp_path):
    entry = ENTRY | {"file": "../../elsewhere/m.gguf"}
    (tmp_path / "manifest.json").write_text(json.dumps({"chat": entry, "embedding": entry}))

    assert bundled(tmp_path).chat.path == tmp_path / "m.gguf"


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"chat": 1, "embedding": 2}', "\x00"])
def test_a_damaged_manifest_is_refused_with_a_sentence(tmp_path, text):
    (tmp_path / "manifest.json").write_text(text)

    with pytest.raises(ModelFileError, match="damaged"):
        bundled(tmp_path)


def test_without_a_manifest_the_sentence_says_what_to_do(tmp_path):
    with pytest.raises(ModelFileError, match="make run"):
        bundled(tmp_path)


def test_a_hash_is_computed_once_and_again_when_the_file_changes(tmp_path, monkeypatch):
    file, known = tmp_path / "m.gguf", hashes(tmp_path / "kept" / "hashes.json")
    file.write_bytes(b"one")
    first = file_hash(file, known)
    monkeypatch.setattr(catalogue, "sha256", lambda path: pytest.fail("read again"))

    assert first == hashlib.sha256(b"one").hexdigest()
    assert file_hash(file, known) == first

    monkeypatch.undo()
    file.write_bytes(b"three")
    assert file_hash(file, known) == hashlib.sha256(b"three").hexdigest()


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"x": 1}'])
def test_a_damaged_store_of_hashes_is_done_without(tmp_path, kept):
    file, known = tmp_path / "m.gguf", hashes(tmp_path / "hashes.json")
    file.write_bytes(b"one")
    known.path.write_text(kept)

    assert file_hash(file, known) == hashlib.sha256(b"one").hexdigest()


def test_a_missing_file_has_no_hash(tmp_path):
    with pytest.raises(ModelFileError, match="cannot be read"):
        file_hash(tmp_path / "nothing.gguf", hashes(tmp_path / "hashes.json"))


def test_a_hash_is_known_while_size_and_time_are_as_they_were_and_can_be_forgotten(tmp_path):
    file, known = tmp_path / "m.gguf", hashes(tmp_path / "hashes.json")
    file.write_bytes(b"one")
    assert known_hash(file, known) is None
    digest = file_hash(file, known)

    assert known_hash(file, known) == digest

    forget_hash(file, known)
    assert known_hash(file, known) is None
