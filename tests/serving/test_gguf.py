import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import ModelFileError
from app.serving.gguf import read_header


def string(text):
    raw = text if isinstance(text, bytes) else text.encode()
    return struct.pack("<Q", len(raw)) + raw


def entry(key, kind, value):
    return string(key) + struct.pack("<I", kind) + value


def gguf(*entries, version=3, tensors=1, count=None, data=64):
    """A small GGUF file: one tensor of 8 numbers, and whatever metadata a test wants."""
    parts = [entry("general.architecture", 8, string("llama")), *entries]
    header = b"GGUF" + struct.pack("<IQQ", version, tensors, len(parts) if count is None else count)
    info = string("weights") + struct.pack("<I", 1) + struct.pack("<QIQ", 8, 0, 0)
    return header + b"".join(parts) + info + b"\0" * data


def written(tmp_path, data):
    path = tmp_path / "model.gguf"
    path.write_bytes(data)
    return path


def strings(key, values):
    return entry(key, 9, struct.pack("<IQ", 8, len(values)) + b"".join(map(string, values)))


def layers(count):
    return entry("llama.block_count", 4, struct.pack("<I", count))


def test_a_header_tells_architecture_name_and_numbers(tmp_path):
    data = gguf(
        layers(30), entry("general.name", 8, string("Tiny")), strings("tokenizer.ggml.tokens", ["a", "b"])
    )

    header = read_header(written(tmp_path, data))

    assert (header.architecture, header.name, header.tensors, header.number("block_count")) == (
        "llama",
        "Tiny",
        1,
        30,
    )
    assert header.number("not.there") == 0


def test_a_header_tells_short_lists_of_numbers_and_the_size_of_its_vocabulary(tmp_path):
    heads = entry("llama.attention.head_count_kv", 9, struct.pack("<IQ3I", 4, 3, 2, 0, 1))
    scores = entry("tokenizer.ggml.scores", 9, struct.pack("<IQ600f", 6, 600, *range(600)))

    header = read_header(written(tmp_path, gguf(heads, scores, strings("tokenizer.ggml.tokens", "abc"))))

    assert header.lists == {"llama.attention.head_count_kv": (2, 0, 1)}
    assert header.vocabulary == 3


def test_a_tensor_has_the_bytes_up_to_the_next(tmp_path):
    tensors = ((b"last", 96), (b"first", 0), (b"middle", 32))
    table = b"".join(string(name) + struct.pack("<IQIQ", 1, 8, 0, at) for name, at in tensors)
    whole = gguf(tensors=3)
    head = whole[: whole.index(string("weights"))] + table
    data = head + b"\0" * (-len(head) % 32) + b"\0" * 128

    assert read_header(written(tmp_path, data)).weights == {"first": 32, "middle": 64, "last": 32}


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "empty"),
        (b"GG", "not a GGUF"),
        (b"%PDF-1.7 whatever", "not a GGUF"),
        (b"GGUF", "cut short"),
        (gguf()[:40], "cut short"),
        (gguf(data=0), "cut short"),
        (gguf(version=1), "version 1"),
        (gguf(version=99), "version 99"),
        (gguf(tensors=0), "0 tensors"),
        (gguf(tensors=2**60), "tensors"),
        (gguf(count=2**60), "entries"),
        (gguf(layers(0)), "0 layers"),
        (gguf(layers(513)), "513 layers"),
        (gguf(layers(1), layers(1)), "twice"),
        (gguf(strings("tokenizer.ggml.tokens", ["a", "b", "a"])), "holds a token twice"),
        (gguf(entry("x", 77, b"")), "unknown kind"),
        (gguf(entry("x", 9, struct.pack("<IQ", 9, 1))), "list of"),
        (gguf(entry("x", 9, struct.pack("<IQ", 8, 2**62))), "list of"),
        (gguf(entry("x", 9, struct.pack("<IQ", 4, 2**62))), "past its end"),
        (gguf(entry("x", 8, struct.pack("<Q", 2**63))), "past its end"),
        (gguf(entry("general.alignment", 4, struct.pack("<I", 3))), "alignment"),
        (gguf(entry("general.alignment", 4, struct.pack("<I", 0))), "alignment"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_usable_model_is_refused_with_a_sentence(tmp_path, data, sentence):
    with pytest.raises(ModelFileError, match=sentence):
        read_header(written(tmp_path, data))


def test_a_missing_file_and_a_folder_are_refused_with_a_sentence(tmp_path):
    with pytest.raises(ModelFileError, match="no file"):
        read_header(tmp_path / "nothing.gguf")
    with pytest.raises(ModelFileError, match="folder"):
        read_header(tmp_path)


@given(data=st.binary(max_size=300))
@settings(max_examples=200)
def test_random_bytes_after_the_magic_are_refused_and_nothing_else_happens(tmp_path_factory, data):
    with pytest.raises(ModelFileError):
        read_header(written(tmp_path_factory.mktemp("gguf"), b"GGUF" + struct.pack("<I", 3) + data))


@pytest.mark.model
def test_mutated_headers_of_a_real_model_are_read_or_refused(tmp_path, models):
    whole = models.embedding.path.read_bytes()
    chance = random.Random(1)
    refused = 0
    for _ in range(12):
        data = bytearray(whole)
        for _ in range(4):
            data[chance.randrange(4_000)] = chance.randrange(256)
        try:
            read_header(written(tmp_path, data))
        except ModelFileError:
            refused += 1
    assert refused


@pytest.mark.model
def test_the_bundled_models_pass(models):
    assert read_header(models.chat.path).architecture == "llama"
    assert read_header(models.embedding.path).architecture == "bert"
