"""Which tokens each slot of the model's memory holds. Bookkeeping only: no model, no thread.

A slot is one sequence's place in llama.cpp's KV cache. What a finished sequence left there stays
until the slot is taken again, so that nothing is computed twice: the next turn of a conversation
goes on in its slot, and a prompt that begins like another (the same instructions, the same
document) gets a copy of that beginning, even while the other is still being answered.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

COPY_WORTH = 64
"""Tokens from which copying them is cheaper than computing them again."""

_COMPARED_AT_ONCE = 256


class Slot:
    """One place. `tokens` are computed and in memory, in order, from position 0 on."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tokens: list[int] = []
        self.taken = False
        self.coming: Sequence[int] = ()  # what its sequence will have computed: its tokens so far
        self.kept = 0  # tokens that were saved to disk
        self.used = 0  # the larger, the later
        self.secret = False  # to be forgotten as soon as it is not in use any more


@dataclass(frozen=True, slots=True)
class Place:
    """A slot that was taken. The model's memory must follow before the next step.

    `source`: the slot whose memory is copied into this one first (None: nothing is copied).
    `lost`: what the slot held until now, if most of that goes and it is not on disk; else empty.
    """

    slot: Slot
    source: Slot | None
    lost: tuple[int, ...]


class KvCache:
    """The slots of one context, each `length` positions long."""

    def __init__(self, length: int, slots: int = 1, *, copies: bool = True) -> None:
        """`copies`: whether one slot's beginning can be copied to another (a running state cannot)."""
        self.length = length
        self._slots = [Slot(number) for number in range(slots)]
        self._copies = copies
        self._clock = itertools.count(1)

    @property
    def slots(self) -> tuple[Slot, ...]:
        return tuple(self._slots)

    @property
    def free_slots(self) -> int:
        return sum(not slot.taken for slot in self._slots)

    def take(self, prompt: Sequence[int]) -> Place:
        """Take the free slot in which `prompt` has least to compute and which loses least by it.

        That is the slot of the conversation that it goes on with, if there is one; else the slot
        that was not used for longest, with a copy of the beginning that `prompt` shares with any
        other. At least the prompt's last token is left to compute: its scores choose the first
        token of the answer.
        """
        shared = {slot.number: self._shared(slot.tokens, prompt) for slot in self._slots}
        free = [slot for slot in self._slots if not slot.taken]
        going_on = [
            slot for slot in free if shared[slot.number] and shared[slot.number] * 2 >= len(slot.tokens)
        ]
        source = max(self._slots, key=lambda slot: shared[slot.number])
        if going_on:
            chosen = max(going_on, key=lambda slot: shared[slot.number])
        else:
            chosen = min(free, key=lambda slot: (bool(slot.tokens), slot.used, self._apart(slot)))
        before = tuple(chosen.tokens) if chosen.kept < len(chosen.tokens) else ()
        gained = shared[source.number] - shared[chosen.number]
        if self._copies and gained >= COPY_WORTH:
            chosen.tokens[:] = source.tokens[: shared[source.number]]
            chosen.kept = 0
        else:
            source = chosen
            del chosen.tokens[shared[chosen.number] :]
            chosen.kept = min(chosen.kept, len(chosen.tokens))
        chosen.taken = True
        chosen.used = next(self._clock)
        lost = before if shared_prefix(before, chosen.tokens) * 2 < len(before) else ()
        return Place(chosen, None if source is chosen else source, lost)

    def worth_waiting(self, prompt: Sequence[int]) -> bool:
        """Whether a sequence is computing a beginning right now that `prompt` could copy soon."""
        if not self._copies:
            return False
        now = max(self._shared(slot.tokens, prompt) for slot in self._slots)
        reading = (slot for slot in self._slots if len(slot.coming) - len(slot.tokens) > 1)
        soon = max((self._shared(slot.coming, prompt) for slot in reading), default=0)
        return soon > now and soon >= COPY_WORTH

    def give_back(self, slot: Slot) -> None:
        """The sequence is over; its tokens stay for whoever begins the same way."""
        slot.taken = False
        slot.coming = ()
        slot.used = next(self._clock)

    def limit(self, slots: int) -> None:
        """Do with the first `slots` from now on; the others are not in use."""
        del self._slots[slots:]

    def forget(self) -> None:
        """The model's memory was cleared."""
        for slot in self._slots:
            slot.tokens.clear()
            slot.kept = 0

    def _shared(self, held: Sequence[int], prompt: Sequence[int]) -> int:
        return min(shared_prefix(held, prompt), len(prompt) - 1)

    def _apart(self, slot: Slot) -> int:
        """How far it is from the slots in use: llama.cpp computes neighbours in one go."""
        return min((abs(slot.number - other.number) for other in self._slots if other.taken), default=0)


def shared_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens the two have in common from the beginning on."""
    count, shortest = 0, min(len(first), len(second))
    step = _COMPARED_AT_ONCE  # long equal stretches are compared by the interpreter's own loop
    while count + step <= shortest and [*first[count : count + step]] == [*second[count : count + step]]:
        count += step
    while count < shortest and first[count] == second[count]:
        count += 1
    return count
