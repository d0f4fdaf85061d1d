"""Ties each finished sentence of an answer to the passage it rests on, or to none, while it streams.

Marks that the model wrote are checked like everything else: among passages that carry a sentence
the marked one is cited, and a mark on a passage that does not carry it counts for nothing.
"""

import bisect
from collections.abc import Sequence

from app.backend.ask.evidence import Evidence
from app.backend.ask.marks import Mark
from app.backend.ask.sentences import SentenceStream, Span
from app.backend.ask.swaps import Doubt
from app.records import Citation


class Grounding:
    """Checks the sentences of one answer while it streams.

    Attributes:
        doubts: by their offsets, what of sentences that were found supported is not settled yet.
    """

    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._sentences = SentenceStream()
        self.doubts: dict[Span, Doubt] = {}

    @property
    def text(self) -> str:
        """The answer so far, as shown."""
        return self._sentences.text

    def feed(self, text: str, marks: Sequence[Mark] = ()) -> tuple[Citation, ...]:
        """Take the next piece of the shown text; return the checks of sentences that ended.

        `marks`: all the marks the model has written so far, in order.
        """
        return self._check(self._sentences.feed(text), marks)

    def finish(self, marks: Sequence[Mark] = ()) -> tuple[Citation, ...]:
        """There is no more text: check what is left."""
        return self._check(self._sentences.finish(), marks)

    def _check(self, spans: list[Span], marks: Sequence[Mark]) -> tuple[Citation, ...]:
        return tuple(
            citation for start, end in spans if (citation := self._citation(start, end, marks)) is not None
        )

    def _citation(self, start: int, end: int, marks: Sequence[Mark]) -> Citation | None:
        first = bisect.bisect_right(marks, start, key=lambda mark: mark.at)
        last = bisect.bisect_right(marks, end, key=lambda mark: mark.at)
        support = self._evidence.support(self.text[start:end], [mark.number for mark in marks[first:last]])
        if support is None:
            return None
        if support.verdict == "unsupported":
            return Citation(start, end, "unsupported", None, None, None)
        if support.doubt is not None:
            self.doubts[start, end] = support.doubt
        return Citation(start, end, support.verdict, support.source, support.start, support.end)
