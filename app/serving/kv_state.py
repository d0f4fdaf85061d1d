"""What a model remembers of one text, as llama.cpp writes it down, in the other of its two layouts.

With flash attention the values of a token lie side by side, like its keys; without, the values of all
tokens do, number by number (llama_kv_cache::state_write_data). Nothing else differs, not even the size.

    mark, slot, streams, and of the first stream:
        tokens, then of each its position, 1, slot
        layout, layers, then of each layer: type, bytes of a token, keys
        then of each layer
            by tokens: type, bytes of a token (8), values of shape (tokens, numbers)
            or by numbers: type, bytes of a number (4), numbers (4), values of shape (numbers, tokens)
    and of the other streams: 0 tokens
"""

import struct

import numpy as np
from numpy.typing import NDArray

HEAD = struct.Struct("=III")
"""A mark, the slot, and how many streams there are: one of each slot."""

COUNT = struct.Struct("=I")
"""How many tokens a stream holds."""

_CELL = 12  # bytes: position, number of slots, slot
_LAYOUT = struct.Struct("=II")  # 1 where values lie by numbers; how many layers
_TYPE = struct.Struct("=i")
_BY_TOKENS = struct.Struct("=iQ")
_BY_NUMBERS = struct.Struct("=iII")
_NUMBER_BYTES = {0: 4, 1: 2, 30: 2}
"""By type: single, half and brain floats. What is kept in blocks has no layout by numbers."""


def turn(state: memoryview, *, by_numbers: bool) -> bool:
    """Let the values of `state` lie by numbers, or else by tokens, where they lay the other way.

    Returns:
        Whether that is how they lay. If not, `state` is of no use any more.
    """
    try:
        return _turn(state, by_numbers)
    except (struct.error, ValueError, KeyError, OverflowError):  # cut short, or of another llama.cpp
        return False


def _turn(state: memoryview, by_numbers: bool) -> bool:
    _, _, streams = HEAD.unpack_from(state)
    (tokens,) = COUNT.unpack_from(state, HEAD.size)
    at = HEAD.size + COUNT.size + _CELL * tokens
    layout, layers = _LAYOUT.unpack_from(state, at)
    if layout != (not by_numbers):
        return False
    _LAYOUT.pack_into(state, at, by_numbers, layers)
    at += _LAYOUT.size
    for _ in range(layers):
        _, size = _BY_TOKENS.unpack_from(state, at)
        at += _BY_TOKENS.size + tokens * size
    for _ in range(layers):
        (kind,) = _TYPE.unpack_from(state, at)
        number = _NUMBER_BYTES[kind]
        if by_numbers:
            _, size = _BY_TOKENS.unpack_from(state, at)
            numbers = size // number
            shape = (tokens, numbers)
            _BY_NUMBERS.pack_into(state, at, kind, number, numbers)
        else:
            _, _, numbers = _BY_NUMBERS.unpack_from(state, at)
            shape = (numbers, tokens)
            _BY_TOKENS.pack_into(state, at, kind, number * numbers)
        at += _BY_TOKENS.size
        values: NDArray[np.generic] = np.frombuffer(state, f"u{number}", tokens * numbers, at)
        values[:] = values.reshape(shape).T.flatten()
        at += values.nbytes
    return len(state) == at + COUNT.size * (streams - 1) and not any(state[at:])
