"""An answer in the style *quote*: sentences of the passages, word for word, each with its citation.

Nothing can be invented: between the quotes stand only fixed words. The first is shown at once where
the evidence of the search is clear. Where two sentences are nearly as good, the model is asked how
likely the question is after each of them, for as long as a person does not notice.
"""

import asyncio
from collections.abc import Sequence

from app.backend.ask.reciting import Line, Quote, Reciting
from app.errors import AppError
from app.serving.engine import Engine
from app.serving.generation import ChatMessage

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


class Quoting(Reciting):
    """Answers with quotes. Used once, on one loop.

    Attributes:
        judged: what the model was shown to judge near sentences by; None where it was not asked.
    """

    def __init__(self, engine: Engine, question: str, quotes: Sequence[Quote], *, sure: bool) -> None:
        """`quotes`: best first. `sure`: they answer; else only the closest one is shown, as that."""
        super().__init__(())
        self.judged: str | None = None
        self._engine = engine
        self._question = question
        self._quotes = list(quotes)
        self._sure = sure

    async def _chosen(self) -> Sequence[Line]:
        chosen = await self._ordered() if self._sure else self._quotes[:1]
        first = "" if self._sure else CLOSEST
        return [Line(first if number == 0 else f"\n\n{ALSO}", quote) for number, quote in enumerate(chosen)]

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
