"""Tiny GGUF models with random weights, of kinds the bundled ones are not.

They say nothing sensible; they show that the engine works with a running state instead of a KV
cache (mamba) or beside one (lfm2), with a sliding window (gemma2), with another vocabulary and no chat
template (llama).
"""

from pathlib import Path

import gguf
import numpy as np

WIDTH, LAYERS, HEADS, INNER, TRAINED = 64, 2, 2, 128, 256
RANKED = 64  # positions of the one that ranks
LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SPECIAL = [
    ("<unk>", gguf.TokenType.UNKNOWN),
    ("<s>", gguf.TokenType.CONTROL),
    ("</s>", gguf.TokenType.CONTROL),
]


def write(
    path: Path, architecture: str, *, window: int = 0, template: str | None = None, ranks: bool = True
) -> Path:
    """Write a model of `architecture` ("llama", "gemma2", "mamba", "lfm2" or "bert") to `path`.

    "bert" reads a question and a passage and ranks them; `template` is how it wants them together. If
    it does not rank, it gives vectors of texts of at most RANKED tokens.
    """
    if architecture == "bert":
        return _reading(path, template, ranks=ranks)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(TRAINED)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_layer_norm_rms_eps(1e-5)
    tokens = _vocabulary(writer)
    if template is not None:
        writer.add_chat_template(template)
    chance = np.random.default_rng(7)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, chance.standard_normal(shape, dtype=np.float32) * 0.2)

    tensor("token_embd.weight", tokens, WIDTH)
    tensor("token_embd_norm.weight" if architecture == "lfm2" else "output_norm.weight", WIDTH)
    if architecture == "mamba":
        _mamba(writer, tensor)
    elif architecture == "lfm2":
        _hybrid(writer, tensor)
    else:
        _transformer(writer, tensor, window, gemma=architecture == "gemma2")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _reading(path: Path, template: str | None, *, ranks: bool) -> Path:
    """Every layer reads all of the text, and one number comes out (a cross-encoder), or a vector."""
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(RANKED)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_eps(1e-5)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.RANK if ranks else gguf.PoolingType.MEAN)
    if template is not None:
        writer.add_chat_template([{"name": "rerank", "template": template}])
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens = [*words, *(f"▁{letter}" for letter in LETTERS), *LETTERS]
    writer.add_tokenizer_model("bert")
    writer.add_token_list(tokens)
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in words else gguf.TokenType.NORMAL for token in tokens]
    )
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_eos_token_id(3)
    writer.add_sep_token_id(3)
    chance = np.random.default_rng(7)

    def tensor(name: str, *shape: int) -> None:
        writer.add_tensor(name, chance.standard_normal(shape, dtype=np.float32) * 0.2)

    def layer(name: str, *shape: int) -> None:
        tensor(f"{name}.weight", *shape)
        tensor(f"{name}.bias", shape[0])

    tensor("token_embd.weight", len(tokens), WIDTH)
    tensor("token_types.weight", 2, WIDTH)
    tensor("position_embd.weight", RANKED, WIDTH)
    layer("token_embd_norm", WIDTH)
    for number in range(LAYERS):
        block = f"blk.{number}."
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            layer(block + part, WIDTH, WIDTH)
        layer(block + "attn_output_norm", WIDTH)
        layer(block + "ffn_up", INNER, WIDTH)
        layer(block + "ffn_down", WIDTH, INNER)
        layer(block + "layer_output_norm", WIDTH)
    if ranks:
        layer("cls", WIDTH, WIDTH)
        layer("cls.output", 1, WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _vocabulary(writer) -> int:
    entries = [*_SPECIAL, *((f"<0x{byte:02X}>", gguf.TokenType.BYTE) for byte in range(256))]
    entries += [(piece, gguf.TokenType.NORMAL) for piece in ("▁", *LETTERS, "▁the", "th", "he")]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in entries])
    writer.add_token_scores([-float(number) for number in range(len(entries))])
    writer.add_token_types([kind for _, kind in entries])
    writer.add_unk_token_id(0)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(True)
    return len(entries)


def _transformer(writer, tensor, window: int, *, gemma: bool) -> None:
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    if gemma:
        writer.add_key_length(WIDTH // HEADS)
        writer.add_value_length(WIDTH // HEADS)
        writer.add_sliding_window(window)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        tensor(block + "attn_norm.weight", WIDTH)
        for part in "qkv":
            tensor(block + f"attn_{part}.weight", WIDTH, WIDTH)
        tensor(block + "attn_output.weight", WIDTH, WIDTH)
        tensor(block + "ffn_norm.weight", WIDTH)
        tensor(block + "ffn_gate.weight", INNER, WIDTH)
        tensor(block + "ffn_up.weight", INNER, WIDTH)
        tensor(block + "ffn_down.weight", WIDTH, INNER)
        if gemma:
            tensor(block + "post_attention_norm.weight", WIDTH)
            tensor(block + "post_ffw_norm.weight", WIDTH)


def _hybrid(writer, tensor) -> None:
    """Attention in the first layer, a short convolution in the second."""
    kernel = 3
    writer.add_feed_forward_length(INNER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv([HEADS, 0])
    writer.add_shortconv_l_cache(kernel)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        for norm in ("attn_norm", "ffn_norm"):
            tensor(f"{block}{norm}.weight", WIDTH)
        tensor(block + "ffn_gate.weight", INNER, WIDTH)
        tensor(block + "ffn_up.weight", INNER, WIDTH)
        tensor(block + "ffn_down.weight", WIDTH, INNER)
    for part in ("attn_q_norm", "attn_k_norm"):
        tensor(f"blk.0.{part}.weight", WIDTH // HEADS)
    for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
        tensor(f"blk.0.{part}.weight", WIDTH, WIDTH)
    tensor("blk.1.shortconv.conv.weight", WIDTH, kernel)
    tensor("blk.1.shortconv.in_proj.weight", 3 * WIDTH, WIDTH)
    tensor("blk.1.shortconv.out_proj.weight", WIDTH, WIDTH)


def _mamba(writer, tensor) -> None:
    kernel, state, rank = 4, 8, 4
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_ssm_conv_kernel(kernel)
    writer.add_ssm_inner_size(INNER)
    writer.add_ssm_state_size(state)
    writer.add_ssm_time_step_rank(rank)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        tensor(block + "attn_norm.weight", WIDTH)
        tensor(block + "ssm_in.weight", 2 * INNER, WIDTH)
        tensor(block + "ssm_conv1d.weight", INNER, kernel)
        tensor(block + "ssm_conv1d.bias", INNER)
        tensor(block + "ssm_x.weight", rank + 2 * state, INNER)
        tensor(block + "ssm_dt.weight", INNER, rank)
        tensor(block + "ssm_dt.bias", INNER)
        tensor(block + "ssm_a", INNER, state)
        tensor(block + "ssm_d", INNER)
        tensor(block + "ssm_out.weight", WIDTH, INNER)
