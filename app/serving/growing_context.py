"""The working memory of a chat model, which takes room as it is needed.

What is planned for a model (`placement.py`) is room for several long texts. llama.cpp clears a context
when it makes it, all of it, so that it is taken from the system at once: 160 of the 290 ms in which the
bundled model loads went into that, and 380 MB, before anybody had asked for anything. So the first
context is for one text of some length, and where there is more to hold, a larger one takes its place
and what was read moves over (30 ms for 1,500 tokens of the bundled model).
"""

import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import ModelError
from app.serving import llama
from app.serving.native_context import Memory, NativeContext, new_memory
from app.serving.scheduler import Row

_log = logging.getLogger(__name__)

FIRST_POSITIONS = 2_048
"""Tokens of the first slot: a question with its passages, and the answer."""

Make = Callable[[int, int], NativeContext]
"""Makes a context of so many slots with so many positions each."""


class GrowingContext:
    """As `NativeContext`, of `slots` that are `length` tokens long; what is not made yet holds nothing."""

    def __init__(
        self, make: Make, *, length: int, slots: int, can_be_cut: bool = True, whole: bool = False
    ) -> None:
        """Make the first context.

        Args:
            can_be_cut: as of the model. The states of others cannot move among contexts of more or fewer
                slots, so that all of them are made at once.
            whole: make all of it at once.

        Raises:
            ModelError: not enough memory, or the model cannot work like this.
        """
        self._make = make
        self.length, self.slots = length, slots
        self._positions = length if whole else min(length, FIRST_POSITIONS)
        self._streams = slots if can_be_cut else 0  # as which states are saved, whatever is made by then
        self._made = make(1 if can_be_cut and not whole else slots, self._positions)
        self._gone = False  # freed, and there was no memory to make another

    @property
    def handle(self) -> Any:
        return self._made.handle

    @property
    def made(self) -> int:
        """Slots there is memory for by now; those with the lowest numbers."""
        return 0 if self._gone else self._made.slots

    @property
    def positions(self) -> int:
        """Tokens of each slot there is memory for by now."""
        return self._positions

    @property
    def remembers(self) -> bool:
        """As of `NativeContext`."""
        return self._made.remembers

    def reserve(self, slots: int, positions: int) -> bool:
        """Have room for so many slots and for so many tokens in each, as far as that is planned.

        Nothing may be under way to be copied. Returns whether another context took the place of the one
        before: what a slot holds is to be looked at then, it may be nothing.

        Raises:
            ModelError: there is no memory for it. All is as it was, and `slots` and `length` are what there
                is; or the slots are empty, and nothing can be computed any more.
        """
        if self._gone:
            raise ModelError("The model has no memory to work with.")
        # All of the slots at once: each is small, and whoever begins a conversation would wait each time.
        slots = self.slots if slots > self._made.slots else self._made.slots
        positions = _doubled(self._positions, positions, self.length)
        if (slots, positions) == (self._made.slots, self._positions):
            return False
        before = (self._made.slots, self._positions)
        held = {slot: state for slot in range(before[0]) if (state := self.save(slot)) is not None}
        self._made.free()  # first: there may not be room for both
        self._gone, refused = True, None
        try:
            self._made, self._positions = self._make(slots, positions), positions
            _log.info("the context grew", extra={"slots": slots, "positions": positions})
        except ModelError as error:
            self._made, refused = self._make(*before), error
            # Not tried with every step again; whoever asks for more is told at once from now on.
            self.slots, self.length = before
        self._gone = False
        for slot, state in held.items():
            self.restore(slot, state)
        if refused is not None:
            raise refused
        return True

    def decode(self, rows: Sequence[Row]) -> int:
        """As of `NativeContext`; NO_SLOT, too, where `reserve` was not asked before, or found no room.

        llama.cpp ends the process where a step is longer than its context.
        """
        if any(not self._has(row.slot) or row.start + len(row.tokens) > self._positions for row in rows):
            return llama.NO_SLOT
        return self._made.decode(rows)

    def scores(self, index: int) -> NDArray[np.float32]:
        """As of `NativeContext`."""
        return self._made.scores(index)

    def truncate(self, slot: int, length: int) -> int:
        """As of `NativeContext`."""
        return self._made.truncate(slot, length) if self._has(slot) else 0

    def held(self, slot: int) -> int:
        """As of `NativeContext`."""
        return self._made.held(slot) if self._has(slot) else 0

    def copy(self, source: int, target: int) -> None:
        """As of `NativeContext`; nothing, where one of them is not made."""
        if self._has(source) and self._has(target):
            self._made.copy(source, target)

    def copying(self, slot: int) -> bool:
        """As of `NativeContext`."""
        return self._made.copying(slot)

    def save(self, slot: int, *, running: bool = False, memory: Memory = new_memory) -> memoryview | None:
        """As of `NativeContext`."""
        if not self._has(slot):
            return None
        return self._made.save(slot, running=running, streams=self._streams, memory=memory)

    def restore(self, slot: int, state: bytes | memoryview, *, running: bool = False) -> bool:
        """As of `NativeContext`."""
        if not self._has(slot):
            return False
        return self._made.restore(slot, state, running=running, streams=self._streams)

    def clear(self) -> None:
        """Forget everything; the room stays."""
        if not self._gone:
            self._made.clear()

    def free(self) -> None:
        self._made.free()

    def _has(self, slot: int) -> bool:
        return slot < self.made


def _doubled(made: int, needed: int, planned: int) -> int:
    """Doubled until it is enough, so that moving costs little in all."""
    while made < needed and made < planned:
        made *= 2
    return min(made, planned)
