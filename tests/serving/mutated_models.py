"""Broken GGUF files, made from whole ones: each is reproducible from its seed.

A mutation knows the format: it changes a number of the header, a token of the vocabulary, a line
of the tensor table, or cuts the file; or it knows nothing and writes random bytes. What it breaks
is what converters, editors, broken downloads and malice break.
"""

import random
import struct
from dataclasses import dataclass, field

_FORMS = "BbHhIif?__Qqd"  # of struct, by the format's number for a kind of value
_SCALARS = {kind: "<" + form for kind, form in enumerate(_FORMS) if form != "_"}
_STRING, _ARRAY = 8, 9
_WHOLE = (0, 1, 2, 3, 7, 64, 255, 512, 513, 65_535, 10**6, 2**31 - 1, 2**31, 2**32 - 1, 2**63, 2**64 - 1)
_REAL = (0.0, -1.0, 1e-30, 1e30, float("inf"), float("-inf"), float("nan"))
_TENSOR_TYPES = 45  # a few more than ggml knows
_ALIGNMENT = 32


@dataclass(frozen=True)
class _Entry:
    key: str
    kind: int
    kind_at: int
    value_at: int
    end: int


@dataclass(frozen=True)
class _Tensor:
    name_at: int  # of the length before the name
    dimensions_at: int
    dimensions: int
    type_at: int
    end: int


@dataclass
class _Layout:
    entries: list[_Entry] = field(default_factory=list)
    tensors: list[_Tensor] = field(default_factory=list)
    end: int = 0

    def entry(self, key: str) -> _Entry:
        return next(entry for entry in self.entries if entry.key == key)


def mutated(whole: bytes, seed: int) -> bytes:
    """A broken copy of the GGUF file `whole`; the same one for the same seed."""
    chance = random.Random(seed)
    kind = chance.choice(_KINDS)
    data = whole
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        try:
            data = kind(chance, data)
        except (struct.error, IndexError, StopIteration, ValueError, OverflowError):
            break  # the mutation before has left nothing to read
    return data


def _number(chance: random.Random, data: bytes) -> bytes:
    """A number of the metadata has another value."""
    entry = chance.choice([entry for entry in _read(data).entries if entry.kind in _SCALARS])
    return _patch(data, entry.value_at, _value(chance, entry.kind))


def _kind(chance: random.Random, data: bytes) -> bytes:
    """A value of the metadata has another type, and often another length by that."""
    entry = chance.choice(_read(data).entries)
    kind = chance.choice((*_SCALARS, _STRING, _ARRAY, 13, 99))
    value = _value(chance, kind) if kind in _SCALARS else data[entry.value_at : entry.end]
    return _splice(data, entry.kind_at, entry.end, struct.pack("<I", kind) + value)


def _missing(chance: random.Random, data: bytes) -> bytes:
    """An entry of the metadata has another name, so the one that is looked for is missing."""
    entry = chance.choice(_read(data).entries)
    at = entry.kind_at - 1 - chance.randrange(min(8, len(entry.key)))
    return _patch(data, at, bytes((chance.randrange(97, 123),)))


def _text(chance: random.Random, data: bytes) -> bytes:
    """A text of the metadata is another: empty, long, not UTF-8, or of another model."""
    entry = chance.choice([entry for entry in _read(data).entries if entry.kind == _STRING])
    text = chance.choice(
        (b"", b"\xff\xfe", b"x" * 5_000, b"gpt2", b"bert", b"t5", b"rwkv", b"none", b"qwen2")
    )
    return _splice(data, entry.value_at, entry.end, struct.pack("<Q", len(text)) + text)


def _vocabulary(chance: random.Random, data: bytes) -> bytes:
    """A token is there twice, empty, not UTF-8, or no longer the byte it stands for."""
    tokens = _strings(data, _read(data).entry("tokenizer.ggml.tokens"))
    at = chance.randrange(len(tokens))
    tokens[at] = chance.choice(
        (tokens[chance.randrange(len(tokens))], b"", b"\xff\xc3", b"<0xZZ>", b"<0x", b"\0", b"a" * 9_000)
    )
    return _with_tokens(data, tokens)


def _vocabulary_length(chance: random.Random, data: bytes) -> bytes:
    """The vocabulary is shorter or longer than the tensors, scores and types that belong to it."""
    tokens = _strings(data, _read(data).entry("tokenizer.ggml.tokens"))
    length = chance.choice((0, 1, len(tokens) // 2, len(tokens) - 1))
    more = [b"more %d" % number for number in range(chance.choice((0, 0, 1, 100)))]
    return _with_tokens(data, tokens[:length] + more)


def _list(chance: random.Random, data: bytes) -> bytes:
    """A list of the metadata has another kind, another length, or another value in it."""
    entry = chance.choice([entry for entry in _read(data).entries if entry.kind == _ARRAY])
    how = chance.randrange(3)
    if how == 0:
        return _patch(data, entry.value_at, struct.pack("<I", chance.randrange(14)))
    if how == 1:
        return _patch(data, entry.value_at + 4, struct.pack("<Q", chance.choice(_WHOLE)))
    at = entry.value_at + 12 + chance.randrange(max(1, entry.end - entry.value_at - 16))
    return _patch(data, at, chance.randbytes(4))


def _shape(chance: random.Random, data: bytes) -> bytes:
    """A tensor has another number of rows or columns."""
    tensor = chance.choice(_read(data).tensors)
    at = tensor.dimensions_at + 4 + 8 * chance.randrange(tensor.dimensions)
    (size,) = struct.unpack_from("<Q", data, at)
    other = chance.choice((0, 1, size - 1, size + 1, size * 2, *_WHOLE[5:]))
    return _patch(data, at, struct.pack("<Q", other))


def _dimensions(chance: random.Random, data: bytes) -> bytes:
    """A tensor has another number of dimensions; the table after it is read askew."""
    tensor = chance.choice(_read(data).tensors)
    return _patch(data, tensor.dimensions_at, struct.pack("<I", chance.choice((0, 1, 2, 3, 4, 5, 2**31))))


def _tensor_type(chance: random.Random, data: bytes) -> bytes:
    """A tensor has another type of numbers, known or not."""
    tensor = chance.choice(_read(data).tensors)
    kind = chance.choice((chance.randrange(_TENSOR_TYPES), 2**31))
    return _patch(data, tensor.type_at, struct.pack("<I", kind))


def _offset(chance: random.Random, data: bytes) -> bytes:
    """A tensor begins elsewhere: inside another, between two, past the end."""
    tensor = chance.choice(_read(data).tensors)
    (offset,) = struct.unpack_from("<Q", data, tensor.type_at + 4)
    to = chance.choice(
        (0, 1, offset + 1, offset + 32, max(0, offset - 32), len(data) - 64, 2**40, 2**64 - 32)
    )
    return _patch(data, tensor.type_at + 4, struct.pack("<Q", to))


def _name(chance: random.Random, data: bytes) -> bytes:
    """A tensor has the name of another, or one that nothing asks for."""
    tensors = _read(data).tensors
    tensor, other = chance.choice(tensors), chance.choice(tensors)
    twice, unknown, empty = data[other.name_at : other.dimensions_at], b"\1" + b"\0" * 7 + b"x", b"\0" * 8
    return _splice(data, tensor.name_at, tensor.dimensions_at, chance.choice((twice, unknown, empty)))


def _counts(chance: random.Random, data: bytes) -> bytes:
    """The file claims another version, or more or fewer tensors and entries than it has."""
    at, form = chance.choice(((4, "<I"), (8, "<Q"), (16, "<Q")))
    (count,) = struct.unpack_from(form, data, at)
    bits = 8 * struct.calcsize(form)
    return _patch(data, at, struct.pack(form, chance.choice((count - 1, count + 1, *_WHOLE)) % 2**bits))


def _cut(chance: random.Random, data: bytes) -> bytes:
    """The download was interrupted."""
    end = _read(data).end
    return data[: chance.choice((chance.randrange(end), chance.randrange(end, len(data)), len(data) - 1))]


def _noise(chance: random.Random, data: bytes) -> bytes:
    """Some bytes of the header are others."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 4, 40))):
        changed[chance.randrange(_read(data).end)] = chance.choice((0, 1, 127, 255, chance.randrange(256)))
    return bytes(changed)


def _weights(chance: random.Random, data: bytes) -> bytes:
    """Some of the weights are others, or no numbers at all."""
    at = chance.randrange(_read(data).end, len(data))
    length = min(chance.choice((4, 4_000)), len(data) - at)
    return _patch(data, at, chance.choice((b"\xff", b"\0", chance.randbytes(1))) * length)


_KINDS = (
    _number,
    _number,
    _number,
    _kind,
    _missing,
    _text,
    _vocabulary,
    _vocabulary,
    _vocabulary_length,
    _list,
    _shape,
    _shape,
    _dimensions,
    _tensor_type,
    _offset,
    _name,
    _counts,
    _cut,
    _noise,
    _noise,
    _weights,
)


def _value(chance: random.Random, kind: int) -> bytes:
    form = _SCALARS[kind]
    if form in ("<f", "<d"):
        return struct.pack(form, chance.choice(_REAL))
    size = struct.calcsize(form)
    return (chance.choice(_WHOLE) % 2 ** (8 * size)).to_bytes(size, "little")


def _read(data: bytes) -> _Layout:
    layout, at = _Layout(), 24
    tensors, entries = struct.unpack_from("<QQ", data, 8)
    for _ in range(entries):
        (length,) = struct.unpack_from("<Q", data, at)
        key = data[at + 8 : at + 8 + length].decode("utf-8", "replace")
        kind_at = at + 8 + length
        (kind,) = struct.unpack_from("<I", data, kind_at)
        at = _end(data, kind, kind_at + 4)
        layout.entries.append(_Entry(key, kind, kind_at, kind_at + 4, at))
    for _ in range(tensors):
        (length,) = struct.unpack_from("<Q", data, at)
        dimensions_at = at + 8 + length
        (dimensions,) = struct.unpack_from("<I", data, dimensions_at)
        type_at = dimensions_at + 4 + 8 * dimensions
        layout.tensors.append(_Tensor(at, dimensions_at, dimensions, type_at, type_at + 12))
        at = type_at + 12
        if at > len(data):
            raise ValueError("the table goes past the end")
    layout.end = at
    return layout


def _end(data: bytes, kind: int, at: int) -> int:
    if kind in _SCALARS:
        return at + struct.calcsize(_SCALARS[kind])
    if kind == _STRING:
        return at + 8 + struct.unpack_from("<Q", data, at)[0]
    if kind != _ARRAY:
        raise ValueError("no such kind")
    inner, count = struct.unpack_from("<IQ", data, at)
    at += 12
    if inner in _SCALARS:
        return at + struct.calcsize(_SCALARS[inner]) * count
    for _ in range(count):
        at += 8 + struct.unpack_from("<Q", data, at)[0]
    return at


def _strings(data: bytes, entry: _Entry) -> list[bytes]:
    (count,) = struct.unpack_from("<Q", data, entry.value_at + 4)
    found, at = [], entry.value_at + 12
    for _ in range(count):
        (length,) = struct.unpack_from("<Q", data, at)
        found.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    return found


def _with_tokens(data: bytes, tokens: list[bytes]) -> bytes:
    entry = _read(data).entry("tokenizer.ggml.tokens")
    packed = b"".join(struct.pack("<Q", len(token)) + token for token in tokens)
    return _splice(data, entry.value_at, entry.end, struct.pack("<IQ", _STRING, len(tokens)) + packed)


def _patch(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _splice(data: bytes, begin: int, end: int, new: bytes) -> bytes:
    """Put `new` in the place of a part of the header; the weights stay aligned."""
    old_end = _read(data).end
    header = data[:begin] + new + data[end:old_end]
    return header + b"\0" * (-len(header) % _ALIGNMENT) + data[-(-old_end // _ALIGNMENT) * _ALIGNMENT :]
