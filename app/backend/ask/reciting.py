"""An answer in the documents' own sentences: quotes in an order, with only fixed words between."""

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from app.events import Checked, Delta
from app.records import Citation, Usage
from app.serving.generation import End, EndReason


@dataclass(frozen=True, slots=True)
class Quote:
    """A sentence of a source, word for word: passage.text[start:end], `text` without line ends.

    `score`: how well it fits the question by the evidence of the search; comparable within one question.
    """

    source: int
    start: int
    end: int
    text: str
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """Fixed words (or a document's name) in front of a quote; without a quote the words alone."""

    lead: str
    quote: Quote | None = None


class Reciting:
    """Shows the lines one after the other. Used once, on one loop; it has the face of a `Writing`.

    Attributes:
        text: what was shown so far; no model writes anything, so `raw` is empty.
        citations: the quotes in `text`, in order.
        first_shown: `time.perf_counter()` of the first text that was shown.
    """

    raw = ""
    end: End | None = None
    prefill_ms = 0.0
    decode_ms = 0.0

    def __init__(self, lines: Sequence[Line]) -> None:
        self.text = ""
        self.citations: list[Citation] = []
        self.first_shown: float | None = None
        self.stopped = False
        self._lines = lines

    @property
    def usage(self) -> Usage:
        """Nothing was read or written for it."""
        return Usage(0, 0)

    @property
    def reason(self) -> EndReason:
        """Why it ended."""
        return "cancelled" if self.stopped else "stop"

    def stop(self) -> None:
        """End it before the next quote."""
        self.stopped = True

    async def events(self) -> AsyncGenerator[Delta | Checked, None]:
        """Each line, and the citation of its quote behind it."""
        for line in await self._chosen():
            if self.stopped:
                return
            quote = line.quote
            said = line.lead if quote is None else f"{line.lead}“{quote.text}”"
            at = len(self.text) + len(line.lead)
            self.text += said
            if self.first_shown is None:
                self.first_shown = time.perf_counter()
            yield Delta(said)
            if quote is not None:
                citation = Citation(at, len(self.text), "supported", quote.source, quote.start, quote.end)
                self.citations.append(citation)
                yield Checked((citation,))

    async def _chosen(self) -> Sequence[Line]:
        return self._lines
