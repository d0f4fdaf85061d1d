import json
from pathlib import Path

import gguf
import minilm_gguf
import numpy as np
import pytest

LAYERS, WIDTH, INNER, PIECES, PLACES = 1, 32, 64, 9, 12
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "lease", "##s", "§", "end"]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A BERT so small that it can be written down."""
    config = {
        "model_type": "bert",
        "num_hidden_layers": LAYERS,
        "hidden_size": WIDTH,
        "intermediate_size": INNER,
        "num_attention_heads": 2,
        "max_position_embeddings": PLACES,
        "layer_norm_eps": 1e-12,
        "type_vocab_size": 2,
    }
    special = {"unk": "[UNK]", "sep": "[SEP]", "pad": "[PAD]", "cls": "[CLS]", "mask": "[MASK]"}
    found = {name: tmp_path / name.replace("/", "_") for name in minilm_gguf.FILES}
    found["config.json"].write_text(json.dumps(config))
    found["1_Pooling/config.json"].write_text('{"pooling_mode_mean_tokens": true}')
    found["vocab.txt"].write_text("\n".join(VOCABULARY) + "\n", "utf-8")
    found["special_tokens_map.json"].write_text(
        json.dumps({f"{role}_token": token for role, token in special.items()})
    )
    _write_safetensors(found["model.safetensors"], _tensors())
    return found


@pytest.mark.parametrize("precision", ["f16", "bf16"])
def test_matrices_are_rounded_and_vectors_and_positions_keep_every_bit(files, tmp_path, precision):
    target = tmp_path / "made.gguf"

    minilm_gguf.convert(files, target, precision)

    stored = {tensor.name: tensor for tensor in gguf.GGUFReader(target).tensors}
    rounded = gguf.GGMLQuantizationType[precision.upper()]
    exact = gguf.GGMLQuantizationType.F32
    assert stored["token_embd.weight"].tensor_type == rounded
    assert stored["blk.0.ffn_up.weight"].tensor_type == rounded
    assert stored["position_embd.weight"].tensor_type == exact
    assert stored["token_types.weight"].tensor_type == exact
    assert stored["blk.0.attn_q.bias"].tensor_type == exact
    assert not any("pooler" in name for name in stored)


def test_in_8_bits_the_values_of_attention_stay_in_16(files, tmp_path):
    target = tmp_path / "made.gguf"

    minilm_gguf.convert(files, target, "q8_0")

    stored = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(target).tensors}
    assert stored["blk.0.attn_q.weight"] == gguf.GGMLQuantizationType.Q8_0
    assert stored["blk.0.attn_v.weight"] == gguf.GGMLQuantizationType.F16
    assert stored["position_embd.weight"] == gguf.GGMLQuantizationType.F32


def test_a_piece_that_begins_a_word_gains_the_phantom_space_and_one_inside_loses_its_marks(files, tmp_path):
    target = tmp_path / "made.gguf"

    minilm_gguf.convert(files, target, "f16")

    reader = gguf.GGUFReader(target)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    assert tokens == ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "▁lease", "s", "▁§", "▁end"]
    types = reader.fields["tokenizer.ggml.token_type"].contents()
    assert types == [gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * 4
    assert reader.fields["tokenizer.ggml.bos_token_id"].contents() == VOCABULARY.index("[CLS]")
    assert reader.fields["bert.pooling_type"].contents() == gguf.PoolingType.MEAN


def test_a_model_that_pools_another_way_is_refused(files, tmp_path):
    files["1_Pooling/config.json"].write_text('{"pooling_mode_mean_tokens": false}')

    with pytest.raises(ValueError, match="mean pooling"):
        minilm_gguf.convert(files, tmp_path / "made.gguf", "f16")


def test_a_tensor_without_a_place_is_an_error_and_not_left_out(files, tmp_path):
    _write_safetensors(files["model.safetensors"], {"encoder.layer.0.adapter.weight": np.zeros((2, 2), "f4")})

    with pytest.raises(ValueError, match="no place"):
        minilm_gguf.convert(files, tmp_path / "made.gguf", "f16")


def _tensors() -> dict[str, np.ndarray]:
    shapes = {
        "embeddings.word_embeddings.weight": (PIECES, WIDTH),
        "embeddings.position_embeddings.weight": (PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
        "pooler.dense.weight": (WIDTH, WIDTH),
    }
    square = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
    for part in square:
        shapes[f"encoder.layer.0.{part}.weight"] = (WIDTH, WIDTH)
        shapes[f"encoder.layer.0.{part}.bias"] = (WIDTH,)
    shapes["encoder.layer.0.intermediate.dense.weight"] = (INNER, WIDTH)
    shapes["encoder.layer.0.output.dense.weight"] = (WIDTH, INNER)
    random = np.random.default_rng(1)
    return {name: random.standard_normal(shape).astype("f4") for name, shape in shapes.items()}


def _write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    header, body = {}, b""
    for name, tensor in tensors.items():
        start = len(body)
        body += tensor.tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [start, len(body)]}
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
