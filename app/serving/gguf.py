"""Reading the header of a GGUF file safely, before llama.cpp is trusted with it.

llama.cpp ends the whole process on some files that look valid: no layers or too many, a token
twice in the vocabulary. Those, and everything that is no GGUF at all, are refused here with a
sentence. Numbers in the file are believed only as far as the file is long.
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.errors import ModelFileError

_MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_MOST_ENTRIES = 100_000  # of metadata, or tensors
_MOST_LAYERS = 512  # llama.cpp's LLAMA_MAX_LAYERS
_LONGEST_KEY = 1_024  # bytes; keys in use have about 50
_LONGEST_TENSOR_NAME = 127  # bytes
_MOST_DIMENSIONS = 4

_UINT32, _UINT64 = struct.Struct("<I"), struct.Struct("<Q")
_STRING, _ARRAY = 8, 9
_SCALARS = {
    kind: struct.Struct(form)
    for kind, form in enumerate(
        ("<B", "<b", "<H", "<h", "<I", "<i", "<f", "<?", None, None, "<Q", "<q", "<d")
    )
    if form
}

Scalar = int | float | bool | str


@dataclass(frozen=True, slots=True)
class Header:
    """What a GGUF file says about itself.

    Attributes:
        tensors: how many there are.
        metadata: its single values.
        lists: its lists of numbers that have at most one number a layer; longer ones are not kept.
        vocabulary: tokens it has; 0 where it does not list them.
        weights: bytes of each tensor, by name.
    """

    architecture: str
    tensors: int
    metadata: dict[str, Scalar] = field(repr=False)
    lists: dict[str, tuple[Scalar, ...]] = field(default_factory=dict, repr=False)
    vocabulary: int = 0
    weights: dict[str, int] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str | None:
        return str(found) if (found := self.metadata.get("general.name")) else None

    @property
    def causal(self) -> bool:
        """Whether each token is read without those after it, as by models that write."""
        return bool(self.metadata.get(f"{self.architecture}.attention.causal", True))

    def number(self, key: str) -> int:
        """A whole number the file gives for its architecture; 0 where it gives none."""
        found = self.metadata.get(f"{self.architecture}.{key}")
        return found if isinstance(found, int) else 0


def read_header(path: Path) -> Header:
    """Read and check the header of the model file at `path`.

    Raises:
        ModelFileError: missing, unreadable, not a GGUF model, cut short, or one that would end
            the process; the message is a sentence that says which.
    """
    try:
        if not path.exists():
            raise ModelFileError(f"There is no file at {path}.")
        if not path.is_file():
            raise ModelFileError(f"{path.name} is a folder, not a model file.")
        if path.stat().st_size == 0:
            raise ModelFileError(f"{path.name} is empty (0 bytes).")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return _Reader(view, path.name).header()
    except (OSError, ValueError) as error:
        raise ModelFileError(f"{path.name or path} cannot be read: {error}") from error


class _Reader:
    def __init__(self, view: mmap.mmap, name: str) -> None:
        self._view = view
        self._size = len(view)
        self._at = 0
        self._name = name
        self._lists: dict[str, tuple[Scalar, ...]] = {}
        self._vocabulary = 0

    def header(self) -> Header:
        if self._view[:4] != _MAGIC:
            raise ModelFileError(f"{self._name} is not a GGUF model file.")
        self._at = 4
        version = self._scalar(_UINT32)
        if version not in _VERSIONS:
            raise self._damaged(f"GGUF version {version} is not known")
        tensors, entries = self._scalar(_UINT64), self._scalar(_UINT64)
        if not 0 < tensors <= _MOST_ENTRIES or not 0 < entries <= _MOST_ENTRIES:
            raise self._damaged(f"it claims {tensors:,} tensors and {entries:,} entries")
        metadata: dict[str, Scalar] = {}
        for _ in range(entries):
            key = self._string(_LONGEST_KEY).decode("utf-8", "replace")
            value = self._value(self._scalar(_UINT32), key)
            if key in metadata:
                raise self._damaged(f"{key} is there twice")
            if value is not None:
                metadata[key] = value
        architecture = metadata.get("general.architecture")
        if not isinstance(architecture, str) or not architecture:
            raise self._damaged("it does not name its architecture")
        layers = metadata.get(f"{architecture}.block_count")
        if layers is not None and not (isinstance(layers, int) and 0 < layers <= _MOST_LAYERS):
            raise self._damaged(f"it claims {layers} layers")
        weights = self._weights(tensors, metadata.get("general.alignment", 32))
        return Header(architecture, tensors, metadata, self._lists, self._vocabulary, weights)

    def _weights(self, count: int, alignment: Scalar) -> dict[str, int]:
        """Check the table of tensors; bytes of each: from where it begins to where the next one does."""
        begins: list[tuple[int, str]] = []
        for _ in range(count):
            name = self._string(_LONGEST_TENSOR_NAME).decode("utf-8", "replace")
            dimensions = self._scalar(_UINT32)
            if not 0 < dimensions <= _MOST_DIMENSIONS:
                raise self._damaged(f"a tensor has {dimensions} dimensions")
            elements = 1
            for _ in range(dimensions):
                elements *= self._scalar(_UINT64)
            if not 0 < elements < 2**48:
                raise self._damaged(f"a tensor has {elements:,} numbers")
            self._scalar(_UINT32)  # its type: llama.cpp knows which it can compute with
            begins.append((self._scalar(_UINT64), name))
        if not (isinstance(alignment, int) and 0 < alignment <= 2**16 and alignment & (alignment - 1) == 0):
            raise self._damaged(f"its alignment is {alignment}")
        begin = -(-self._at // alignment) * alignment
        begins.sort()
        last = begins[-1][0]
        if begin + last >= self._size:
            raise ModelFileError(
                f"{self._name} is cut short: its last part begins at byte {begin + last:,},"
                f" and it has {self._size:,}. Was the download interrupted?"
            )
        ends = [*(at for at, _ in begins[1:]), self._size - begin]
        return {name: end - at for (at, name), end in zip(begins, ends, strict=True)}

    def _value(self, kind: int, key: str) -> Scalar | None:
        if kind == _STRING:
            return self._string().decode("utf-8", "replace")
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind != _ARRAY:
            raise self._damaged(f"{key} has a value of unknown kind {kind}")
        inner, count = self._scalar(_UINT32), self._scalar(_UINT64)
        if inner in _SCALARS and count <= _MOST_LAYERS:
            self._lists[key] = tuple(self._scalar(_SCALARS[inner]) for _ in range(count))
        elif inner in _SCALARS:
            self._skip(_SCALARS[inner].size * count)
        elif inner == _STRING and count <= self._size // _UINT64.size:
            self._strings(count, key)
        else:
            raise self._damaged(f"{key} is a list of {count:,} values of kind {inner}")
        return None

    def _strings(self, count: int, key: str) -> None:
        if key != "tokenizer.ggml.tokens":
            for _ in self._spans(count):
                pass
            return
        self._vocabulary = count
        view = self._view
        tokens = {view[begin:end] for begin, end in self._spans(count)}
        if len(tokens) != count:
            raise self._damaged("its vocabulary holds a token twice")

    def _spans(self, count: int) -> Iterator[tuple[int, int]]:
        """Where each of the next `count` strings begins and ends. There may be a million of them."""
        view, last, length_at, size = self._view, self._size, _UINT64.unpack_from, _UINT64.size
        at = self._at
        for _ in range(count):
            begin = at + size
            if begin > last:
                raise self._cut_short()
            at = begin + length_at(view, at)[0]
            if at > last:
                raise self._cut_short()
            yield begin, at
        self._at = at

    def _string(self, longest: int | None = None) -> bytes:
        length = self._scalar(_UINT64)
        if longest is not None and length > longest:
            raise self._damaged(f"a name has {length:,} bytes")
        begin = self._at
        self._skip(length)
        return self._view[begin : self._at]

    def _scalar(self, form: struct.Struct) -> int:
        begin = self._at
        self._skip(form.size)
        value: int = form.unpack_from(self._view, begin)[0]
        return value

    def _skip(self, length: int) -> None:
        if length > self._size - self._at:
            raise self._cut_short()
        self._at += length

    def _cut_short(self) -> ModelFileError:
        return ModelFileError(f"{self._name} is cut short or damaged: its header goes past its end.")

    def _damaged(self, why: str) -> ModelFileError:
        return ModelFileError(f"{self._name} is not a model Carrel can use: {why}.")
