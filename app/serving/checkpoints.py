"""Points a running state can go back to.

A recurrent or hybrid model keeps one state of all it has read, which cannot be cut at a token. So
copies of it are kept from places where a later prompt may branch off: along a prompt, and before
its last token. Bounded in bytes; the oldest go first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

LIMIT = 256 << 20
"""Bytes of all checkpoints together."""

APART = 256
"""Tokens between two checkpoints along a prompt."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of `slot` after `length` tokens."""

    slot: int
    length: int
    state: memoryview


class Checkpoints:
    """Those of one context. Bookkeeping only: no model, no thread."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._kept: list[Checkpoint] = []  # the oldest first

    def due(self, slot: int, length: int, *, at_end: bool) -> bool:
        """Whether the state of `slot` after `length` tokens is worth keeping; `at_end` of a prompt it is."""
        last = max((point.length for point in self._of(slot)), default=0)
        return length > last if at_end else length - last >= APART

    def keep(self, point: Checkpoint) -> None:
        """Keep one more; what does not fit any more goes."""
        self._kept.append(point)
        total = sum(len(kept.state) for kept in self._kept)
        while total > self._limit:
            total -= len(self._kept.pop(0).state)

    def best(self, slot: int, length: int) -> Checkpoint | None:
        """The latest of `slot` that is not after `length` tokens."""
        return max(
            (point for point in self._of(slot) if point.length <= length),
            key=lambda point: point.length,
            default=None,
        )

    def cut(self, slot: int, length: int) -> None:
        """What `slot` held from `length` on is gone: so are the checkpoints after it."""
        self._kept = [point for point in self._kept if point.slot != slot or point.length <= length]

    def _of(self, slot: int) -> Iterator[Checkpoint]:
        return (point for point in self._kept if point.slot == slot)
