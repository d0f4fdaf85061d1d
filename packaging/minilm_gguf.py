"""Converts all-MiniLM-L6-v2 from safetensors to GGUF (architecture bert, mean pooling).

Follows what llama.cpp's own converter does for BertModel, so that its WordPiece tokenizer and its
graph find what they expect: see `convert` for the conventions.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import gguf
import numpy as np
from numpy.typing import NDArray

Precision = Literal["f16", "bf16", "q8_0"]
"""How matrices are kept."""

# Of the model folder in the wheel, what the conversion reads.
FILES = (
    "config.json",
    "vocab.txt",
    "special_tokens_map.json",
    "model.safetensors",
    "1_Pooling/config.json",
)

_BLOCK_TENSORS = {
    "attention.self.query": "attn_q",
    "attention.self.key": "attn_k",
    "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output",
    "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up",
    "output.dense": "ffn_down",
    "output.LayerNorm": "layer_output_norm",
}
_OUTER_TENSORS = {
    "embeddings.word_embeddings.weight": "token_embd.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
    "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.LayerNorm.bias": "token_embd_norm.bias",
}
# Rows of these are added, not multiplied: llama.cpp keeps them in f32.
_ALWAYS_F32 = ("position_embd.weight", "token_types.weight")
# Of all matrices in 8 bits the values of attention lose most: with them in f16 the least alike of 400
# vectors has a cosine of 0.9993 with the exact one, without 0.9988.
_NEVER_8_BITS = "attn_v.weight"
_LEFT_OUT = ("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias")
_PHANTOM_SPACE = "\u2581"


def convert(files: dict[str, Path], target: Path, precision: Precision) -> None:
    """Write `target` from the model's `files` (the names of FILES).

    Vocabulary: a piece that continues a word loses its "##", one that begins a word gains U+2581 in
    front, special tokens stay as they are. Tensors of one dimension stay f32.

    Raises:
        ValueError: the files are not those of a BERT with mean pooling.
    """
    config = json.loads(files["config.json"].read_text("utf-8"))
    pooling = json.loads(files["1_Pooling/config.json"].read_text("utf-8"))
    if config["model_type"] != "bert" or not pooling["pooling_mode_mean_tokens"]:
        raise ValueError("This is not a BERT model with mean pooling.")
    writer = gguf.GGUFWriter(str(target), "bert")
    _describe(writer, config, precision)
    _vocabulary(writer, files)
    for name, tensor in _tensors(files["model.safetensors"]):
        if tensor.ndim == 1 or name in _ALWAYS_F32:
            writer.add_tensor(name, tensor)
            continue
        kept = "f16" if precision == "q8_0" and name.endswith(_NEVER_8_BITS) else precision
        if kept == "f16":
            writer.add_tensor(name, tensor.astype(np.float16))
        else:
            kind = gguf.GGMLQuantizationType[kept.upper()]
            writer.add_tensor(name, gguf.quants.quantize(tensor, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _describe(writer: gguf.GGUFWriter, config: dict[str, int], precision: str) -> None:
    writer.add_name("all-MiniLM-L6-v2")
    writer.add_license("apache-2.0")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config["layer_norm_eps"])
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.MEAN)
    writer.add_token_type_count(config["type_vocab_size"])
    types = gguf.LlamaFileType
    writer.add_file_type(types[f"MOSTLY_{precision.upper()}"])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def _vocabulary(writer: gguf.GGUFWriter, files: dict[str, Path]) -> None:
    pieces = files["vocab.txt"].read_text("utf-8").removesuffix("\n").split("\n")
    special = json.loads(files["special_tokens_map.json"].read_text("utf-8"))
    control = {special[f"{role}_token"] for role in ("unk", "sep", "pad", "cls", "mask")}
    tokens, types = [], []
    for piece in pieces:
        if piece in control:
            tokens.append(piece)
            types.append(gguf.TokenType.CONTROL)
            continue
        tokens.append(piece[2:] if piece.startswith("##") else _PHANTOM_SPACE + piece)
        types.append(gguf.TokenType.NORMAL)
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("bert-bge")
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    place = {piece: index for index, piece in enumerate(pieces)}
    writer.add_unk_token_id(place[special["unk_token"]])
    writer.add_sep_token_id(place[special["sep_token"]])
    writer.add_pad_token_id(place[special["pad_token"]])
    writer.add_bos_token_id(place[special["cls_token"]])
    writer.add_mask_token_id(place[special["mask_token"]])


def _tensors(path: Path) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Every tensor that is needed, under its GGUF name."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    header_length = int.from_bytes(bytes(data[:8]), "little")
    header = json.loads(bytes(data[8 : 8 + header_length]))
    body = data[8 + header_length :]
    for name, entry in header.items():
        if name == "__metadata__" or name in _LEFT_OUT:
            continue
        if entry["dtype"] != "F32":
            raise ValueError(f"{name} is stored as {entry['dtype']}, not as F32.")
        start, end = entry["data_offsets"]
        yield _gguf_name(name), np.array(body[start:end].view(np.float32).reshape(entry["shape"]))


def _gguf_name(name: str) -> str:
    if name in _OUTER_TENSORS:
        return _OUTER_TENSORS[name]
    encoder, layer, index, rest = name.split(".", 3)
    part, _, kind = rest.rpartition(".")
    if (encoder, layer) != ("encoder", "layer") or part not in _BLOCK_TENSORS:
        raise ValueError(f"There is no place for the tensor {name}.")
    return f"blk.{index}.{_BLOCK_TENSORS[part]}.{kind}"
