"""The weights and the vocabulary of one GGUF file."""

import ctypes
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from app.errors import ModelError, ModelFileError
from app.serving import llama
from app.serving.constraints.vocabulary import Vocabulary
from app.serving.llama import native

_NO_DEVICES = (ctypes.c_void_p * 1)(None)  # a list that ends at once
_CONTROL = native.LLAMA_TOKEN_ATTR_CONTROL | native.LLAMA_TOKEN_ATTR_UNKNOWN


class NativeModel:
    """The weights and the vocabulary of one GGUF file."""

    def __init__(self, path: Path, *, gpu_layers: int = 0, tiles: bool = False) -> None:
        """Map the file into memory.

        Args:
            tiles: where the processor has them (`llama.has_tiles`), hold the weights once more, laid
                out for them. Elsewhere they are laid out for what there is.
            gpu_layers: how many go to the GPU, if there is one; the weights behind the last are one
                more. 0: no GPU is so much as touched, so that one that does not work is in no way.

        Raises:
            ModelFileError: llama.cpp refused the file; the message carries its reason.
        """
        llama.prepare()
        options = native.llama_model_default_params()
        options.n_gpu_layers = gpu_layers
        options.use_extra_bufts = tiles or not llama.has_tiles()
        if gpu_layers == 0:
            options.devices = ctypes.cast(_NO_DEVICES, ctypes.c_void_p)
        with llama.log_lines.reasons() as reasons:
            self._handle = native.llama_model_load_from_file(os.fsencode(path), options)
        if not self._handle:
            raise ModelFileError(f"{path.name} could not be loaded as a model.{llama.because(reasons)}")
        self._vocabulary = native.llama_model_get_vocab(self._handle)
        self._lock = threading.Lock()
        self._pieces: dict[int, bytes] = {}  # of the tokens that came up
        self._ends: dict[int, bool] = {}  # likewise
        self.trained_context: int = native.llama_model_n_ctx_train(self._handle)
        self.parameters: int = native.llama_model_n_params(self._handle)
        self.layers: int = native.llama_model_n_layer(self._handle)
        self.dimension: int = native.llama_model_n_embd_out(self._handle)
        self.verdicts: int = native.llama_model_n_cls_out(self._handle)  # numbers of a ranking
        self.width: int = native.llama_model_n_embd(self._handle)
        self.heads: int = native.llama_model_n_head(self._handle)
        self.kv_heads: int = native.llama_model_n_head_kv(self._handle)
        self.window: int = native.llama_model_n_swa(self._handle)  # sliding attention; 0: none
        self.decodes: bool = native.llama_model_has_decoder(self._handle)
        self.encodes: bool = native.llama_model_has_encoder(self._handle)
        self.has_running_state: bool = native.llama_model_is_recurrent(
            self._handle
        ) or native.llama_model_is_hybrid(self._handle)
        # A running state is never cut; behind a sliding window the tokens before it may be gone.
        self.can_be_cut: bool = not self.has_running_state and not self.window
        self.vocabulary_size: int = native.llama_vocab_n_tokens(self._vocabulary)
        self.bos: int = native.llama_vocab_bos(self._vocabulary)
        self.eos: int = native.llama_vocab_eos(self._vocabulary)
        self.sep: int = native.llama_vocab_sep(self._vocabulary)
        self.adds_eos: bool = native.llama_vocab_get_add_eos(self._vocabulary)
        self.adds_sep: bool = native.llama_vocab_get_add_sep(self._vocabulary)
        self.adds_bos: bool = native.llama_vocab_get_add_bos(self._vocabulary)

    @property
    def handle(self) -> Any:
        return llama.opened(self._handle)

    @property
    def vocabulary(self) -> Any:
        llama.opened(self._handle)
        return self._vocabulary

    def metadata(self, key: str) -> str | None:
        """A scalar of the file's metadata, as text."""
        size = native.llama_model_meta_val_str(self.handle, key.encode(), None, 0)
        if size < 0:
            return None
        buffer = ctypes.create_string_buffer(size + 1)
        native.llama_model_meta_val_str(self.handle, key.encode(), buffer, size + 1)
        return llama.text(buffer.value)

    def chat_template(self, name: str | None = None) -> str | None:
        """The template of that name the file carries, if any; the Jinja template of chats unless named."""
        asked = None if name is None else name.encode()
        return llama.text(native.llama_model_chat_template(self.handle, asked)) or None

    def control_texts(self) -> frozenset[str]:
        """The spelling of every token that means something to the model beyond its letters."""
        with self._open_vocabulary() as vocabulary:
            every = range(self.vocabulary_size)
            control = [it for it in every if native.llama_vocab_get_attr(vocabulary, it) & _CONTROL]
            return frozenset(llama.text(native.llama_vocab_get_text(vocabulary, it)) for it in control) - {""}

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
            return llama.text(native.llama_vocab_get_text(vocabulary, token))

    def ends(self, token: int) -> bool:
        """Whether the token ends the model's turn."""
        found = self._ends.get(token)
        if found is None:
            found = self._ends[token] = bool(native.llama_vocab_is_eog(self._vocabulary, token))
        return found

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
        found = self._pieces.get(token)
        if found is None:
            found = self._pieces[token] = self._spell(token)
        return found

    def _spell(self, token: int) -> bytes:
        room = 64
        with self._open_vocabulary() as vocabulary:
            while True:
                buffer = ctypes.create_string_buffer(room)
                count = native.llama_token_to_piece(vocabulary, token, buffer, room, 0, False)
                if count >= 0:
                    return buffer.raw[:count]
                room = -count

    @cached_property
    def tokens(self) -> Vocabulary:
        """Every token's bytes, in order. Takes some 0.2 s, the first time.

        Raises:
            ModelError: the model was closed.
        """
        every = range(self.vocabulary_size)
        pieces = [self.piece(token) for token in every]
        with self._open_vocabulary() as vocabulary:
            ends = [token for token in every if native.llama_vocab_is_eog(vocabulary, token)]
        return Vocabulary(pieces, ends)

    def free(self) -> None:
        with self._lock:
            handle, self._handle = self._handle, None
            if handle:
                native.llama_model_free(handle)

    @contextmanager
    def _open_vocabulary(self) -> Iterator[Any]:
        with self._lock:
            llama.opened(self._handle)
            yield self._vocabulary
