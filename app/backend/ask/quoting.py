"""An answer in the style *quote*: sentences of the passages, word for word, each with its citation.

Nothing can be invented: between the quotes stand only fixed words. The first is shown at once where
the evidence of the search is clear. Where two sentences are nearly as good, the model is asked how
likely the question is after each of them, for as long as a person does not notice.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from app.errors import AppError
from app.events import Checked, Delta
from app.records import Citation, Usage
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, End, EndReason

CLOSEST = "The closest passage in your documents says: "
"""In front of a quote that may not answer the question."""

NOTHING_SAYS = "No sentence was found that answers this. The nearest passages are listed as sources."
"""Where nothing that was written holds, and there is no sentence to quote: a table, or a list of names."""

MOST = 5
"""Quotes in one answer."""

ALSO = "Also: "
# Scores this near to each other do not tell which sentence is meant.
_CLOSE = 0.15
# Further quotes have to reach this part of the first one's score.
_WORTH_SAYING = 0.75
# What the model may take over its judgement, in seconds.
_JUDGED_WITHIN = 0.5
_MOST_JUDGED = 3


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


class Quoting:
    """Answers with quotes. Used once, on one loop; it has the face of a `Writing`.

    Attributes:
        text: what was shown so far; the model writes nothing, so `raw` is empty.
        citations: the quotes in `text`, in order.
        first_shown: `time.perf_counter()` of the first text that was shown.
        judged: what the model was shown to judge near sentences by; None where it was not asked.
    """

    raw = ""
    end: End | None = None
    prefill_ms = 0.0
    decode_ms = 0.0

    def __init__(self, engine: Engine, question: str, quotes: Sequence[Quote], *, sure: bool) -> None:
        """`quotes`: best first. `sure`: they answer; else only the closest one is shown, as that."""
        self.text = ""
        self.citations: list[Citation] = []
        self.first_shown: float | None = None
        self.stopped = False
        self.judged: str | None = None
        self._engine = engine
        self._question = question
        self._quotes = list(quotes)
        self._sure = sure

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
        """Each quote, and its citation behind it."""
        chosen = await self._ordered() if self._sure else self._quotes[:1]
        for number, quote in enumerate(chosen):
            if self.stopped:
                return
            lead = ("" if self._sure else CLOSEST) if number == 0 else f"\n\n{ALSO}"
            said = f"{lead}“{quote.text}”"
            at = len(self.text) + len(lead)
            self.text += said
            if self.first_shown is None:
                self.first_shown = time.perf_counter()
            yield Delta(said)
            citation = Citation(
                at, at + len(said) - len(lead), "supported", quote.source, quote.start, quote.end
            )
            self.citations.append(citation)
            yield Checked((citation,))

    async def _ordered(self) -> list[Quote]:
        """The quotes worth saying, best first, each text once."""
        every = list({quote.text: quote for quote in reversed(self._quotes)}.values())[::-1]
        if not every:
            return []
        best = every[0].score
        near = [quote for quote in every if quote.score >= best - _CLOSE][:_MOST_JUDGED]
        if len(near) > 1:
            judged = await self._judged(near)
            every = judged + [quote for quote in every if quote not in judged]
        worth = [quote for quote in every if quote.score >= _WORTH_SAYING * best]
        return worth[:MOST]

    async def _judged(self, quotes: Sequence[Quote]) -> list[Quote]:
        """In the order of how likely the question is after each; as they are if that takes too long.

        The likelihood of the question after a sentence is that of both without that of the sentence.
        """
        asked = f"\nQuestion: {self._question}"
        texts = [text for quote in quotes for text in (f" {quote.text}", f" {quote.text}{asked}")]
        try:
            prefix = await asyncio.to_thread(self._engine.encode, (ChatMessage("user", "Context:"),))
            async with asyncio.timeout(_JUDGED_WITHIN):
                likely = await self._engine.score(prefix, texts)
            self.judged = "\n\n".join(f"{prefix.text}{text}" for text in texts[1::2])
        except (TimeoutError, AppError):
            return list(quotes)
        gains = [after - alone for alone, after in zip(likely[::2], likely[1::2], strict=True)]
        order = sorted(range(len(quotes)), key=lambda place: -gains[place])
        return [quotes[place] for place in order]
