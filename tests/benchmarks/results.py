"""What a measurement leaves: figures by round, and what they say about a claim. Pure."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from claims import CLAIMS, Claim


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the ends of some figures."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, figures: Sequence[float]) -> "Spread":
        return cls(statistics.median(figures), min(figures), max(figures))


@dataclass(frozen=True, slots=True)
class Result:
    """The figures of one claim, a round each; or why there are none.

    `theirs` has as many as `ours`, from the same rounds, or none where nothing is compared.
    """

    claim: Claim
    ours: tuple[float, ...] = ()
    theirs: tuple[float, ...] = ()
    missing: str = ""

    @property
    def judged(self) -> tuple[float, ...]:
        """What the bound holds for: ratios round by round (a drift of the machine is in both), or ours."""
        if not self.theirs:
            return self.ours
        return tuple(mine / other for mine, other in zip(self.ours, self.theirs, strict=True))

    @property
    def holds(self) -> bool | None:
        """Whether the claim is true; None: nothing is claimed, or nothing was measured."""
        if self.claim.bound is None or not self.ours:
            return None
        spread, least = Spread.of(self.judged), self.claim.at_least
        figure = (spread.low if least else spread.high) if self.claim.worst else spread.median
        return figure >= self.claim.bound if least else figure <= self.claim.bound


class Figures:
    """Gathers figures of claims, round by round."""

    def __init__(self) -> None:
        self._ours: dict[str, list[float]] = {}
        self._theirs: dict[str, list[float]] = {}

    def add(self, name: str, ours: float, theirs: float | None = None) -> None:
        self._ours.setdefault(name, []).append(ours)
        if theirs is not None:
            self._theirs.setdefault(name, []).append(theirs)

    def results(self) -> list[Result]:
        return [
            Result(CLAIMS[name], tuple(ours), tuple(self._theirs.get(name, ())))
            for name, ours in self._ours.items()
        ]


def not_measured(prefix: str, why: str) -> list[Result]:
    """Results without figures for every claim whose name begins like this."""
    return [Result(claim, missing=why) for name, claim in CLAIMS.items() if name.startswith(prefix)]


def percentile(figures: Sequence[float], share: float) -> float:
    """The figure below which `share` (0 to 1) of them lie, between neighbours in proportion."""
    ordered = sorted(figures)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)
