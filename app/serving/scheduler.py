"""Who computes what in the next step. Pure bookkeeping: no model, no thread, no clock.

Every step is one batch. Running answers come first with one token each, so that none of them
stutters while a long prompt is read; what is left of the batch goes to prompts, in chunks. With
one slot this is one question at a time; more slots make it continuous batching.
"""

from collections import deque
from collections.abc import Sequence as Tokens
from dataclasses import dataclass

from app.serving.kv_cache import KvCache
from app.serving.sequence import Sequence


@dataclass(frozen=True, slots=True)
class Row:
    """One token run of a batch: `tokens` at positions `start`, `start`+1, ... of sequence `slot`.

    With `output` the scores after its last token can be sampled.
    """

    slot: int
    start: int
    tokens: Tokens[int]
    output: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """One step: rows in ascending order of slot, and whose they are. Empty: nothing to do."""

    rows: tuple[Row, ...] = ()
    sequences: tuple[Sequence, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows)


class Scheduler:
    """First come, first served, over the slots of `cache`."""

    def __init__(self, cache: KvCache, *, batch: int) -> None:
        """`batch` is the most tokens of one step; at least one a slot."""
        self._cache = cache
        self._batch = batch
        self._waiting: deque[Sequence] = deque()
        self._running: list[Sequence] = []

    @property
    def idle(self) -> bool:
        return not self._waiting and not self._running

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """Everyone who has not ended, running ones first."""
        return (*self._running, *self._waiting)

    def add(self, sequence: Sequence) -> None:
        self._waiting.append(sequence)

    def drop_cancelled(self) -> tuple[Sequence, ...]:
        """Let go of cancelled sequences, slots and all, and return them."""
        dropped = tuple(sequence for sequence in self.sequences if sequence.cancelled)
        for sequence in dropped:
            self.drop(sequence)
        return dropped

    def drop(self, sequence: Sequence) -> None:
        """Let go of one sequence: it ended. Its slot keeps its tokens for the next to reuse."""
        if sequence in self._waiting:
            self._waiting.remove(sequence)
        if sequence in self._running:
            self._running.remove(sequence)
            if sequence.slot is not None:
                self._cache.give_back(sequence.slot)

    def admit(self) -> tuple[Sequence, ...]:
        """Give free slots to those who wait longest; return who got one.

        The model's memory of those slots must be cut to `computed` before the next step.
        """
        admitted = []
        while self._waiting and self._cache.free_slots:
            sequence = self._waiting.popleft()
            sequence.start(self._cache.take(sequence.tokens))
            self._running.append(sequence)
            admitted.append(sequence)
        return tuple(admitted)

    def schedule(self) -> Plan:
        """The next batch. Nothing changes until `commit`: a step that failed is planned again."""
        sizes: dict[Sequence, int] = {}
        room = self._batch
        for decoding in (True, False):
            for sequence in self._running:
                missing = len(sequence.tokens) - sequence.computed
                if (missing == 1) is decoding and room > 0:
                    sizes[sequence] = min(missing, room)
                    room -= sizes[sequence]
        rows = []
        for sequence in sorted(sizes, key=_slot_number):
            begin, size = sequence.computed, sizes[sequence]
            tokens = tuple(sequence.tokens[begin : begin + size])
            output = begin + size == len(sequence.tokens)
            rows.append((Row(_slot_number(sequence), begin, tokens, output), sequence))
        return Plan(tuple(row for row, _ in rows), tuple(sequence for _, sequence in rows))

    def commit(self, plan: Plan) -> None:
        """The step was computed: its tokens are in memory now."""
        for row, sequence in zip(plan.rows, plan.sequences, strict=True):
            if sequence.slot is not None:
                sequence.slot.tokens.extend(row.tokens)


def _slot_number(sequence: Sequence) -> int:
    return sequence.slot.number if sequence.slot else -1
