"""The working memory of a chat model: long texts are read in one context, answers are written in another.

On the processor llama.cpp has two ways to compute attention, and each is good at something. With flash
attention long texts are read sooner (600 tokens of the bundled model by 10 %, 1,500 by 22 %); without it,
a token after a long text takes less than half as long. What a text leaves in memory is the same but for
how it lies there (`kv_state.py`). So a text is read with flash attention and moves when its answer begins:
after the first token, which nobody has to wait for then. Servers that do this between machines call it
disaggregated prefill.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.errors import ModelError
from app.serving import kv_state, llama
from app.serving.growing_context import FIRST_POSITIONS, GrowingContext
from app.serving.scheduler import READ_AT_ONCE, SMALLEST_PART, Row

_log = logging.getLogger(__name__)

MOVING = 40
"""Moving a token from one to the other takes as long as flash attention saves where a token looks back on
so many others: some 20 microseconds, of the bundled model."""

_SEAT = 0  # the slot of a reading context that is used


class DisaggregatedContext:
    """As `GrowingContext`.

    Whether a text is read apart is decided by its length alone, not by who else is there: the two ways
    round differently. For the same reason its steps are not to be short (`SMALLEST_PART`).

    `writing`: where answers are written, and short texts read.
    """

    def __init__(
        self, writing: GrowingContext, make_reading: Callable[[], GrowingContext], longest: int
    ) -> None:
        """
        Args:
            make_reading: makes a context in which one text is read, with as many slots as `writing`. There
                are up to READ_AT_ONCE of them, when they are needed.
            longest: tokens of the longest text that is read there; 0: none is.
        """
        self.writing = writing
        self._make_reading, self._longest = make_reading, longest
        # By slot: where its text is read. What `writing` holds of that slot is out of date meanwhile.
        self._reading: dict[int, GrowingContext] = {}
        self._unused: list[GrowingContext] = []
        self._scratch = np.empty(0, np.uint8)  # for what moves: new memory would take longer than moving
        self._lost = False
        self._computed: list[tuple[range, GrowingContext, int]] = []  # of the last batch, where it was

    @property
    def length(self) -> int:
        """As of `GrowingContext`."""
        return self.writing.length

    @property
    def slots(self) -> int:
        """As of `GrowingContext`."""
        return self.writing.slots

    @property
    def made(self) -> int:
        """As of `GrowingContext`."""
        return self.writing.made

    def reserve(self, slots: int, positions: int) -> bool:
        """As of `GrowingContext`."""
        return self.writing.reserve(slots, positions)

    def decode(self, rows: Sequence[Row]) -> int:
        """As of `GrowingContext`; ABORTED, too, where something that was read apart was lost on its way."""
        for row in rows:
            if len(row.tokens) < SMALLEST_PART:
                self._bring_home(row.slot)
        for row in rows:
            if len(row.tokens) >= SMALLEST_PART and row.slot not in self._reading and self._worth(row):
                self._send_out(row, rows)
        if self._lost:
            self._lost = False
            return llama.ABORTED
        self._note_places(rows)
        here = [row for row in rows if row.slot not in self._reading]
        code = self.writing.decode(here) if here else llama.OK
        for row in rows:
            if code == llama.OK and row.slot in self._reading:
                code = self._reading[row.slot].decode((replace(row, slot=_SEAT),))
        return code

    def output(self, index: int) -> tuple[Any, int]:
        """The handle of the context that computed batch position `index`, and which one it is there."""
        context, there = self._place(index)
        return context.handle, there

    def scores(self, index: int) -> NDArray[np.float32]:
        """As of `GrowingContext`."""
        context, there = self._place(index)
        return context.scores(there)

    def truncate(self, slot: int, length: int) -> int:
        """As of `GrowingContext`."""
        if slot not in self._reading:
            return self.writing.truncate(slot, length)
        kept = self._reading[slot].truncate(_SEAT, length)
        if not kept:
            self._leave(slot)
            self.writing.truncate(slot, 0)
        return kept

    def held(self, slot: int) -> int:
        """As of `GrowingContext`."""
        return self._reading[slot].held(_SEAT) if slot in self._reading else self.writing.held(slot)

    def copy(self, source: int, target: int) -> None:
        """As of `GrowingContext`."""
        self._bring_home(source)
        self.truncate(target, 0)
        self.writing.copy(source, target)

    def copying(self, slot: int) -> bool:
        """As of `GrowingContext`."""
        return self.writing.copying(slot)

    def save(self, slot: int, *, running: bool = False) -> memoryview | None:
        """As of `GrowingContext`."""
        self._bring_home(slot)
        return self.writing.save(slot, running=running)

    def restore(self, slot: int, state: bytes | memoryview, *, running: bool = False) -> bool:
        """As of `GrowingContext`."""
        if slot in self._reading:
            self._leave(slot)
        return self.writing.restore(slot, state, running=running)

    def clear(self) -> None:
        """As of `GrowingContext`."""
        self.writing.clear()
        for slot in tuple(self._reading):
            self._leave(slot)
        self._lost = False

    def free(self) -> None:
        self.writing.free()
        for context in (*self._reading.values(), *self._unused):
            context.free()
        self._reading, self._unused = {}, []

    def _note_places(self, rows: Sequence[Row]) -> None:
        self._computed = []
        begin = here = 0
        for row in rows:
            positions = range(begin, begin + len(row.tokens))
            begin = positions.stop
            if row.slot in self._reading:
                self._computed.append((positions, self._reading[row.slot], 0))
            else:
                self._computed.append((positions, self.writing, here))
                here += len(row.tokens)

    def _place(self, index: int) -> tuple[GrowingContext, int]:
        """Which context computed batch position `index`, and which one it is there."""
        for positions, context, there in self._computed:
            if index in positions:
                return context, there + index - positions.start
        raise ModelError("The model gave no scores.")

    def _worth(self, row: Row) -> bool:
        ahead, behind = _ahead(row), row.start
        return (
            ahead * (behind + ahead / 2) > MOVING * 2 * behind
            and behind + ahead <= min(self._longest, self.writing.positions)
            and not self.writing.copying(row.slot)
        )

    def _send_out(self, row: Row, rows: Sequence[Row]) -> None:
        """Let the text of `row` be read apart, if there is room for all of it."""
        if len(self._reading) >= READ_AT_ONCE:
            reading = {row.slot for row in rows}
            resting = next((slot for slot in self._reading if slot not in reading), None)
            if resting is None:
                return
            self._bring_home(resting)
            if not self._longest:
                return
        context = self._context_for(row)
        if context is None:
            self._stop()
        else:
            self._reading[row.slot] = context

    def _context_for(self, row: Row) -> GrowingContext | None:
        """One that holds what was read of the text of `row`, with room for all of it; None: there is none."""
        context = None
        try:
            context = self._unused.pop() if self._unused else self._make_reading()
            context.reserve(1, row.start + _ahead(row))
            if not row.start or self._move(self.writing, row.slot, context, _SEAT):
                return context
        except ModelError as error:
            _log.warning("long texts are not read apart any more: %s", error.message)
        if context is not None:
            context.free()
        return None

    def _bring_home(self, slot: int) -> None:
        """Let `slot` go on where answers are written."""
        if slot not in self._reading:
            return
        moved = self._move(self._reading[slot], _SEAT, self.writing, slot)
        self._leave(slot)
        if not moved:
            self.writing.truncate(slot, 0)
            self._lost = True
            self._stop()

    def _leave(self, slot: int) -> None:
        """Nothing of `slot` is kept where it was read."""
        context = self._reading.pop(slot)
        if context.positions > FIRST_POSITIONS:  # much memory, and made in no time beside such a text
            context.free()
            self._scratch = np.empty(0, np.uint8)
        else:
            context.clear()
            self._unused.append(context)

    def _move(self, source: GrowingContext, slot: int, target: GrowingContext, to: int) -> bool:
        """Let `target` hold what `source` holds. False: it does not, and cannot."""
        state = source.save(slot, memory=self._memory)
        if (
            state is not None
            and kv_state.turn(state, by_numbers=target is self.writing)
            and target.restore(to, state)
        ):
            return True
        _log.error("what was read could not move to where it is needed")
        return False

    def _memory(self, size: int) -> NDArray[np.uint8]:
        if len(self._scratch) < size:
            self._scratch = np.empty(size + size // 4, np.uint8)
        return self._scratch[:size]

    def _stop(self) -> None:
        """Read nothing apart any more."""
        self._longest = 0
        for slot in tuple(self._reading):
            self._bring_home(slot)
        for context in self._unused:
            context.free()
        self._unused.clear()


def _ahead(row: Row) -> int:
    """Tokens of its text from this row on."""
    return len(row.tokens) + row.left
