"""How much a model is given to read: what fits its context window, and what it can take in.

Sizes are tokens of the chat model. A model below a thousand million parameters is tiny: it gets one
sentence. On a processor the first token of a long prompt takes long, so there the passages
are also bounded by the prefill speed that this machine has shown.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")

TINY_BELOW = 1_000_000_000
# Of one, two and three sentences and whole passages, one gave the most right answers.
TINY_SENTENCES = 1
# What a person waits for the first token, in seconds.
_PATIENCE = 6.0
_LEAST_READING = 600
_MOST_READING = 6_000
_UNMEASURED_READING = 1_500
FOLLOW_UP = 6
"""A follow-up has a sixth more read than stands in front of the model, so that it is answered soon."""


@dataclass(frozen=True, slots=True)
class Room:
    """Tokens of the context window: for passages, and for the answer."""

    passages: int
    answer: int


class Pace:
    """Prefill speed of each model on this machine, as measured by the answers so far."""

    def __init__(self) -> None:
        self._speeds: dict[str, float] = {}

    def measured(self, model_sha256: str, tokens: int, milliseconds: float) -> None:
        """An answer computed `tokens` of its prompt in `milliseconds`."""
        if tokens >= 100 and milliseconds > 0:
            self._speeds[model_sha256] = tokens / milliseconds * 1000

    def reading(self, model_sha256: str, *, on_gpu: bool) -> int:
        """How many tokens of passages this model reads while a person waits."""
        speed = self._speeds.get(model_sha256)
        if speed is None:
            return _MOST_READING if on_gpu else _UNMEASURED_READING
        return int(min(max(speed * _PATIENCE, _LEAST_READING), _MOST_READING))

    def estimate(self, model_sha256: str, tokens: int) -> float:
        """Milliseconds that this model takes to read so many tokens; before it was measured, a guess."""
        speed = self._speeds.get(model_sha256, _UNMEASURED_READING / _PATIENCE)
        return tokens / speed * 1000


def room(context_length: int, fixed: int, answer_tokens: int, reading: int) -> Room:
    """Share the context window out.

    Args:
        fixed: tokens of the prompt without passages.
        answer_tokens: the longest answer wanted; a small window keeps half for the passages.
        reading: the most tokens of passages wanted.
    """
    free = max(context_length - fixed, 0)
    answer = min(answer_tokens, max(free // 2, min(free, 1)))
    return Room(passages=min(free - answer, reading), answer=answer)


def fitting(items: Sequence[_T], tokens: int, cost: Callable[[_T], int]) -> tuple[bool, ...]:
    """Which passages are read: the best first while there is room; a long one may be passed over."""
    read = []
    for item in items:
        needed = cost(item)
        taken = needed <= tokens
        if taken:
            tokens -= needed
        read.append(taken)
    return tuple(read)


def recent(turns: Sequence[int], tokens: int) -> int:
    """How many of the latest turns fit in `tokens`; `turns` are their sizes, oldest first."""
    count = 0
    for size in reversed(turns):
        if size > tokens:
            break
        tokens -= size
        count += 1
    return count
