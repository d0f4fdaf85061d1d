"""A chat model made ready: file checked, weights mapped, context allocated, template compiled."""

import functools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.errors import ModelError, ModelFileError, ModelTooLargeError
from app.records import Problem
from app.serving import allocator, footprint, gguf, hardware, llama, placement, scoring
from app.serving.chat_template import ChatTemplate
from app.serving.disaggregated_context import DisaggregatedContext
from app.serving.drafting import MOST, Drafting
from app.serving.footprint import Footprint
from app.serving.generation import ChatMessage, Prompt
from app.serving.growing_context import GrowingContext, Make
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel
from app.serving.placement import Asked, Placement
from app.serving.scheduler import Row
from app.serving.stop_flag import StopFlag

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChatModel:
    """The native parts of one chat model. `encode` and `count` are thread-safe, the rest is not.

    `placement`: as it came to be. `threads`: that compute. `drafts`: guesses a step has room for.
    """

    native: NativeModel
    context: DisaggregatedContext
    template: ChatTemplate
    stop: StopFlag
    placement: Placement
    threads: int
    drafts: int
    notice: Problem | None

    @property
    def batch(self) -> int:
        """The most tokens of one step."""
        return self.placement.batch

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
        return Prompt("".join(segment.text for segment in segments), tuple(tokens), tuple(messages))

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
            flash=self.placement.flash,
        )

    def free(self) -> None:
        self.context.free()
        self.native.free()
        allocator.give_back()


def load(
    path: Path,
    *,
    context_length: int,
    gpu_layers: int,
    threads: int,
    slots: int = 0,
    drafting: Drafting = "automatic",
) -> ChatModel:
    """Load the model at `path` and let it compute one token.

    Args:
        context_length: in tokens; 0: as the model and memory allow.
        gpu_layers: -1: as many as fit, if there is a GPU. Where there is none, or it refuses, the
            CPU takes over and `notice` of the result says so.
        threads: 0: all physical cores.
        slots: answers side by side; 0: a few, as memory allows.
        drafting: whether steps have room for guesses. They never have where the model's memory
            cannot be cut at any token.

    Raises:
        ModelFileError: the file is no chat model that can be loaded; the message says why.
        ModelTooLargeError: it, or what was asked, needs more memory than is free.
        ModelError: llama.cpp found no room for it after all.
    """
    header = gguf.read_header(path)
    if _is_embedder(header):
        raise ModelFileError(f"{path.name} turns texts into vectors; it cannot answer questions.")
    asked = Asked(context_length, gpu_layers, slots)
    drafts = 0 if drafting == "off" else MOST
    gpu = placement.first_gpu(llama.devices())
    loading = _Loading(path, footprint.of(header, path.name), asked, threads or hardware.cores(), drafts)
    if gpu is None:
        return loading.on(None, _no_gpu(path) if gpu_layers > 0 else None)
    try:
        return loading.on(gpu)
    except ModelTooLargeError:
        raise
    except ModelError as error:
        if not loading.used_gpu:
            raise
        _log.warning("%s refused the model, the CPU takes over: %s", gpu.name, error.message)
        return loading.on(None, _refused_by(gpu, path))


def utf8(text: str) -> bytes:
    """UTF-8 of any text: half a surrogate pair, which has none, becomes a question mark."""
    return text.encode("utf-8", "replace")


class _Loading:
    """One model on its way. `used_gpu`: whether the last attempt put layers there."""

    def __init__(self, path: Path, model: Footprint, asked: Asked, threads: int, drafts: int) -> None:
        self._path, self._model, self._asked, self._threads = path, model, asked, threads
        self._drafts = drafts
        self.used_gpu = False

    def on(self, gpu: hardware.Device | None, notice: Problem | None = None) -> ChatModel:
        """Load it with layers on `gpu`, or on the CPU alone."""
        place = functools.partial(
            placement.place, self._model, free=hardware.memory_available(), gpu=gpu, asked=self._asked
        )
        placed = place()
        self.used_gpu = placed.layers > 0
        # The weights of the end go with the last layer, and are counted as one more.
        native = NativeModel(self._path, gpu_layers=placed.layers + 1 if placed.layers else 0)
        context: GrowingContext | None = None
        stop, drafts = StopFlag(), self._drafts if native.can_be_cut else 0
        try:
            context, placed = self._context(native, placed, place, stop, drafts)
            _try_out(native, context, self._path)
            template = ChatTemplate(
                native.chat_template(),
                bos=native.spelling(native.bos),
                eos=native.spelling(native.eos),
                control=native.control_texts(),
            )
        except BaseException:
            if context is not None:
                context.free()
            native.free()
            raise
        _log.info("model placed", extra={"file": self._path.name, "placement": placed.sentence})
        make = self._make(native, replace(placed, flash=True), stop, 0)
        disaggregated = DisaggregatedContext(
            context,
            lambda: GrowingContext(make, length=placed.reading, slots=placed.slots),
            placed.reading if native.can_be_cut else 0,
        )
        return ChatModel(native, disaggregated, template, stop, placed, self._threads, drafts, notice)

    def _context(
        self,
        native: NativeModel,
        placed: Placement,
        place: Callable[..., Placement],
        stop: StopFlag,
        drafts: int,
    ) -> tuple[GrowingContext, Placement]:
        """Allocate the context; where llama.cpp refuses it, one that needs less of what nobody asked for."""
        while True:
            try:
                context = GrowingContext(
                    self._make(native, placed, stop, drafts),
                    length=placed.context_length,
                    slots=placed.slots,
                    can_be_cut=native.can_be_cut,
                    whole=placed.layers > 0,  # a graphics card's memory may be another's by then
                )
            except ModelError:
                if placed.kv == "q8_0":  # it cannot be kept like this in every model, on every device
                    # The layers are where they are by now.
                    asked = replace(self._asked, gpu_layers=placed.layers)
                    placed = place(asked=asked, kv_types=("f16",))
                    continue
                less = placement.smaller(placed, self._asked)
                if less is None:
                    raise
                placed = less
            else:
                return context, replace(placed, batch=min(placed.batch, placed.context_length))

    def _make(self, native: NativeModel, placed: Placement, stop: StopFlag, drafts: int) -> Make:
        """What makes a context of so many slots and positions."""
        return lambda slots, positions: NativeContext(
            native,
            length=positions,
            batch=placed.batch,
            at_once=placement.at_once(placed.batch, flash=placed.flash),
            threads=self._threads,
            slots=slots,
            outputs=min(placed.batch, footprint.outputs(placed.slots, drafts)),
            stop=stop,
            compact=placed.kv == "q8_0",
            flash=placed.flash,
            positions=footprint.positions(positions, flash=placed.flash),
        )


def _no_gpu(path: Path) -> Problem:
    return Problem(
        "gpu_missing",
        f"There is no graphics card that this Carrel can compute on; {path.name} runs on the processor.",
    )


def _refused_by(gpu: hardware.Device, path: Path) -> Problem:
    return Problem(
        "gpu_refused",
        f"{path.name} does not run on {gpu.name}; it runs on the processor instead, more slowly.",
    )


def _try_out(native: NativeModel, context: GrowingContext, path: Path) -> None:
    """Compute one token: a model that cannot is known now, and its weights are warm."""
    if native.encodes or not native.decodes or not context.remembers:
        raise ModelFileError(f"{path.name} turns texts into vectors; it cannot answer questions.")
    token = native.bos if 0 <= native.bos < native.vocabulary_size else 0
    code = context.decode((Row(0, 0, (token,), True),))
    if code != llama.OK:
        raise ModelFileError(f"{path.name} was loaded, but cannot compute (llama.cpp returned {code}).")
    context.clear()


def _is_embedder(header: gguf.Header) -> bool:
    return header.number("pooling_type") > 0 or not header.causal
