"""How well the check tells sentences that a page carries from the same with one thing changed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.backend.ask.evidence import Evidence
from app.backend.evaluation import swaps
from app.backend.evaluation.measures import auroc
from app.backend.evaluation.questions import Question
from app.evaluation import Measure
from app.records import Passage, Source

_SEED = 5


@dataclass(slots=True)
class Checks:
    """Scores of true and of changed sentences so far."""

    true: list[tuple[float, bool]] = field(default_factory=list)
    changed: list[tuple[float, bool]] = field(default_factory=list)

    def add(self, question: Question, passages: Sequence[Passage]) -> None:
        """Check a question's sentence, and it with a number, a date and a name changed.

        Args:
            passages: as an answer would rest on; one of them holds the sentence.
        """
        sources = [Source(number, passage, 1 / number, True) for number, passage in enumerate(passages, 1)]
        evidence = Evidence(sources, question.made.text)
        sentence = question.made.sentence
        self.true.append(_scored(evidence, sentence))
        # Seeded by the sentence: the same one is always changed alike, whatever was checked before.
        draw = random.Random(f"{_SEED}{sentence}")  # noqa: S311 - cases to measure with, no secrets
        for swap in (swaps.number, swaps.date, swaps.name):
            changed = swap(sentence, draw)
            if changed is not None and not any(changed in passage.text for passage in passages):
                self.changed.append(_scored(evidence, changed))

    def measures(self) -> tuple[Measure, ...]:
        """Which share of each is called wrong, and how well the scores tell the two apart."""
        true, changed = len(self.true), len(self.changed)
        caught = sum(not supported for _, supported in self.changed) / changed if changed else None
        doubted = sum(not supported for _, supported in self.true) / true if true else None
        area = None
        if true and changed:
            area = auroc([score for score, _ in self.true], [score for score, _ in self.changed])
        return (
            Measure("checks", "changed sentences caught", caught, changed),
            Measure("checks", "true sentences doubted", doubted, true),
            Measure("checks", "AUROC of the two", area, true + changed),
        )


def _scored(evidence: Evidence, sentence: str) -> tuple[float, bool]:
    found = evidence.support(sentence)
    return (found.score, found.supported) if found is not None else (0.0, False)
