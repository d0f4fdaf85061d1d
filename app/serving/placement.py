"""How a model is laid out in memory: which layers on the GPU, how long a context, how many at once.

Arithmetic only: from a `Footprint` and what is free comes a `Placement` that fits with a margin,
and that says in a sentence what was chosen. What the user asked for is kept or refused with the
figures, but for a context longer than the model was trained on.

    context (as long as all memory allows) → layers (as many as the GPU holds) → slots (of the rest)
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from app.errors import ModelTooLargeError
from app.serving import footprint
from app.serving.footprint import Footprint, KvType, Layer
from app.serving.hardware import Device
from app.serving.scheduler import READ_AT_ONCE

LONGEST_DEFAULT_CONTEXT = 8_192
"""Tokens a context has unless asked otherwise: memory and reading time grow with it."""

COMFORTABLE_CONTEXT = 4_096
"""Tokens for which the model may take what memory there is: a question with its passages fits."""

SHORTEST_CONTEXT = 512
"""Tokens below which no useful question fits."""

BATCHES = (512, 128)
"""The most tokens of one step. Longer ones read prompts no faster; a shorter one takes less memory."""

PLAIN_BATCH = 256
"""Tokens that are computed at once without flash attention, of longer steps one part after the other:
more of them are read more slowly, and their scores take much memory."""

SLOTS = 4
"""Answers that are written side by side, where memory allows."""

KV_TYPES: tuple[KvType, ...] = ("f16", "q8_0")
"""How keys and values may be kept, the best first."""

CPU = "CPU"

# Beyond the first, slots are a convenience: they take no more than this of anybody's memory.
_MOST_FOR_SLOTS = 512 << 20
# Nor do further contexts, in which long texts are read sooner. What moves from them is there twice.
_MOST_FOR_READING = 512 << 20
# A context longer than COMFORTABLE_CONTEXT, and slots, leave the rest of what is free to others.
_SHARE_FOR_CONTEXT = 0.4
# What stays free: for the embedder, the window and other programs; for the driver and the screen.
_MAIN_MARGIN, _LARGEST_MAIN_MARGIN = 1 / 8, 1 << 30
_GPU_MARGIN, _SMALLEST_GPU_MARGIN = 1 / 10, 256 << 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asked for. 0 (of layers: -1): as the model and memory allow."""

    context_length: int = 0
    gpu_layers: int = -1
    slots: int = 0


@dataclass(frozen=True, slots=True)
class Placement:
    """How a model is laid out: `layers` of `all_layers` on `backend`, the rest on the processor.

    `context_length`: of each slot, in tokens. `batch`: the most tokens of one step. `flash`: whether
    flash attention computes it. On the processor llama.cpp's is a little faster where it reads a long
    prompt in one go, and much slower for a token or a few of them after a long text. `reading`: tokens of
    the longest text that is read with it, in a context of its own, where answers are written without
    (`disaggregated_context.py`); 0: none is.
    """

    backend: str
    layers: int
    all_layers: int
    context_length: int
    slots: int
    kv: KvType
    batch: int
    flash: bool
    reading: int = 0

    @property
    def sentence(self) -> str:
        """What was chosen, for people: "31 of 36 layers on the GPU, 8,192 tokens"."""
        where = f"{self.layers} of {self.all_layers} layers on the GPU" if self.layers else "on the processor"
        parts = [where, f"{self.context_length:,} tokens"]
        if self.slots > 1:
            parts.append(f"{self.slots} answers side by side")
        if self.kv != "f16":
            parts.append("the context in 8 bits to save memory")
        return ", ".join(parts)


def place(
    model: Footprint,
    *,
    free: int,
    gpu: Device | None,
    asked: Asked,
    kv_types: Sequence[KvType] = KV_TYPES,
) -> Placement:
    """Lay out `model`.

    Args:
        free: bytes of main memory.
        gpu: where layers may go; None: nowhere. One that reports no free memory is believed to
            hold whatever is asked of it.
        kv_types: how keys and values may be kept, the best first.

    Raises:
        ModelTooLargeError: it, or what was asked, does not fit.
    """
    if gpu is not None and asked.gpu_layers == 0:
        gpu = None
    best: Placement | None = None
    ways = list(_ways(kv_types, processor=gpu is None))
    for way in ways:
        room = _Room(model, free, gpu, asked, way)
        found = room.placement()
        if found is not None and (best is None or found.context_length > best.context_length):
            best = found
        if best is not None and best.context_length >= room.wanted:
            break
    if best is None:
        raise _refusal(_Room(model, free, gpu, asked, ways[-1]))
    if gpu is not None and not best.layers:  # what is best for the processor
        return place(model, free=free, gpu=None, asked=asked, kv_types=kv_types)
    return best


def at_once(batch: int, *, flash: bool) -> int:
    """Tokens of a step that are computed at once."""
    return batch if flash else min(batch, PLAIN_BATCH)


def smaller(placed: Placement, asked: Asked) -> Placement | None:
    """The next one to try where llama.cpp finds no room after all; None: what was asked is at its least."""
    if placed.slots > 1 and not asked.slots:
        return replace(placed, slots=placed.slots // 2)
    if placed.context_length > SHORTEST_CONTEXT and not asked.context_length:
        length = max(SHORTEST_CONTEXT, placed.context_length // 2)
        return replace(placed, context_length=length, batch=min(placed.batch, length))
    return None


def first_gpu(devices: Iterable[Device]) -> Device | None:
    """The GPU that is reckoned with. llama.cpp uses the others as well: then there is more room."""
    return next((device for device in devices if device.gpu), None)


@dataclass(frozen=True, slots=True)
class _Way:
    """How attention may be computed, and how much at a time."""

    batch: int
    kv: KvType
    flash: bool


def _ways(kv_types: Sequence[KvType], *, processor: bool) -> Iterator[_Way]:
    """All there are, the best first."""
    for batch in BATCHES:
        for kv in kv_types:
            if processor and kv == "f16":  # values in 8 bits need flash attention
                yield _Way(batch, kv, flash=False)
            yield _Way(batch, kv, flash=True)


class _Room:
    """What fits, computed in one way."""

    def __init__(self, model: Footprint, free: int, gpu: Device | None, asked: Asked, way: _Way) -> None:
        self.model, self.gpu, self.asked = model, gpu, asked
        self.free = free
        self._way = way
        self._trained = model.trained or LONGEST_DEFAULT_CONTEXT
        self.shortest = min(SHORTEST_CONTEXT, self._trained)
        self._first_slots = max(1, asked.slots)
        self._main_margin = min(int(free * _MAIN_MARGIN), _LARGEST_MAIN_MARGIN)

    @property
    def wanted(self) -> int:
        """Tokens with which nobody looks for a way to more."""
        if self.asked.context_length > 0:
            return min(self.asked.context_length, self._trained)
        return min(COMFORTABLE_CONTEXT, self._trained)

    def placement(self) -> Placement | None:
        """The best one; None if nothing fits."""
        length = self._length()
        if length is None:
            return None
        layers = self.layers(length)
        slots = self.asked.slots or self._slots(length, layers)
        return Placement(
            backend=self.gpu.name if self.gpu and layers else CPU,
            layers=layers,
            all_layers=len(self.model.layers),
            context_length=length,
            slots=slots,
            kv=self._way.kv,
            batch=min(self._way.batch, length),
            flash=self._way.flash,
            reading=0 if self._way.flash else self._reading(length, slots),
        )

    def layers(self, length: int) -> int:
        """How many go to the GPU beside a context of `length` tokens for each of the first slots."""
        every = len(self.model.layers)
        if self.gpu is None:
            return 0
        if self.asked.gpu_layers > 0:
            return min(self.asked.gpu_layers, every)
        return self.most_layers(length)

    def most_layers(self, length: int) -> int:
        """How many the GPU holds."""
        every, slots = len(self.model.layers), self._first_slots
        return _most(0, every, lambda layers: self._gpu_holds(length, layers, slots)) or 0

    def main_need(self, length: int, layers: int, slots: int, *, generous: bool = False) -> int:
        """Bytes of main memory, the margin included.

        Args:
            layers: that are on the GPU.
            generous: so that the context takes no more than its share of what is left.
        """
        model = self.model
        here = model.layers[: len(model.layers) - layers]
        weights = model.entrance + sum(layer.weights for layer in here)
        if not layers:
            weights += model.exit - model.shared
        context = self._context(here, length, slots)
        if generous:
            context = math.ceil(context / _SHARE_FOR_CONTEXT)
        return weights + context + self._computing(length, slots) + self._main_margin

    def gpu_need(self, length: int, layers: int, slots: int) -> int:
        """Bytes of the GPU's memory, the margin included."""
        if not layers or self.gpu is None:
            return 0
        model = self.model
        there = model.layers[len(model.layers) - layers :]
        weights = model.exit + sum(layer.weights for layer in there)
        context = self._context(there, length, slots)
        margin = max(_SMALLEST_GPU_MARGIN, int(self.gpu.memory_free * _GPU_MARGIN))
        return weights + context + self._computing(length, slots) + margin

    def _reading(self, length: int, slots: int) -> int:
        """Tokens of the context in which long texts are read, beside that in which answers are written."""
        flash = replace(self._way, flash=True)
        apart = _Room(self.model, self.free, None, self.asked, flash)
        here = self.main_need(length, 0, slots, generous=True)

        def fits(tokens: int) -> bool:
            context = apart._context(self.model.layers, tokens, 1)
            more = READ_AT_ONCE * (context + apart._computing(tokens, 1)) + context
            return more <= _MOST_FOR_READING and here + math.ceil(more / _SHARE_FOR_CONTEXT) <= self.free

        return _most(self.shortest, length, fits) or 0

    def _context(self, layers: Iterable[Layer], length: int, slots: int) -> int:
        positions = footprint.positions(length, flash=self._way.flash)
        return sum(layer.context(self._way.kv, length=positions, slots=slots) for layer in layers)

    def _computing(self, length: int, slots: int) -> int:
        batch = at_once(self._way.batch, flash=self._way.flash)
        return self.model.computing(batch=batch, length=length, slots=slots, flash=self._way.flash)

    def longest(self, low: int, high: int, *, generous: bool = False) -> int | None:
        """The longest context from `low` to `high` that fits, for each of the first slots."""
        return _most(low, high, lambda length: self._fits(length, generous=generous))

    def _length(self) -> int | None:
        if self.asked.context_length > 0:
            return self.longest(self.wanted, self.wanted)
        length = self.longest(self.shortest, self.wanted)
        if length != self.wanted:
            return length and max(self.shortest, length - length % footprint.STEP)
        highest = min(LONGEST_DEFAULT_CONTEXT, self._trained)
        length = self.longest(self.wanted, highest, generous=True) or self.wanted
        # All layers on the GPU are worth more than a context beyond the comfortable.
        every = len(self.model.layers)
        if self.gpu is not None and self.asked.gpu_layers < 0 and self.layers(length) < every:
            whole = _most(self.wanted, length, lambda it: self.most_layers(it) == every)
            length = whole or length
        return length if length == highest else max(self.wanted, length - length % footprint.STEP)

    def _slots(self, length: int, layers: int) -> int:
        """Beside the first, as many as their share allows without a layer moving."""

        def fit(slots: int) -> bool:
            context = self._context(self.model.layers, length, slots)
            return (
                context <= _MOST_FOR_SLOTS
                and self.main_need(length, layers, slots, generous=True) <= self.free
                and self._gpu_holds(length, layers, slots)
            )

        return _most(2, SLOTS, fit) or 1

    def _fits(self, length: int, *, generous: bool) -> bool:
        layers = self.layers(length)
        need = self.main_need(length, layers, self._first_slots, generous=generous)
        return need <= self.free and self._gpu_holds(length, layers, self._first_slots)

    def _gpu_holds(self, length: int, layers: int, slots: int) -> bool:
        if self.gpu is None or not self.gpu.memory_free:
            return True
        return self.gpu_need(length, layers, slots) <= self.gpu.memory_free


def _refusal(room: _Room) -> ModelTooLargeError:
    """Why nothing fits, in figures, and what would."""
    model, gpu, asked = room.model, room.gpu, room.asked
    length = room.wanted if asked.context_length > 0 else room.shortest
    slots = max(1, asked.slots)
    layers = room.layers(length)
    if gpu is not None and gpu.memory_free and room.gpu_need(length, layers, slots) > gpu.memory_free:
        needed, free = _figures(room.gpu_need(length, layers, slots), gpu.memory_free)
        return ModelTooLargeError(
            f"{model.name} needs about {needed} on {gpu.name} for {layers} layers; {free} are free there."
            f" {room.most_layers(length)} layers would fit."
        )
    needed, free = _figures(room.main_need(length, layers, slots), room.free)
    beside = f" beside {layers} layers on {gpu.name}" if gpu and layers else ""
    with_context = f" with {length:,} tokens of context" if length > room.shortest else ""
    message = f"{model.name} needs about {needed} of memory{beside}{with_context}; {free} are free."
    fitting = room.longest(1, length) if with_context else None
    if fitting is not None:
        message += f" {fitting:,} tokens would fit."
    return ModelTooLargeError(message)


def _most(low: int, high: int, fits: Callable[[int], bool]) -> int | None:
    """The largest number from `low` to `high` for which `fits`, which holds up to some number only."""
    if low > high or not fits(low):
        return None
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _figures(needed: int, free: int) -> tuple[str, str]:
    """Both in the same unit, the need rounded up and the rest down: they never look the same."""
    unit, name = (1e9, "GB") if needed >= 1e9 else (1e6, "MB")
    places = 10 if name == "GB" else 1
    up, down = math.ceil(needed / unit * places) / places, math.floor(free / unit * places) / places
    return f"{up:,.{1 if places == 10 else 0}f} {name}", f"{down:,.{1 if places == 10 else 0}f} {name}"
