"""The one door to llama.cpp: thin, checked wrappers over its low-level API.

Nothing else imports llama_cpp. Handles are owned by three classes (`NativeModel`,
`NativeContext`, `NativeSampler`) and freed by their `free()`, never by the garbage collector:
the order of `__del__` at interpreter exit crashes. Freeing twice is harmless; using what was
freed raises.

Threads: a context and its samplers belong to one thread. Of a model, `tokenize` and `piece` may
be called from any thread (a lock keeps them apart from `free`).
"""

import ctypes
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import ModelError, ModelFileError
from app.serving.hardware import Device
from app.serving.native_log import LogLines
from app.serving.scheduler import Row
from app.serving.stop_flag import StopFlag

# A backtrace starts a debugger on our own process and hides the reason of an abort.
os.environ.setdefault("GGML_NO_BACKTRACE", "1")
# Libraries are loaded from beside libllama only, never from a place the environment names.
os.environ.pop("GGML_BACKEND_PATH", None)

import llama_cpp.llama_cpp as native  # after the environment it reads
from llama_cpp import __version__ as _binding_version
from llama_cpp._ggml import libggml as _libggml

_GPU_DEVICE_TYPES = (1, 2)  # ggml_backend_dev_type: GPU, integrated GPU
_log_lines = LogLines()
_CONTROL = native.LLAMA_TOKEN_ATTR_CONTROL | native.LLAMA_TOKEN_ATTR_UNKNOWN

OK, NO_SLOT, ABORTED = 0, 1, 2
"""What `NativeContext.decode` returns; negative: refused (-1) or failed (below)."""


def versions() -> dict[str, str]:
    """Versions of llama.cpp, its Python binding, and what the build can do on this processor."""
    _prepare()
    return {
        "llama-cpp-python": _binding_version,
        "llama.cpp": _text(native.llama_version()),
        "llama.cpp system": _text(native.llama_print_system_info()).strip(" |"),
    }


def devices() -> tuple[Device, ...]:
    """Every device this build of llama.cpp can compute on; the CPU is one of them."""
    _prepare()
    pointer, size = ctypes.c_void_p, ctypes.POINTER(ctypes.c_size_t)
    name = _ggml("ggml_backend_dev_name", ctypes.c_char_p, pointer)
    description = _ggml("ggml_backend_dev_description", ctypes.c_char_p, pointer)
    kind = _ggml("ggml_backend_dev_type", ctypes.c_int, pointer)
    memory = _ggml("ggml_backend_dev_memory", None, pointer, size, size)
    device_at = _ggml("ggml_backend_dev_get", pointer, ctypes.c_size_t)
    found = []
    for index in range(_ggml("ggml_backend_dev_count", ctypes.c_size_t)()):
        device, free, total = device_at(index), ctypes.c_size_t(), ctypes.c_size_t()
        memory(device, ctypes.byref(free), ctypes.byref(total))
        is_gpu = kind(device) in _GPU_DEVICE_TYPES
        found.append(Device(_text(name(device)), _text(description(device)), is_gpu, free.value, total.value))
    return tuple(found)


class NativeModel:
    """The weights and the vocabulary of one GGUF file."""

    def __init__(self, path: Path, *, gpu_layers: int = 0) -> None:
        """Map the file into memory. `gpu_layers` -1 puts all layers on the GPU, if there is one.

        Raises:
            ModelFileError: llama.cpp refused the file; the message carries its reason.
        """
        _prepare()
        options = native.llama_model_default_params()
        options.n_gpu_layers = gpu_layers
        with _log_lines.reasons() as reasons:
            self._handle = native.llama_model_load_from_file(os.fsencode(path), options)
        if not self._handle:
            raise ModelFileError(f"{path.name} could not be loaded as a model.{_because(reasons)}")
        self._vocabulary = native.llama_model_get_vocab(self._handle)
        self._lock = threading.Lock()
        self.trained_context: int = native.llama_model_n_ctx_train(self._handle)
        self.parameters: int = native.llama_model_n_params(self._handle)
        self.layers: int = native.llama_model_n_layer(self._handle)
        self.dimension: int = native.llama_model_n_embd_out(self._handle)
        self.width: int = native.llama_model_n_embd(self._handle)
        self.heads: int = native.llama_model_n_head(self._handle)
        self.kv_heads: int = native.llama_model_n_head_kv(self._handle)
        self.window: int = native.llama_model_n_swa(self._handle)  # sliding attention; 0: none
        self.decodes: bool = native.llama_model_has_decoder(self._handle)
        self.encodes: bool = native.llama_model_has_encoder(self._handle)
        self.vocabulary_size: int = native.llama_vocab_n_tokens(self._vocabulary)
        self.bos: int = native.llama_vocab_bos(self._vocabulary)
        self.eos: int = native.llama_vocab_eos(self._vocabulary)
        self.adds_bos: bool = native.llama_vocab_get_add_bos(self._vocabulary)

    @property
    def handle(self) -> Any:
        return _open(self._handle)

    def metadata(self, key: str) -> str | None:
        """A scalar of the file's metadata, as text."""
        size = native.llama_model_meta_val_str(self.handle, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        native.llama_model_meta_val_str(self.handle, key.encode(), buffer, size + 1)
        return _text(buffer.value)

    def chat_template(self) -> str | None:
        """The Jinja template the file carries, if any."""
        return _text(native.llama_model_chat_template(self.handle, None)) or None

    def control_texts(self) -> frozenset[str]:
        """The spelling of every token that means something to the model beyond its letters."""
        with self._open_vocabulary() as vocabulary:
            every = range(self.vocabulary_size)
            control = [it for it in every if native.llama_vocab_get_attr(vocabulary, it) & _CONTROL]
            return frozenset(_text(native.llama_vocab_get_text(vocabulary, it)) for it in control) - {""}

    def suppressed(self) -> tuple[int, ...]:
        """Tokens the file says must never be sampled."""
        count = ctypes.c_int32()
        found = native.llama_vocab_get_suppress_tokens(self._vocabulary, ctypes.byref(count))
        return tuple(found[: count.value]) if found else ()

    def spelling(self, token: int) -> str:
        """How the vocabulary writes a token; empty for one it does not have."""
        if not 0 <= token < self.vocabulary_size:
            return ""
        with self._open_vocabulary() as vocabulary:
            return _text(native.llama_vocab_get_text(vocabulary, token))

    def ends(self, token: int) -> bool:
        """Whether the token ends the model's turn."""
        return bool(native.llama_vocab_is_eog(self._vocabulary, token))

    def tokenize(self, text: bytes, *, framed: bool = False, control: bool = False) -> list[int]:
        """Turn UTF-8 text into tokens.

        Args:
            text: any bytes; NUL is a letter like others.
            framed: add the tokens the model wants around a text (BOS, CLS, SEP).
            control: read spelled-out control tokens as such. Never for text from outside.
        """
        room = len(text) + 16
        with self._open_vocabulary() as vocabulary:
            while True:
                buffer = (native.llama_token * room)()
                count = native.llama_tokenize(vocabulary, text, len(text), buffer, room, framed, control)
                if count >= 0:
                    return list(buffer[:count])
                if -count <= room:
                    raise ModelError("The text is too long for the tokenizer.")
                room = -count

    def piece(self, token: int) -> bytes:
        """The bytes of one token (control tokens have none); may end inside a UTF-8 character."""
        room = 64
        with self._open_vocabulary() as vocabulary:
            while True:
                buffer = ctypes.create_string_buffer(room)
                count = native.llama_token_to_piece(vocabulary, token, buffer, room, 0, False)
                if count >= 0:
                    return buffer.raw[:count]
                room = -count

    def free(self) -> None:
        with self._lock:
            handle, self._handle = self._handle, None
            if handle:
                native.llama_model_free(handle)

    @contextmanager
    def _open_vocabulary(self) -> Iterator[Any]:
        with self._lock:
            _open(self._handle)
            yield self._vocabulary


class NativeContext:
    """The working memory of one model on one thread: KV cache and compute buffers."""

    def __init__(
        self,
        model: NativeModel,
        *,
        length: int,
        batch: int,
        threads: int,
        slots: int = 1,
        stop: StopFlag | None = None,
        pooled: bool = False,
    ) -> None:
        """Allocate the context.

        Args:
            length: positions of all sequences together, in tokens.
            batch: the most tokens one call computes.
            pooled: give one vector a text instead of scores a token (mean, unless the file says).

        Raises:
            ModelError: not enough memory, or the model cannot work like this.
        """
        options = native.llama_context_default_params()
        options.n_ctx = length
        options.n_batch = options.n_ubatch = batch
        options.n_seq_max = slots
        options.n_outputs_max = batch if pooled else slots
        options.n_threads = options.n_threads_batch = threads
        options.no_perf = True
        options.embeddings = pooled
        if pooled:
            options.flash_attn_type = native.LLAMA_FLASH_ATTN_TYPE_ENABLED
            if not _pools(model):
                options.pooling_type = native.LLAMA_POOLING_TYPE_MEAN
        if stop is not None:
            options.abort_callback, options.abort_callback_data = stop.callback, stop.data
        self._stop = stop  # llama.cpp holds its address: it must live as long as the context
        with _log_lines.reasons() as reasons:
            self._handle = native.llama_init_from_model(model.handle, options)
        if not self._handle:
            raise ModelError(f"A context of {length:,} tokens could not be made.{_because(reasons)}")
        self._dimension, self._window = model.dimension, model.window
        self._memory = native.llama_get_memory(self._handle)
        self._batch, self._batch_size = native.llama_batch_init(batch, 0, 1), batch
        self.length: int = min(length, native.llama_n_ctx_seq(self._handle))
        self.remembers = bool(self._memory)  # False: the model reads whole texts only

    @property
    def handle(self) -> Any:
        return _open(self._handle)

    def decode(self, rows: Sequence[Row]) -> int:
        """Compute one batch; releases the interpreter lock meanwhile.

        Args:
            rows: in ascending order of slot (anything else is slow), one a slot.

        Returns:
            OK, NO_SLOT, ABORTED, or a negative number. Only OK leaves every row in memory; after
            the others call `truncate` for each slot.
        """
        self._fill(rows)
        return int(native.llama_decode(self.handle, self._batch))

    def embed(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """The pooled vector of one text, shape (dimension,), not normalised.

        Raises:
            ModelError: llama.cpp refused the batch.
        """
        self.clear()
        self._fill((Row(0, 0, tokens, True),), every_output=True)
        compute = native.llama_decode if self._memory else native.llama_encode
        code = compute(self.handle, self._batch)
        if code != OK:
            raise ModelError(f"The embedding model refused a text of {len(tokens)} tokens ({code}).")
        vector = native.llama_get_embeddings_seq(self.handle, 0)
        if not vector:
            raise ModelError("The embedding model gave no vector.")
        return np.ctypeslib.as_array(vector, (self._dimension,)).astype(np.float32, copy=True)

    def truncate(self, slot: int, length: int) -> int:
        """Forget what `slot` holds from position `length` on; return the length that was kept.

        Models with a running state or a sliding window cannot always go back: then all of the
        slot is forgotten and 0 returned.
        """
        if length > 0:
            first = native.llama_memory_seq_pos_min(self._memory, slot)
            in_reach = not self._window or first <= max(0, length - self._window)
            if in_reach and native.llama_memory_seq_rm(self._memory, slot, length, -1):
                return length
        native.llama_memory_seq_rm(self._memory, slot, -1, -1)
        return 0

    def clear(self) -> None:
        """Forget everything, where there is anything to forget."""
        if self._memory:
            native.llama_memory_clear(self._memory, False)

    def free(self) -> None:
        handle, self._handle = self._handle, None
        if handle:
            native.llama_batch_free(self._batch)
            native.llama_free(handle)

    def _fill(self, rows: Sequence[Row], *, every_output: bool = False) -> None:
        total = sum(len(row.tokens) for row in rows)
        # llama.cpp asserts on both, which would end the process.
        if not 0 < total <= self._batch_size:
            raise ModelError(f"A batch of {total} tokens does not fit in {self._batch_size}.")
        batch, index = self._batch, 0
        for row in rows:
            for offset, token in enumerate(row.tokens):
                batch.token[index] = token
                batch.pos[index] = row.start + offset
                batch.n_seq_id[index] = 1
                batch.seq_id[index][0] = row.slot
                batch.logits[index] = every_output
                index += 1
            batch.logits[index - 1] = row.output
        batch.n_tokens = total


class NativeSampler:
    """A chain of llama.cpp's samplers. Remembers the tokens it chose (for penalties)."""

    def __init__(self) -> None:
        self._handle = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())

    def forbid(self, tokens: Sequence[int], vocabulary: int) -> None:
        biases = (native.llama_logit_bias * len(tokens))()
        for bias, token in zip(biases, tokens, strict=True):
            bias.token, bias.bias = token, float("-inf")
        self._add(native.llama_sampler_init_logit_bias(vocabulary, len(tokens), biases))

    def penalize(
        self, vocabulary: int, window: int, repeat: float, frequency: float, presence: float
    ) -> None:
        self._add(native.llama_sampler_init_penalties(vocabulary, window, repeat, frequency, presence))

    def narrow(self, top_k: int, top_p: float, min_p: float) -> None:
        self._add(native.llama_sampler_init_top_k(top_k))
        self._add(native.llama_sampler_init_top_p(top_p, 1))
        self._add(native.llama_sampler_init_min_p(min_p, 1))

    def draw(self, temperature: float, seed: int) -> None:
        self._add(native.llama_sampler_init_temp(temperature))
        self._add(native.llama_sampler_init_dist(seed))

    def take_likeliest(self) -> None:
        self._add(native.llama_sampler_init_greedy())

    def sample(self, context: NativeContext, index: int) -> int:
        """Choose a token from the scores of batch position `index`, and remember it."""
        return int(native.llama_sampler_sample(_open(self._handle), context.handle, index))

    def free(self) -> None:
        handle, self._handle = self._handle, None
        if handle:
            native.llama_sampler_free(handle)

    def _add(self, part: Any) -> None:
        native.llama_sampler_chain_add(self._handle, part)


def _pools(model: NativeModel) -> bool:
    declared = model.metadata(f"{model.metadata('general.architecture')}.pooling_type")
    return declared is not None and declared not in ("0", "-1")


def _open(handle: Any) -> Any:
    if not handle:  # a null handle would end the process
        raise ModelError("The model was closed.")
    return handle


def _because(reasons: Sequence[str]) -> str:
    return f" llama.cpp says: {reasons[0]}" if reasons else ""


def _text(raw: bytes | None) -> str:
    return raw.decode("utf-8", "replace") if raw else ""


def _ggml(name: str, returns: Any, *takes: Any) -> Any:
    function = _libggml[name]  # a fresh object each time: no other module's types are touched
    function.restype, function.argtypes = returns, list(takes)
    return function


_prepared = threading.Lock()
_is_prepared = False


@native.llama_log_callback  # type: ignore[untyped-decorator]
def _on_log(level: int, text: bytes | None, _data: object) -> None:
    _log_lines.take(level, _text(text))


def _prepare() -> None:
    """Once, before anything native: our log callback, then the backends."""
    global _is_prepared  # noqa: PLW0603 - the native library's state is one per process, too
    with _prepared:
        if not _is_prepared:
            native.llama_log_set(_on_log, ctypes.c_void_p(0))
            native.llama_backend_init()
            _is_prepared = True
