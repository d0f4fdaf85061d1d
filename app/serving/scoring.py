"""How likely texts are to the model: the log-likelihood of continuations after a common beginning.

For rerankers and for choosing quotes. The beginning is computed once; then the continuations run
side by side in one memory they share, many in a batch.
"""

from collections.abc import Generator, Iterator
from collections.abc import Sequence as Tokens
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.errors import ContextOverflowError
from app.serving.kv_cache import shared_prefix
from app.serving.logprobs import log_softmax
from app.serving.native_context import NativeContext
from app.serving.scheduler import Row

BRANCHES = 16
"""Continuations that are computed side by side."""

LONGEST = 2_048
"""Tokens that a beginning and one continuation may have together."""

SCORED_AT_ONCE = 64
"""Scores one step gives; each is as wide as the vocabulary."""

BATCH = 256
"""Tokens of the beginning that one step computes."""


@dataclass(eq=False, slots=True)
class Scoring:
    """One request. `done` gets one log-likelihood (natural, of all its tokens) a continuation."""

    prefix: tuple[int, ...]
    continuations: tuple[tuple[int, ...], ...]
    done: "Future[tuple[float, ...]]" = field(default_factory=Future)
    cancelled: bool = False
    begun: bool = False
    urgent: bool = False

    @property
    def waiting(self) -> bool:
        return not self.begun


@dataclass(frozen=True, slots=True)
class Step:
    """One batch to compute; with `scored` every token gets scores, else each row's last."""

    rows: tuple[Row, ...]
    scored: bool


class Scorer:
    """Computes scorings in a context of its own, on the engine's thread."""

    def __init__(self, context: NativeContext) -> None:
        """`context`: of BRANCHES + 1 shared slots."""
        self.context = context
        self._held: list[int] = []  # what the first slot holds

    def steps(self, scoring: Scoring) -> Generator[Step, None, tuple[float, ...]]:
        """What is to be computed, batch by batch; returns the result. Each must be computed when it comes."""
        scoring.begun = True
        first = yield from self._begin(scoring.prefix)
        found = [float(first[tokens[0]]) for tokens in scoring.continuations]
        for group in self._groups(scoring):
            yield from self._follow(scoring, group, found)
        return tuple(found)

    def forget(self) -> None:
        """A step failed: what is in memory is not known."""
        self.context.clear()
        self._held = []

    def _begin(self, prefix: Tokens[int]) -> Generator[Step, None, NDArray[np.float64]]:
        """Compute the beginning; the log-probabilities of what comes after it, shape (vocabulary,)."""
        kept = self.context.truncate(0, min(shared_prefix(self._held, prefix), len(prefix) - 1))
        self._held = list(prefix[:kept])
        while kept < len(prefix):
            chunk = prefix[kept : kept + BATCH]
            kept += len(chunk)
            yield Step((Row(0, len(self._held), chunk, kept == len(prefix)),), scored=False)
            self._held.extend(chunk)
            last = len(chunk) - 1
        return log_softmax(self.context.scores(last))

    def _follow(
        self, scoring: Scoring, group: Tokens[int], found: list[float]
    ) -> Generator[Step, None, None]:
        """Compute a group of continuations side by side and add to what is `found` of each."""
        start = len(scoring.prefix)
        for branch, place in enumerate(group, start=1):
            if len(scoring.continuations[place]) > 1:
                self.context.copy(0, branch)
        done = dict.fromkeys(group, 0)
        while rows := self._rows(scoring, group, done):
            yield Step(
                tuple(Row(branch, start + done[at], tokens, True) for branch, at, tokens in rows), True
            )
            index = 0
            for _, place, tokens in rows:
                continuation = scoring.continuations[place]
                for offset in range(len(tokens)):
                    following = continuation[done[place] + offset + 1]
                    found[place] += log_probability(self.context.scores(index), following)
                    index += 1
                done[place] += len(tokens)
        for branch in range(1, len(group) + 1):
            self.context.truncate(branch, 0)

    def _rows(
        self, scoring: Scoring, group: Tokens[int], done: dict[int, int]
    ) -> list[tuple[int, int, tuple[int, ...]]]:
        """The next batch of a group: branch, place and tokens. The last token of each needs no scores."""
        rows, room = [], SCORED_AT_ONCE
        for branch, place in enumerate(group, start=1):
            tokens = scoring.continuations[place][done[place] : -1][:room]
            if tokens:
                rows.append((branch, place, tokens))
                room -= len(tokens)
        return rows

    def _groups(self, scoring: Scoring) -> Iterator[list[int]]:
        """Continuations, by their places, as many at once as the memory holds."""
        group: list[int] = []
        room = self.context.length - len(scoring.prefix)
        for place, tokens in enumerate(scoring.continuations):
            if group and (len(group) == BRANCHES or len(tokens) > room):
                yield group
                group, room = [], self.context.length - len(scoring.prefix)
            group.append(place)
            room -= len(tokens)
        if group:
            yield group


def check(prefix: Tokens[int], continuations: Tokens[Tokens[int]], length: int) -> None:
    """Refuse what does not fit.

    Raises:
        ContextOverflowError: with the figures.
    """
    longest = len(prefix) + max((len(tokens) for tokens in continuations), default=0)
    if longest > length:
        raise ContextOverflowError(longest, length)


def log_probability(scores: NDArray[np.float32], token: int) -> float:
    """As `log_softmax`, for one token, at half the cost."""
    shifted = scores - scores.max()
    return float(shifted[token]) - float(np.log(np.exp(shifted).sum(dtype=np.float64)))
