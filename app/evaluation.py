"""What an evaluation says, as it crosses the wire: numbers, the cases behind them, and what with."""

from dataclasses import dataclass
from typing import Literal

from app.records import Model


@dataclass(frozen=True, slots=True)
class Measure:
    """One number of an evaluation, over `count` cases; None where there was nothing to measure.

    A "share" is between 0 and 1. `name` is stable: evaluations are compared by it.
    """

    group: Literal["finding", "answers", "checks", "speed"]
    name: str
    value: float | None
    count: int
    unit: Literal["share", "ms", "tokens/s"] = "share"


@dataclass(frozen=True, slots=True)
class Case:
    """One question of an evaluation, and what came of it, so that the numbers can be looked behind.

    Attributes:
        fact, place: the words that answer it and where they stand; empty for a public set.
        rank: place of the first passage that answers it, from 1; None: not among those found.
        answer: None where no answer was asked for. `refused`: nothing of it stands as a fact.
        answerable: False: the document that answers it was left out.
    """

    question: str
    fact: str = ""
    place: str = ""
    rank: int | None = None
    answer: str | None = None
    refused: bool = False
    answerable: bool = True


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How good a library is found and answered from, and what the numbers were measured with.

    `settings` are those that the numbers depend on, by name. `note` says what could not be measured.
    """

    made_at: float
    version: str
    of: str
    quick: bool
    documents: int
    passages: int
    models: tuple[Model, ...]
    settings: dict[str, str]
    measures: tuple[Measure, ...]
    seconds: float
    note: str = ""
    cases: tuple[Case, ...] = ()
