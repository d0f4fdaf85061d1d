"""One answer being written: the model's pieces in, shown text and checked sentences out.

What is shown is not what the model wrote, letter for letter: its own marks are taken out, and of a
guarded answer only sentences that hold are shown. `raw` keeps every letter.
"""

import asyncio
import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import replace

from app.backend.ask import swaps
from app.backend.ask.brief import Brief
from app.backend.ask.grounding import Grounding
from app.backend.ask.marks import MarkFilter
from app.backend.ask.quoting import CLOSEST, NOTHING_SAYS, Quoting
from app.backend.ask.reciting import Reciting
from app.backend.ask.sentences import SentenceStream, Span
from app.backend.ask.swaps import Doubt
from app.errors import DeadlineError
from app.events import Checked, Delta
from app.records import Citation, Usage, Verdict
from app.serving.generation import End, EndReason, Generation, Piece

# The window draws this often; more deltas only cost time.
_BETWEEN_DELTAS = 1 / 30
# A tiny model that wrote so many sentences in a row that do not hold will not come back to the matter.
_MOST_DROPPED = 2
# "The answer to the question is:" is how a tiny model clears its throat.
_LEAD = re.compile(r"(?:the )?answer(?: to (?:the|this|your) question)?(?: is)?\s*:?\s+(?=\S)", re.IGNORECASE)


class Writing:
    """Writes one answer. Used once, on one loop.

    Attributes:
        text: what was shown so far.
        raw: what the model wrote so far.
        citations: the checks of `text`, in order.
        first_token: `time.perf_counter()` of the first piece, None before it.
        first_shown: likewise of the first text that was shown.
        end: the engine's end, None while it writes or when it was cut off.
    """

    def __init__(self, brief: Brief, generation: Generation) -> None:
        self.text = ""
        self.raw = ""
        self.citations: list[Citation] = []
        self.first_token: float | None = None
        self.first_shown: float | None = None
        self.tokens = 0
        self.end: End | None = None
        self.stopped = False
        self._engine = brief.engine
        self._deadline = generation.deadline
        if self._deadline is not None:
            # What reading whole documents took was part of the time.
            left = max(0.0, self._deadline - brief.sections_ms / 1000)
            generation = replace(generation, deadline=left)
        self._generation = generation
        self._shown = _Guarded(brief) if brief.guarded else _Live(brief)
        self._embed = brief.embed
        self._above = brief.above
        self._closing = brief.closing
        self._before = 0  # characters of `text` in front of what the model writes
        self._lead = ""
        self._inbox: list[Piece | End] = []
        self._woken = asyncio.Event()
        self._begun = time.perf_counter()

    @property
    def reason(self) -> EndReason:
        """Why it ended. An answer that was broken off because it had lost its thread has stopped."""
        if self.stopped:
            return "cancelled"
        return self.end.reason if self.end is not None else "stop"

    @property
    def usage(self) -> Usage:
        """Tokens so far; exact at the end."""
        if self.end is not None:
            return self.end.usage
        return Usage(len(self._generation.prompt.tokens), self.tokens)

    def stop(self) -> None:
        """End it as soon as can be; what was shown stays."""
        self.stopped = True
        self._woken.set()

    @property
    def prefill_ms(self) -> float:
        """From the start to the first token, queueing included where the engine did not say."""
        if self.end is not None:
            return self.end.prefill_ms
        return (self.first_token - self._begun) * 1000 if self.first_token is not None else 0.0

    @property
    def decode_ms(self) -> float:
        """From the first token to the end."""
        if self.end is not None:
            return self.end.decode_ms
        return (time.perf_counter() - self.first_token) * 1000 if self.first_token is not None else 0.0

    async def events(self) -> AsyncGenerator[Delta | Checked, None]:
        """Write. The first delta comes at once, further ones about 30 a second.

        Raises:
            AppError: the engine failed; what was shown before stays.
        """
        pump = asyncio.create_task(self._pump())
        try:
            for event in self._quote_above():
                yield await self._settled(event)
            ended = False
            while not ended and not self.stopped:
                await self._woken.wait()
                self._woken.clear()
                ended = pump.done()
                batch, self._inbox = self._inbox, []
                for event in self._take(batch):
                    yield await self._settled(event)
                if self._shown.lost:
                    break
                if not ended and not self.stopped:
                    await asyncio.sleep(_BETWEEN_DELTAS)
            if ended:
                await pump  # raises what the engine raised
        finally:
            pump.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.wait([pump])
            if pump.done() and not pump.cancelled():
                pump.exception()  # seen: a failure on the way out is not a second one
        if not self.stopped:
            for event in self._events(*self._shown.finish()):
                yield await self._settled(event)
            if self._closing and self.text:
                self.text += f"\n\n{self._closing}"
                yield Delta(f"\n\n{self._closing}")

    def _quote_above(self) -> list[Delta | Checked]:
        """The best quote, at once, where one stands above what the model writes."""
        if self._above is None or self.stopped:
            return []
        said = f"“{self._above.text}”"
        citation = Citation(0, len(said), "supported", self._above.source, self._above.start, self._above.end)
        events = self._events(said, (citation,))
        self._lead = "\n\n"
        self._before = len(said) + len(self._lead)
        return events

    def _take(self, batch: list[Piece | End]) -> list[Delta | Checked]:
        text = ""
        for item in batch:
            if isinstance(item, End):
                self.end = item
            else:
                if self.first_token is None:
                    self.first_token = time.perf_counter()
                self.tokens += item.tokens
                text += item.text
        self.raw += text
        return self._events(*self._shown.feed(text)) if text else []

    def _events(self, text: str, citations: tuple[Citation, ...]) -> list[Delta | Checked]:
        events: list[Delta | Checked] = []
        if text:
            text, self._lead = self._lead + text, ""
            if self.first_shown is None:
                self.first_shown = time.perf_counter()
            self.text += text
            events.append(Delta(text))
        if citations:
            citations = tuple(
                replace(one, start=one.start + self._before, end=one.end + self._before) for one in citations
            )
            events.append(Checked(citations))
        return events

    async def _settled(self, event: Delta | Checked) -> Delta | Checked:
        """The event with every doubt about its sentences settled; its checks count from here on."""
        if isinstance(event, Delta):
            return event
        citations = []
        for citation in event.citations:
            place = citation.start - self._before, citation.end - self._before
            doubt = self._shown.doubts.pop(place, None)
            verdict = "supported" if doubt is None else await swaps.settled(doubt, self._embed)
            citations.append(citation if verdict == "supported" else _doubted(citation, verdict))
        self.citations += citations
        return Checked(tuple(citations))

    async def _pump(self) -> None:
        try:
            async with aclosing(self._engine.generate(self._generation)) as items:
                async for item in items:
                    self._inbox.append(item)
                    self._woken.set()
        except DeadlineError as error:
            raise DeadlineError(self._deadline or 0.0) from error
        finally:
            self._woken.set()


def writing_of(brief: Brief, question: str, generation: Generation | None) -> Writing | Reciting | None:
    """What puts a brief into words: the model, or quotes. None: only fixed words are to be said.

    Args:
        generation: that of the brief, as it is to run.
    """
    if generation is not None:
        return Writing(brief, generation)
    if brief.lines:
        return Reciting(brief.lines)
    return Quoting(brief.engine, question, brief.quotes, sure=brief.sure) if brief.quotes else None


class _Live:
    """Shows the text as it comes and checks each sentence when it has ended."""

    lost = False

    def __init__(self, brief: Brief) -> None:
        self._filter = MarkFilter()
        self._grounding = Grounding(brief.evidence)
        self.doubts = self._grounding.doubts

    def feed(self, text: str) -> tuple[str, tuple[Citation, ...]]:
        return self._show(self._filter.feed(text))

    def finish(self) -> tuple[str, tuple[Citation, ...]]:
        text, citations = self._show(self._filter.finish())
        return text, citations + self._grounding.finish(self._filter.marks)

    def _show(self, text: str) -> tuple[str, tuple[Citation, ...]]:
        return text, self._grounding.feed(text, self._filter.marks)


class _Guarded:
    """Shows a sentence when it has ended and holds; in the end, if none did, the closest quote.

    Where there is no such quote either, it says so: an answer is never blank.
    """

    def __init__(self, brief: Brief) -> None:
        self.lost = False
        self._brief = brief
        self._filter = MarkFilter()
        self._sentences = SentenceStream()
        self._shown = ""
        self._said: set[str] = set()
        self._dropped = 0
        # Every content word of what is shown stands on the page: there is nothing to be in doubt about.
        self.doubts: dict[Span, Doubt] = {}

    def feed(self, text: str) -> tuple[str, tuple[Citation, ...]]:
        return self._holding(self._sentences.feed(self._filter.feed(text)))

    def finish(self) -> tuple[str, tuple[Citation, ...]]:
        spans = self._sentences.feed(self._filter.finish()) + self._sentences.finish()
        text, citations = ("", ()) if self.lost else self._holding(spans)
        if self._shown or self._brief.above is not None:
            return text, citations
        return self._quoted() if self._brief.quote is not None else (NOTHING_SAYS, ())

    def _holding(self, spans: list[Span]) -> tuple[str, tuple[Citation, ...]]:
        shown = ""
        citations = []
        for start, end in spans:
            sentence = _without_lead(self._sentences.text[start:end])
            support = None if self.lost else self._brief.evidence.support(sentence, strict=True)
            plain = " ".join(sentence.split()).casefold()
            if support is None or not support.supported or plain in self._said:
                self._dropped += 1
                self.lost = self.lost or self._dropped >= _MOST_DROPPED
                continue
            self._dropped = 0
            self._said.add(plain)
            gap = " " if self._shown or shown else ""
            at = len(self._shown) + len(shown) + len(gap)
            shown += gap + sentence
            citations.append(
                Citation(at, at + len(sentence), "supported", support.source, support.start, support.end)
            )
        self._shown += shown
        return shown, tuple(citations)

    def _quoted(self) -> tuple[str, tuple[Citation, ...]]:
        quote = self._brief.quote
        assert quote is not None
        said = f"“{quote.text}”"
        at = len(CLOSEST)
        self._shown = CLOSEST + said
        citation = Citation(at, at + len(said), "supported", quote.source, quote.start, quote.end)
        return self._shown, (citation,)


def _doubted(citation: Citation, verdict: Verdict) -> Citation:
    if verdict == "partly":
        return replace(citation, verdict=verdict)
    return Citation(citation.start, citation.end, verdict, None, None, None)


def _without_lead(sentence: str) -> str:
    found = _LEAD.match(sentence)
    if found is None:
        return sentence
    rest = sentence[found.end() :]
    if rest[0] in "\"“'" and rest.rstrip(".")[-1:] in "\"”'":
        rest = rest.strip("\"“”'") if rest[-1] != "." else rest[1:].rstrip(".").rstrip("\"”'") + "."
    return rest[:1].upper() + rest[1:] if rest else sentence
