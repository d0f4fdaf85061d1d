"""Everything that is settled before a model writes: what was found, what of it is read, the prompt."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.backend.ask import anchors, answerable, budget, extracts, reading, reception
from app.backend.ask.aptitude import Aptitude, Aptitudes
from app.backend.ask.evidence import Evidence
from app.backend.ask.followup import leans_on
from app.backend.ask.prompt import Turn
from app.backend.ask.reading import Reading, is_tiny, source_of
from app.backend.ask.reciting import Line, Quote
from app.backend.ask.retrieval import NOTHING, Retrieval, Retriever
from app.backend.ask.standing import Standing
from app.backend.ask.swaps import Embed
from app.errors import ModelError
from app.filters import EVERYTHING, Filter
from app.records import Manner, Source, Style
from app.serving.engine import Engine
from app.serving.generation import End, Generation, Sampling

# How many passages a tiny model's sentences come from, and how many of them get a vector.
_TINY_CANDIDATES = 5
_TINY_VECTORS = 24
# Sentences an answer in quotes is chosen from.
_QUOTED = 8
_ORDINARY = Manner()


@dataclass(frozen=True, slots=True)
class Brief:
    """One question, ready to be answered. Times in milliseconds.

    A `guarded` answer shows only sentences that the passages carry word for word in substance, and
    the `quote` where there is none; it is for models too small to be trusted with a sentence.
    Without a `generation` nothing was found, and there is nothing to generate from; or passages
    were, but none of them holds what the question names: that is `absent`; or the answer is made of
    `quotes`, best first, of which it is `sure` or not that they answer; or nothing was looked for, and
    `reply` is the answer; or all of some documents was worked through, and `lines` are it. `closing`: fixed
    words at its end, on what was not read. `above` is the quote that is shown before a written answer.
    `unread_ms`: what passages would take that were left out to save time. `embed` makes vectors for the
    check of sentences; None: it does without.
    """

    engine: Engine
    sources: tuple[Source, ...]
    found: int
    evidence: Evidence
    generation: Generation | None
    guarded: bool = False
    quote: Quote | None = None
    embed_ms: float = 0.0
    search_ms: float = 0.0
    prompt_ms: float = 0.0
    absent: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    sure: bool = False
    above: Quote | None = None
    unread_ms: float = 0.0
    embed: Embed | None = None
    reply: str | None = None
    lines: tuple[Line, ...] = ()
    sections_ms: float = 0.0
    closing: str = ""


class Preparation:
    """Finds, chooses and renders; learns from each answer how fast this machine reads."""

    def __init__(self, retriever: Retriever, aptitudes: Aptitudes, style: Style = "auto") -> None:
        """`style` holds where a question does not say otherwise."""
        self._style: Style = style
        self._aptitudes = aptitudes
        self._pace = budget.Pace()
        self._retriever = retriever

    def learn(self, engine: Engine, end: End | None) -> None:
        """Note how fast this machine read the prompt of an answer that has ended."""
        if end is not None:
            computed = end.usage.prompt_tokens - end.usage.cached_tokens
            self._pace.measured(engine.model.sha256, computed, end.prefill_ms)

    async def check(self, engine: Engine, question: str) -> int:
        """The tokens of the prompt without any passage.

        Raises:
            ContextOverflowError: even so it does not fit.
        """

        def work() -> int:
            rendered = engine.encode(reading.bare(engine, question))
            engine.check(rendered, 1)
            return len(rendered.tokens)

        return await asyncio.to_thread(work)

    async def brief(
        self,
        engine: Engine,
        user_id: str,
        question: str,
        *,
        turns: Sequence[Turn] = (),
        limited: Filter = EVERYTHING,
        sampling: Sampling,
        answer_tokens: int,
        manner: Manner = _ORDINARY,
        standing: Standing | None = None,
    ) -> Brief:
        """Find the passages and render the prompt.

        Args:
            standing: what the conversation has in front of a capable model already.
            manner: how the question wants to be answered, where it says so.

        Raises:
            StorageError: the database cannot be read.
            ContextOverflowError: the question alone does not fit.
        """
        begun = time.perf_counter()
        if manner.without_documents:
            made = await asyncio.to_thread(reading.alone, engine, question, turns)
            return self._written(
                engine, question, made, sampling=sampling, answer_tokens=answer_tokens, begun=begun
            )
        reply = reception.reply(question)
        if reply is not None:
            return replace(_unwritten(engine, question, NOTHING), reply=reply)
        earlier = leans_on(question, [turn.question for turn in turns])
        found = await self._retriever.find(
            user_id,
            question,
            k=reading.SOURCES,
            beyond=reading.FURTHER,
            limited=limited,
            earlier=earlier,
        )
        begun = time.perf_counter()
        passages = [candidate.passage for candidate in found.candidates]
        absent = found.unmet + tuple(
            anchor.text for anchor in anchors.missing(found.asked, passages) if passages
        )
        if absent or not passages:
            return _unwritten(engine, question, found, absent=absent)
        if standing is not None and found.limited != limited:
            # The question limits itself: what was read for others may have no part in its answer.
            named = found.limited.documents if found.limited.documents != limited.documents else ()
            standing = standing if standing.documents <= frozenset(named) else None
        form = self.form(manner.style, engine)
        chosen: Sequence[extracts.Extract] = ()
        if form != "write" or is_tiny(engine):
            chosen = await self._sentences(found.asked, earlier, found)
        if form == "quote" and chosen:
            return _quoted(engine, question, found, chosen, begun)
        if is_tiny(engine):
            made = await asyncio.to_thread(reading.sentences, engine, question, found.candidates, chosen)
        else:
            made = await asyncio.to_thread(
                self._passages,
                engine,
                question,
                found,
                turns,
                standing,
                answer_tokens=answer_tokens,
                every=manner.read_all,
                leaning=earlier is not None,
            )
        above = _above(question, found, made.sources, chosen[0]) if form == "both" and chosen else None
        brief = self._written(
            engine, question, made, sampling=sampling, answer_tokens=answer_tokens, begun=begun
        )
        return replace(
            brief,
            found=max(found.found, sum(source.read for source in made.sources)),
            guarded=is_tiny(engine),
            quote=None if above else made.quote,
            embed_ms=found.embed_ms,
            search_ms=found.search_ms,
            above=above,
        )

    def _written(
        self,
        engine: Engine,
        question: str,
        made: Reading,
        *,
        sampling: Sampling,
        answer_tokens: int,
        begun: float,
    ) -> Brief:
        """A brief to write from; `begun`: `time.perf_counter()` when its prompt was begun."""
        if is_tiny(engine):
            answer_tokens = min(answer_tokens, reading.TINY_ANSWER)
        left = engine.context_length - len(made.prompt.tokens)
        return Brief(
            engine=engine,
            sources=made.sources,
            found=0,
            evidence=Evidence((source for source in made.sources if source.read), question),
            generation=Generation(made.prompt, max(1, min(answer_tokens, left)), sampling),
            prompt_ms=(time.perf_counter() - begun) * 1000,
            embed=self._retriever.embed,
            unread_ms=self._pace.estimate(engine.model.sha256, made.unread_tokens),
        )

    def _passages(
        self,
        engine: Engine,
        question: str,
        found: Retrieval,
        turns: Sequence[Turn],
        standing: Standing | None,
        *,
        answer_tokens: int,
        every: bool,
        leaning: bool,
    ) -> Reading:
        """Passages for a capable model: after those that it has read, or from the beginning."""
        tokens = self._pace.reading(engine.model.sha256, on_gpu=engine.model.layers_offloaded > 0)
        matter = (engine, question, found.candidates, found.further)
        if standing is not None:
            made = reading.going_on(
                *matter, standing, answer_tokens=answer_tokens, tokens=tokens, every=every, leaning=leaning
            )
            if made is not None:
                return made
        return reading.passages(*matter, turns, answer_tokens=answer_tokens, tokens=tokens, every=every)

    def form(self, style: Style | None, engine: Engine) -> Aptitude:
        """How an answer is given that asks for `style`; None: as the settings have it."""
        wanted = style or self._style
        return self._aptitudes.of(engine) if wanted == "auto" else wanted

    async def _sentences(
        self, question: str, earlier: str | None, found: Retrieval
    ) -> list[extracts.Extract]:
        holding = anchors.naming(question, [candidate.passage for candidate in found.candidates])
        naming = [candidate for candidate, holds in zip(found.candidates, holding, strict=True) if holds]
        candidates = naming[:_TINY_CANDIDATES]
        every = await asyncio.to_thread(extracts.sentences, candidates)
        similarities = [0.0] * len(every)
        # Each vector takes about ten milliseconds: only sentences with a chance get one.
        every = extracts.ranked(question, candidates, every, similarities, earlier=earlier)[:_TINY_VECTORS]
        similarities = similarities[: len(every)]
        if found.vector is not None and every:
            try:
                texts = [extract.text for extract in every]
                vectors = await self._retriever.embed(texts, found.embedder)
                similarities = extracts.cosines(found.vector, vectors)
            except ModelError:
                pass  # ranked by words alone; find() has already said so in the log
        ranked = extracts.ranked(question, candidates, every, similarities, earlier=earlier)
        # Where only some passages name what is asked for, the places of all of them count.
        places = [found.candidates.index(candidate) for candidate in candidates]
        return [replace(extract, candidate=places[extract.candidate]) for extract in ranked]


def _unwritten(engine: Engine, question: str, found: Retrieval, *, absent: tuple[str, ...] = ()) -> Brief:
    """A brief that nothing is generated from; its sources are in the order they were found in."""
    sources = tuple(
        source_of(number, candidate, read=False) for number, candidate in enumerate(found.candidates, start=1)
    )
    return Brief(
        engine=engine,
        sources=sources,
        found=found.found,
        evidence=Evidence((), question),
        generation=None,
        embed_ms=found.embed_ms,
        search_ms=found.search_ms,
        absent=absent,
    )


def _quoted(
    engine: Engine, question: str, found: Retrieval, chosen: Sequence[extracts.Extract], begun: float
) -> Brief:
    """The sentences to be quoted; the passages they stand in come first among the sources."""
    brief = _unwritten(engine, question, found)
    chosen = chosen[:_QUOTED]
    sources = reading.in_front(found.candidates, chosen, chosen)
    return replace(
        brief,
        sources=sources,
        quotes=tuple(reading.quote_of(extract, found.candidates, sources) for extract in chosen),
        sure=_answers(question, chosen[0], found),
        prompt_ms=(time.perf_counter() - begun) * 1000,
    )


def _above(
    question: str, found: Retrieval, sources: Sequence[Source], best: extracts.Extract
) -> Quote | None:
    """The quote to stand above a written answer; None where it may not answer."""
    if not _answers(question, best, found):
        return None
    return reading.quote_of(best, found.candidates, sources)


def _answers(question: str, best: extracts.Extract, found: Retrieval) -> bool:
    passage = found.candidates[best.candidate].passage
    above = f"{passage.heading or ''} {passage.document_name}"
    return answerable.answers(question, best.text, above, best.similarity)
