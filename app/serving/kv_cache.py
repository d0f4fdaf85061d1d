"""Which tokens each slot of the model's memory holds. Bookkeeping only: no model, no thread.

A slot is one sequence's place in llama.cpp's KV cache. What a finished sequence left there stays
until the slot is taken again: a prompt that begins the same way (the next turn of a conversation)
then skips that part.
"""

from collections.abc import Sequence


class Slot:
    """One place. `tokens` are computed and in memory, in order, from position 0 on."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.tokens: list[int] = []
        self.taken = False


class KvCache:
    """The slots of one context, each `length` positions long."""

    def __init__(self, length: int, slots: int = 1) -> None:
        self.length = length
        self._slots = [Slot(number) for number in range(slots)]

    @property
    def free_slots(self) -> int:
        return sum(not slot.taken for slot in self._slots)

    def take(self, prompt: Sequence[int]) -> Slot:
        """Take the free slot that shares the longest beginning with `prompt`, cut to that.

        At least the prompt's last token is left to compute: its scores choose the first token of
        the answer. The caller must cut the model's memory to `len(slot.tokens)` as well.
        """
        free = [slot for slot in self._slots if not slot.taken]
        best = max(free, key=lambda slot: (shared_prefix(slot.tokens, prompt), -len(slot.tokens)))
        del best.tokens[min(shared_prefix(best.tokens, prompt), len(prompt) - 1) :]
        best.taken = True
        return best

    def give_back(self, slot: Slot) -> None:
        """The sequence is over; its tokens stay for whoever begins the same way."""
        slot.taken = False

    def forget(self) -> None:
        """The model's memory was cleared."""
        for slot in self._slots:
            slot.tokens.clear()


def shared_prefix(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens the two have in common from the beginning on."""
    count = 0
    for left, right in zip(first, second, strict=False):
        if left != right:
            break
        count += 1
    return count
