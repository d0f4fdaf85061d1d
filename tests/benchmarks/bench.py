"""What all measurements share: the models, the threads, and the order of sides in a round."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from machine import Others
from places import say

from app.serving.catalogue import Bundled

_Side = TypeVar("_Side")


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmarks. `torch`: an interpreter that has sentence-transformers, if any."""

    models: Bundled
    threads: int
    rounds: int
    torch: Path | None = None

    def numbers(self, *, warm_up: bool = False) -> Iterator[int]:
        """The numbers of the rounds; with `warm_up` a -1 first, which must not count."""
        for number in range(-1 if warm_up else 0, self.rounds):
            others = Others()
            yield number
            done = "warmed up" if number < 0 else f"round {number + 1} of {self.rounds}"
            say(f"  {done}; others took {others.share():.0%} of the processors")


def in_turns(sides: Sequence[_Side], number: int) -> list[_Side]:
    """The sides in the order of one round: each comes first, in the middle and last as often.

    A machine that slows down during a round, or is warm from the side before, is then unfair to
    each of them in turn.
    """
    begin = number % len(sides)
    return [*sides[begin:], *sides[:begin]]
