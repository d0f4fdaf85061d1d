"""A chat model made ready: file checked, weights mapped, context allocated, template compiled."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import ModelError, ModelFileError
from app.records import Problem
from app.serving import gguf, hardware, llama, scoring
from app.serving.chat_template import ChatTemplate
from app.serving.generation import ChatMessage, Prompt
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel
from app.serving.scheduler import Row
from app.serving.stop_flag import StopFlag

_log = logging.getLogger(__name__)

BATCH = 512
"""The most tokens of one step. Longer ones read prompts no faster and take more memory."""

SLOTS = 4
"""Answers that are written side by side, where memory allows."""


@dataclass(frozen=True, slots=True)
class ChatModel:
    """The native parts of one chat model. `encode` and `count` are thread-safe, the rest is not.

    `batch`: the most tokens of one step. `threads`: that compute.
    """

    native: NativeModel
    context: NativeContext
    template: ChatTemplate
    stop: StopFlag
    offload: hardware.Offload
    batch: int
    threads: int
    notice: Problem | None

    def encode(self, messages: Sequence[ChatMessage]) -> Prompt:
        """Render a chat and turn it into tokens. See `chat_template` for what is guarded against.

        Raises:
            InvalidRequestError: no messages, or the template refuses them.
            ModelError: the template fails, or the model was closed.
        """
        segments = self.template.render(messages)
        tokens: list[int] = []
        for segment in segments:
            tokens += self.native.tokenize(utf8(segment.text), control=not segment.literal)
        if self.native.adds_bos and tokens[:1] != [self.native.bos]:
            tokens.insert(0, self.native.bos)
        return Prompt("".join(segment.text for segment in segments), tuple(tokens))

    def count(self, text: str) -> int:
        """Tokens of plain text."""
        return len(self.tokens(text))

    def tokens(self, text: str) -> list[int]:
        """Plain text as it is in the middle of a prompt."""
        return self.native.tokenize(utf8(text))

    def scoring_context(self) -> NativeContext:
        """A context of its own for a `scoring.Scorer`.

        Raises:
            ModelError: not enough memory.
        """
        return NativeContext(
            self.native,
            length=min(scoring.LONGEST, self.context.length),
            batch=scoring.BATCH,
            threads=self.threads,
            slots=scoring.BRANCHES + 1,
            outputs=scoring.SCORED_AT_ONCE,
            shared=True,
            stop=self.stop,
        )

    def free(self) -> None:
        self.context.free()
        self.native.free()


def load(path: Path, *, context_length: int, gpu_layers: int, threads: int, slots: int = 0) -> ChatModel:
    """Load the model at `path` and let it compute one token.

    Args:
        context_length: in tokens; 0: as the model and memory allow.
        gpu_layers: -1: all, if there is a GPU. Where the GPU refuses, the CPU takes over and
            `notice` of the result says so.
        threads: 0: all physical cores.
        slots: answers side by side; 0: SLOTS, or as many as memory allows.

    Raises:
        ModelFileError: the file is no chat model that can be loaded; the message says why.
        ModelError: not enough memory.
    """
    header = gguf.read_header(path)
    if _is_embedder(header):
        raise ModelFileError(f"{path.name} turns texts into vectors; it cannot answer questions.")
    wanted = hardware.offload(
        asked=gpu_layers,
        layers=header.number("block_count"),
        devices=llama.devices(),
    )
    try:
        return _load(path, header, wanted, asked_length=context_length, threads=threads, slots=slots)
    except ModelError as error:
        if wanted.layers == 0:
            raise
        _log.warning("%s refused the model, the CPU takes over: %s", wanted.backend, error.message)
        notice = Problem(
            "gpu_refused",
            f"{path.name} does not run on {wanted.backend}; it runs on the processor instead, more slowly.",
        )
        cpu = hardware.Offload("CPU", 0)
        return _load(
            path, header, cpu, asked_length=context_length, threads=threads, slots=slots, notice=notice
        )


def utf8(text: str) -> bytes:
    """UTF-8 of any text: half a surrogate pair, which has none, becomes a question mark."""
    return text.encode("utf-8", "replace")


def _load(
    path: Path,
    header: gguf.Header,
    offload: hardware.Offload,
    *,
    asked_length: int,
    threads: int,
    slots: int,
    notice: Problem | None = None,
) -> ChatModel:
    native = NativeModel(path, gpu_layers=offload.layers)
    stop = StopFlag()
    threads = threads or hardware.cores()
    try:
        context = _context(
            native, header, offload, asked=asked_length, threads=threads, slots=slots, stop=stop
        )
    except BaseException:
        native.free()
        raise
    try:
        _try_out(native, context, path)
        template = ChatTemplate(
            native.chat_template(),
            bos=native.spelling(native.bos),
            eos=native.spelling(native.eos),
            control=native.control_texts(),
        )
    except BaseException:
        context.free()
        native.free()
        raise
    batch = min(BATCH, context.length)
    return ChatModel(native, context, template, stop, offload, batch, threads, notice)


def _context(
    native: NativeModel,
    header: gguf.Header,
    offload: hardware.Offload,
    *,
    asked: int,
    threads: int,
    slots: int,
    stop: StopFlag,
) -> NativeContext:
    """Allocate the context, halving what nobody asked for until it fits: first slots, then length."""
    memory = hardware.memory_available()
    if offload.layers:
        memory = next((d.memory_free for d in llama.devices() if d.name == offload.backend), 0) or memory
    head_width = header.number("attention.key_length") or native.width // max(1, native.heads)
    bytes_per_token = hardware.kv_bytes_per_token(
        layers=native.layers, kv_heads=max(1, native.kv_heads), head_width=head_width
    )
    length = hardware.context_length(
        asked=asked, trained=native.trained_context, bytes_per_token=bytes_per_token, memory=memory
    )
    places = slots or hardware.slots(most=SLOTS, bytes_per_slot=length * bytes_per_token, memory=memory)
    while True:
        try:
            return NativeContext(
                native, length=length, batch=min(BATCH, length), threads=threads, slots=places, stop=stop
            )
        except ModelError:
            if places > 1 and not slots:
                places //= 2
            elif asked or length <= hardware.SHORTEST_CONTEXT:
                raise
            else:
                length = max(hardware.SHORTEST_CONTEXT, length // 2)


def _try_out(native: NativeModel, context: NativeContext, path: Path) -> None:
    """Compute one token: a model that cannot is known now, and its weights are warm."""
    if native.encodes or not native.decodes or not context.remembers:
        raise ModelFileError(f"{path.name} turns texts into vectors; it cannot answer questions.")
    token = native.bos if 0 <= native.bos < native.vocabulary_size else 0
    code = context.decode((Row(0, 0, (token,), True),))
    if code != llama.OK:
        raise ModelFileError(f"{path.name} was loaded, but cannot compute (llama.cpp returned {code}).")
    context.clear()


def _is_embedder(header: gguf.Header) -> bool:
    causal = header.metadata.get(f"{header.architecture}.attention.causal", True)
    return header.number("pooling_type") > 0 or not causal
