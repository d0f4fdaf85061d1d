"""What a model takes of a machine's memory, told from its file's header alone.

The formulas are llama.cpp's (llama-hparams.cpp, llama-kv-cache.cpp). What a header leaves out, or
says in a way that makes no sense, is taken to be the most it can be: a model is rather given less
of a context than more than there is room for.
"""

import re
from dataclasses import dataclass
from typing import Literal

from app.serving.drafting import MOST
from app.serving.gguf import Header, Scalar

KvType = Literal["f16", "q8_0"]
"""How keys and values are kept: in half precision, or in 8 bits, which loses hardly anything."""

STEP = 256
"""Positions by which llama.cpp rounds a context up."""

_KV_BYTES: dict[KvType, tuple[int, int]] = {"f16": (2, 1), "q8_0": (34, 32)}  # bytes, of so many numbers
_SMALLEST_HEAD = 64
_STATE_BYTES = 4  # running states are kept in single precision
_LAYER = re.compile(r"blk\.(\d{1,3})\.")
_UNKNOWN_VOCABULARY = 262_144  # tokens; the largest in use
# Numbers a token of a batch has in the compute buffers at a time, as measured: some of the model's
# width, some of its feed-forward's.
_OF_WIDTH, _OF_FEED_FORWARD, _FLOAT_BYTES = 8, 3, 4
_SCORED = 16  # by which the tokens of a step that have scores are counted: see `outputs`
_UNLUCKY = 4_096  # positions: see `positions`
_MASK_BYTES = 2  # of each token of a batch, for each position of the context, with flash attention


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. `weights` and `state` in bytes, `kept` in numbers.

    `kept`: of keys and values, for each position of a context. `state`: of each slot, however long.
    """

    weights: int
    kept: int
    state: int = 0

    def context(self, kv: KvType, *, length: int, slots: int) -> int:
        """Bytes of `slots` contexts of `length` tokens."""
        size, numbers = _KV_BYTES[kv]
        return slots * (-(-self.kept * length * size // numbers) + self.state)


@dataclass(frozen=True, slots=True)
class Footprint:
    """What one model takes, in bytes.

    Attributes:
        name: for sentences.
        layers: in order.
        entrance: weights that stay in main memory wherever the layers are.
        exit: weights that are where the last layer is.
        shared: of `exit`, what is the entrance's and takes nothing where both are in main memory.
        trained: tokens of the longest text it was trained on; 0: not said.
        width, feed_forward: numbers of a token inside it.
        heads: of attention in a layer.
        vocabulary: tokens.
    """

    name: str
    layers: tuple[Layer, ...]
    entrance: int
    exit: int
    shared: int
    trained: int
    width: int
    feed_forward: int
    heads: int
    vocabulary: int

    def computing(self, *, batch: int, length: int, slots: int, flash: bool) -> int:
        """Bytes of the buffers in which a batch is computed, on each device that takes part.

        Args:
            flash: with flash attention; else the weights of every position lie there for all heads.
        """
        token = _FLOAT_BYTES * (_OF_WIDTH * self.width + _OF_FEED_FORWARD * self.feed_forward)
        scores = _FLOAT_BYTES * outputs(slots, MOST) * self.vocabulary
        position = _MASK_BYTES if flash else _FLOAT_BYTES * (self.heads + 1)
        return batch * (token + position * length) + scores


def outputs(slots: int, drafts: int) -> int:
    """Tokens of a step that may have scores: the next one of each answer, and guesses, rounded up.

    llama.cpp puts what it computes behind a list of them, of 4 bytes each. If that does not end with
    a line of the processor's cache (64 bytes), every wide read of what follows touches two of them:
    prompts were read 9 % more slowly with 8 and 24 outputs than with 16, 32, 64 and 256 (AVX-512).
    """
    return -(-(slots + drafts) // _SCORED) * _SCORED


def positions(length: int, *, flash: bool) -> int:
    """How many positions a slot of `length` tokens is given: llama.cpp rounds them up.

    Without flash attention the values of all positions lie row by row. Rows that begin a multiple of
    8 KiB apart want the same few lines of the processor's cache: prompts were read 7 % more slowly
    in 8,192 positions than in 7,936 or 8,448. So there is a step more of them then.
    """
    rounded = -(-length // STEP) * STEP
    return rounded + STEP if not flash and rounded % _UNLUCKY == 0 else rounded


def of(header: Header, name: str) -> Footprint:
    """What the model with this header takes. `name` is for sentences."""
    count = max(1, header.number("block_count"))
    weights, entrance, exit_ = _weights(header, count)
    # A file without an output of its own has the embedding of its tokens at both ends.
    shared = 0 if "output.weight" in header.weights else header.weights.get("token_embd.weight", 0)
    kept, state = _kept(header, count), _state(header)
    return Footprint(
        name=name,
        layers=tuple(Layer(*layer, state) for layer in zip(weights, kept, strict=True)),
        entrance=entrance,
        exit=exit_ + shared,
        shared=shared,
        trained=max(0, header.number("context_length")),
        width=_most(header, "embedding_length"),
        feed_forward=_most(header, "feed_forward_length"),
        heads=_most(header, "attention.head_count")
        or -(-_most(header, "embedding_length") // _SMALLEST_HEAD),
        vocabulary=header.vocabulary or _UNKNOWN_VOCABULARY,
    )


def _weights(header: Header, count: int) -> tuple[list[int], int, int]:
    """Bytes of each layer's weights; of those that stay in main memory; of those at the end."""
    layers, entrance, exit_ = [0] * count, 0, 0
    for tensor, size in header.weights.items():
        layer = _LAYER.match(tensor)
        if layer and int(layer[1]) < count:
            layers[int(layer[1])] += size
        elif tensor.startswith(("token_", "per_layer_token_", "position_")):
            entrance += size
        else:
            exit_ += size
    return layers, entrance, exit_


def _kept(header: Header, count: int) -> list[int]:
    """Numbers each layer keeps of a position: keys and values of all its heads for them."""
    width = _most(header, "embedding_length")
    heads = _each(header, "attention.head_count", count)
    kv_heads = _each(header, "attention.head_count_kv", count) or heads
    if kv_heads is None:
        return [2 * width] * count
    keys = _most(header, "attention.key_length", "attention.key_length_swa")
    values = _most(header, "attention.value_length", "attention.value_length_swa")
    shared = [number for number in heads or [] if number > 0]
    usual = -(-width // min(shared)) if shared else width
    each = (keys or usual) + (values or usual)
    return [number * each * it for number, it in zip(kv_heads, _attends(header, count), strict=True)]


def _attends(header: Header, count: int) -> list[bool]:
    """Which layers have keys and values at all; the others of such a model have a running state."""
    running = _each(header, "attention.recurrent_layers", count)
    if running is not None:
        return [not it for it in running]
    every = header.number("full_attention_interval")
    return [every <= 1 or (at + 1) % every == 0 for at in range(count)]


def _state(header: Header) -> int:
    """Bytes of the running state of a slot in one layer; all layers are taken to have one."""
    width = _most(header, "embedding_length")
    wkv = _most(header, "wkv.head_size")
    kernel, inner, state, groups = (
        _most(header, f"ssm.{key}") for key in ("conv_kernel", "inner_size", "state_size", "group_count")
    )
    numbers = wkv * width + 2 * width * bool(wkv)
    numbers += width * max(0, _most(header, "shortconv.l_cache") - 1)
    numbers += max(0, kernel - 1) * (inner + 2 * groups * state) + state * inner
    head, heads = _most(header, "kda.head_dim"), _most(header, "attention.head_count")
    numbers += head * heads * (head + 3 * max(3, kernel - 1))
    return _STATE_BYTES * numbers


def _each(header: Header, key: str, count: int) -> list[int] | None:
    """A whole number for each layer; None where the header gives none that makes sense."""
    name = f"{header.architecture}.{key}"
    if name in header.lists:
        found = header.lists[name]
        if not found or not all(map(_sensible, found)):
            return None
        numbers = [int(number) for number in found]
        return (numbers + [max(numbers)] * count)[:count]
    single = header.metadata.get(name)
    return [int(single)] * count if single is not None and _sensible(single) else None


def _most(header: Header, *keys: str) -> int:
    """The largest number the header gives under any of `keys`; 0 where it gives none."""
    return max((number for key in keys for number in _each(header, key, 1_024) or ()), default=0)


def _sensible(number: Scalar) -> bool:
    return isinstance(number, int) and number >= 0
