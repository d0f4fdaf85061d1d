"""Who computes what in the next step. Pure bookkeeping: no model, no thread, no clock.

Every step is one batch: continuous batching. Running answers come first with one token each, so
that none of them stutters while a long prompt is read; what is left of the batch goes to prompts,
in chunks. Sequences join and leave between any two steps. What is left after that may go to drafts,
which are guesses at what an answer says next (`drafting.py`).

Fair means: urgent questions (a person waits for them at this window) go before all others, and take
the place of one of those if there is no other. Not without end: after some urgent ones in a row it is
another's turn, which is pushed out a few times at most, and of each chunk it reads a part. Among the
rest, the client that was served the fewest tokens is next, whoever asks more often; who is new begins
where an equal share of all that was served would be, so that a stream of new clients keeps nobody
waiting for ever. Of the prompts that are being read, the oldest gets half of each chunk and the
shortest the other half: no prompt waits for ever, and no short one for long. Where there is room for that
they are read in parts that are not small, few at a time.
"""

import itertools
from collections import deque
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Tokens
from dataclasses import dataclass, replace
from types import MappingProxyType

from app.serving.kv_cache import KvCache, Place
from app.serving.sequence import Sequence

URGENT_IN_A_ROW = 4
"""Urgent questions that are given a place one after the other, while somebody else waits for one."""

PUSHED_OUT = 2
"""How often an answer makes room for an urgent question, at most."""

READ_AT_ONCE = 2
"""Prompts that are read side by side in one step, short ones apart."""

SMALLEST_PART = 64
"""Tokens of a prompt that one step reads, at least, unless fewer are left of it or there is no room: with
flash attention llama.cpp computes fewer one by one, which takes longer and is rounded differently."""

_LEFT = 8  # of each chunk one part in so many is not for urgent prompts

_NO_DRAFTS: Mapping[Sequence, Tokens[int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Row:
    """One token run of a batch: `tokens` at positions `start`, `start`+1, ... of sequence `slot`.

    With `output` the scores after its last token can be sampled. The last `drafted` of its tokens
    are guesses, which nobody has sampled: then so can the scores before and between them. `left` are the
    tokens of the same text that come after it, in later steps.
    """

    slot: int
    start: int
    tokens: Tokens[int]
    output: bool
    drafted: int = 0
    left: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """One step: rows in ascending order of slot, and whose they are. Empty: nothing to do."""

    rows: tuple[Row, ...] = ()
    sequences: tuple[Sequence, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def drafted(self) -> int:
        """Guesses in all its rows."""
        return sum(row.drafted for row in self.rows)

    def one_by_one(self) -> Iterator["Plan"]:
        """Each row as a step of its own, without its guesses."""
        for row, sequence in zip(self.rows, self.sequences, strict=True):
            tokens = row.tokens[: len(row.tokens) - row.drafted]
            yield Plan((replace(row, tokens=tokens, drafted=0),), (sequence,))


class Scheduler:
    """Shares the slots of `cache`, and the tokens of each step, among the sequences."""

    def __init__(
        self, cache: KvCache, *, batch: int, pauses_before_last: bool = False, drafts: int = 0
    ) -> None:
        """
        Args:
            batch: the most tokens of one step; at least one a slot.
            drafts: the most guesses of one step, of all its rows.
            pauses_before_last: the last token of a prompt gets a step of its own, so that what was
                read before it can be kept for the same prompt with another ending.
        """
        self._cache = cache
        self._batch = batch
        self._pauses = pauses_before_last
        self._drafts = drafts
        self._waiting: list[Sequence] = []
        self._running: list[Sequence] = []
        self._arrivals = itertools.count()
        self._arrived: dict[Sequence, int] = {}
        self._pushed_out: dict[Sequence, int] = {}  # how often
        self._urgent_in_a_row = 0  # that were given a place while others waited
        self._served: dict[str, float] = {}  # tokens computed for each client that is here
        self._share = 0.0  # tokens that each client would have been served, were all served alike

    @property
    def idle(self) -> bool:
        return not self._waiting and not self._running

    @property
    def decoding(self) -> bool:
        """Whether somebody's answer is being written."""
        return any(sequence.missing == 1 for sequence in self._running)

    @property
    def watched(self) -> bool:
        """Whether an urgent answer is being written."""
        return any(sequence.urgent and sequence.missing == 1 for sequence in self._running)

    @property
    def alone(self) -> Sequence | None:
        """The one whose answer is being written while nobody else computes anything."""
        if len(self._running) == 1 and self._running[0].missing == 1:
            return self._running[0]
        return None

    @property
    def sequences(self) -> tuple[Sequence, ...]:
        """Everyone who has not ended, running ones first."""
        return (*self._running, *self._waiting)

    def add(self, sequence: Sequence) -> None:
        self._arrived[sequence] = next(self._arrivals)
        # Neither ahead for having been away, nor behind; and behind all who are owed something.
        self._served.setdefault(sequence.client, self._share)
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
        elif sequence in self._running:
            self._leave(sequence)
        self._arrived.pop(sequence, None)
        self._pushed_out.pop(sequence, None)
        if all(other.client != sequence.client for other in self.sequences):
            self._served.pop(sequence.client, None)

    def limit(self, slots: int) -> None:
        """Do with the first `slots`, and with one at least; whoever has another waits for one of these."""
        slots = max(1, slots)
        for sequence in tuple(self._running):
            if _slot_number(sequence) >= slots:
                self._put_back(sequence)
        self._cache.limit(slots)

    def admit(self) -> tuple[tuple[Sequence, Place], ...]:
        """Give slots to those whose turn it is; return who got which.

        The model's memory must follow each place, in this order, before the next step.
        """
        if not self._waiting:
            return ()
        admitted: list[tuple[Sequence, Place]] = []
        for sequence in self._in_turn():
            if not self._cache.free_slots and not (sequence.urgent and self._make_room(admitted)):
                continue
            if not sequence.urgent and self._cache.worth_waiting(sequence.tokens):
                continue
            place = self._cache.take(sequence.tokens)
            sequence.start(place.slot)
            self._waiting.remove(sequence)
            self._running.append(sequence)
            admitted.append((sequence, place))
            passed_over = sequence.urgent and any(not other.urgent for other in self._waiting)
            self._urgent_in_a_row = self._urgent_in_a_row + 1 if passed_over else 0
        return tuple(admitted)

    def ahead(self, sequence: Sequence) -> int:
        """How many tokens of its answer can be guessed in one step, in which one more is sampled."""
        room = self._cache.length - len(sequence.tokens)
        return max(0, min(self._drafts, sequence.left - 1, room - 1))

    def schedule(
        self, prefill: int | None = None, drafts: Mapping[Sequence, Tokens[int]] = _NO_DRAFTS
    ) -> Plan:
        """The next batch. Nothing changes until `commit`: a step that failed is planned again.

        Args:
            prefill: the most tokens of prompts in it, but for a rest that would be small; None: as many
                as fit.
            drafts: guesses at what answers say next. As much of them is taken up as fits.
        """
        sizes = {sequence: 1 for sequence in self._running if sequence.missing == 1}
        room = self._batch - len(sizes)
        if prefill is not None:
            room = min(room, max(1, prefill))
        parts = self._parts(room, self._batch - len(sizes))
        sizes |= parts
        rows = []
        room = min(max(0, room - sum(parts.values())), self._drafts)
        for sequence in sorted(sizes, key=_slot_number):
            begin, size = sequence.computed, sizes[sequence]
            tokens = tuple(sequence.tokens[begin : begin + size])
            left = len(sequence.tokens) - begin - size
            guessed: Tokens[int] = ()
            if drafts and size == 1 and not left:
                guessed = tuple(drafts.get(sequence, ()))[: min(room, self.ahead(sequence))]
                room -= len(guessed)
            row = Row(_slot_number(sequence), begin, (*tokens, *guessed), not left, len(guessed), left)
            rows.append((row, sequence))
        return Plan(tuple(row for row, _ in rows), tuple(sequence for _, sequence in rows))

    def commit(self, plan: Plan, right: Tokens[int]) -> None:
        """The step was computed: its tokens are in memory now.

        Args:
            right: for each row, how many of its guesses came true. The others are to be cut from the
                model's memory.
        """
        for row, sequence, came_true in zip(plan.rows, plan.sequences, right, strict=True):
            self._share += len(row.tokens) / max(1, len(self._served))
            if sequence.slot is not None:
                sequence.slot.tokens.extend(row.tokens[: len(row.tokens) - row.drafted + came_true])
            if sequence.client in self._served:
                self._served[sequence.client] += len(row.tokens)

    def _in_turn(self) -> Iterator[Sequence]:
        """Those who wait, whose turn it is first; follows what is admitted meanwhile."""
        ordered = sorted(self._waiting, key=self._turn)
        urgent = deque(sequence for sequence in ordered if sequence.urgent)
        others = deque(sequence for sequence in ordered if not sequence.urgent)
        while urgent or others:
            first = urgent if urgent and self._urgent_in_a_row < URGENT_IN_A_ROW else others or urgent
            yield first.popleft()

    def _turn(self, sequence: Sequence) -> tuple[float, int]:
        """Sorts those who wait: the smallest is next."""
        return (self._served[sequence.client], self._arrived[sequence])

    def _make_room(self, admitted: list[tuple[Sequence, Place]]) -> bool:
        """Let the youngest answer that is not urgent wait again; it goes on later where it was.

        Nobody who was `admitted` just now, or was pushed out often enough.
        """
        stay = {sequence for sequence, _ in admitted}
        others = [
            sequence
            for sequence in self._running
            if not (sequence.urgent or sequence in stay) and self._pushed_out.get(sequence, 0) < PUSHED_OUT
        ]
        if not others:
            return False
        youngest = max(others, key=self._arrived.__getitem__)
        self._pushed_out[youngest] = self._pushed_out.get(youngest, 0) + 1
        self._put_back(youngest)
        return True

    def _put_back(self, sequence: Sequence) -> None:
        self._leave(sequence)
        self._waiting.append(sequence)

    def _leave(self, sequence: Sequence) -> None:
        self._running.remove(sequence)
        slot = sequence.pause()
        if slot is not None:
            self._cache.give_back(slot)

    def _parts(self, room: int, most: int) -> dict[Sequence, int]:
        """How much of each prompt is read: `room` tokens in all, or up to `most` where that avoids a rest."""
        reading = [sequence for sequence in self._running if sequence.missing > 1]
        sizes: dict[Sequence, int] = {}
        left = room
        for sequence, share in self._shares(reading, room):
            done = sizes.get(sequence, 0)
            size = min(share, self._readable(sequence) - done, left)
            sizes[sequence] = done + size
            left -= size
        if room >= 2 * SMALLEST_PART:
            self._avoid_small_parts(sizes, most - room + left)
        return {sequence: size for sequence, size in sizes.items() if size > 0}

    def _avoid_small_parts(self, sizes: dict[Sequence, int], spare: int) -> None:
        """Change how much of each prompt is read so that hardly any parts and rests are small.

        Args:
            sizes: those with a right to be read first.
            spare: tokens that there is room for beyond these.
        """
        long, first = 0, next((sequence for sequence in sizes if not sequence.urgent), None)
        for sequence, size in sizes.items():
            left = self._readable(sequence) - size
            long += size >= SMALLEST_PART
            if size < SMALLEST_PART:
                if left and not (sequence.urgent or sequence is first):
                    sizes[sequence] = 0
            elif long > READ_AT_ONCE:
                sizes[sequence] = 0
            elif 0 < left < SMALLEST_PART:
                if size + left >= 2 * SMALLEST_PART:
                    sizes[sequence] = size + left - SMALLEST_PART
                elif left <= spare:
                    sizes[sequence] = size + left
                    spare -= left

    def _readable(self, sequence: Sequence) -> int:
        """Tokens of its prompt that the next step can read: the last one may be left for another."""
        return sequence.missing - self._pauses

    def _shares(self, reading: list[Sequence], room: int) -> list[tuple[Sequence, int]]:
        """How much of `room` each prompt may have, in the order in which they take it."""
        first = sorted(reading, key=lambda sequence: (not sequence.urgent, self._arrived[sequence]))
        urgent = [(sequence, room) for sequence in first if sequence.urgent]
        oldest = [sequence for sequence in first if not sequence.urgent]
        if not oldest:
            return urgent
        shortest = min(oldest, key=lambda sequence: (sequence.missing, self._arrived[sequence]))
        half = (room + 1) // 2
        everyone = [(sequence, room) for sequence in oldest]
        left = max(1, room // _LEFT) if urgent and room > 1 else 0
        return [(oldest[0], left), *urgent, (oldest[0], half), (shortest, room), *everyone]


def _slot_number(sequence: Sequence) -> int:
    return sequence.slot.number if sequence.slot else -1
