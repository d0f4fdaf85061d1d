"""Everything that is settled before a model writes: what was found, what of it is read, the prompt."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from app.backend.ask import anchors, budget, extracts, prompt
from app.backend.ask.evidence import Evidence
from app.backend.ask.prompt import Turn
from app.backend.ask.quoting import Quote
from app.backend.ask.retrieval import Candidate, Retrieval, Retriever, leans_on
from app.errors import ModelError
from app.records import Source
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, End, Generation, Prompt, Sampling

# How many sources a question shows at most, and how many of them a tiny model's sentences come from.
SOURCES = 8
_TINY_CANDIDATES = 5
# An answer in one sentence: a tiny model that goes on has lost the thread.
_TINY_ANSWER = 160
_LEAST_ANSWER = 40
_TINY_VECTORS = 24
# Sentences an answer in quotes is chosen from.
_QUOTED = 8


Style = Literal["auto", "quote", "write"]
"""How it is answered: in sentences of the passages, or in the model's own; `auto`: a tiny model quotes."""


@dataclass(frozen=True, slots=True)
class Brief:
    """One question, ready to be answered. Times in milliseconds.

    A `guarded` answer shows only sentences that the passages carry word for word in substance, and
    the `quote` where there is none; it is for models too small to be trusted with a sentence.
    Without a `generation` nothing was found, and there is nothing to generate from; or passages
    were, but none of them holds what the question names: that is `absent`; or the answer is made of
    `quotes`, best first, of which it is `sure` or not that they answer.
    """

    engine: Engine
    sources: tuple[Source, ...]
    found: int
    evidence: Evidence
    generation: Generation | None
    guarded: bool
    quote: Quote | None
    embed_ms: float
    search_ms: float
    prompt_ms: float
    absent: tuple[str, ...] = ()
    quotes: tuple[Quote, ...] = ()
    sure: bool = False


class Preparation:
    """Finds, chooses and renders; learns from each answer how fast this machine reads."""

    def __init__(self, retriever: Retriever, style: Style = "write") -> None:
        self._style = style
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
            rendered = engine.encode(_messages(engine, question, ()))
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
        document_ids: Sequence[str] | None = None,
        sampling: Sampling,
        answer_tokens: int,
    ) -> Brief:
        """Find the passages and render the prompt.

        Raises:
            StorageError: the database cannot be read.
            ContextOverflowError: the question alone does not fit.
        """
        earlier = leans_on(question, [turn.question for turn in turns])
        found = await self._retriever.find(
            user_id, question, k=SOURCES, document_ids=document_ids, earlier=earlier
        )
        begun = time.perf_counter()
        passages = [candidate.passage for candidate in found.candidates]
        absent = tuple(anchor.text for anchor in anchors.missing(question, passages) if passages)
        if absent or not passages:
            return _unwritten(engine, question, found, absent=absent)
        if self._style == "quote" or (self._style == "auto" and is_tiny(engine)):
            chosen = await self._sentences(question, earlier, found)
            if chosen:
                return _quoted(engine, question, found, chosen, begun)
        if is_tiny(engine):
            chosen = await self._sentences(question, earlier, found)
            made = await asyncio.to_thread(_tiny, engine, question, found, chosen)
            answer_tokens = min(answer_tokens, _TINY_ANSWER)
        else:
            reading = self._pace.reading(engine.model.sha256, on_gpu=engine.model.layers_offloaded > 0)
            made = await asyncio.to_thread(
                _full, engine, question, found, turns, answer_tokens=answer_tokens, reading=reading
            )
        rendered, sources, quote = made
        left = engine.context_length - len(rendered.tokens)
        return Brief(
            engine=engine,
            sources=sources,
            found=found.found,
            evidence=Evidence((source for source in sources if source.read), question),
            generation=Generation(rendered, max(1, min(answer_tokens, left)), sampling),
            guarded=is_tiny(engine),
            quote=quote,
            embed_ms=found.embed_ms,
            search_ms=found.search_ms,
            prompt_ms=(time.perf_counter() - begun) * 1000,
        )

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
                vectors = await self._retriever.embed([extract.text for extract in every])
                similarities = extracts.cosines(found.vector, vectors)
            except ModelError:
                pass  # ranked by words alone; find() has already said so in the log
        ranked = extracts.ranked(question, candidates, every, similarities, earlier=earlier)
        # Where only some passages name what is asked for, the places of all of them count.
        places = [found.candidates.index(candidate) for candidate in candidates]
        return [replace(extract, candidate=places[extract.candidate]) for extract in ranked]


def is_tiny(engine: Engine) -> bool:
    """Whether the model can take in only a few sentences."""
    return engine.parameters < budget.TINY_BELOW


def _unwritten(engine: Engine, question: str, found: Retrieval, *, absent: tuple[str, ...] = ()) -> Brief:
    """A brief that nothing is generated from; its sources are in the order they were found in."""
    sources = tuple(
        _source(number, candidate, read=False) for number, candidate in enumerate(found.candidates, start=1)
    )
    return Brief(
        engine=engine,
        sources=sources,
        found=found.found,
        evidence=Evidence((), question),
        generation=None,
        guarded=False,
        quote=None,
        embed_ms=found.embed_ms,
        search_ms=found.search_ms,
        prompt_ms=0.0,
        absent=absent,
    )


def _quoted(
    engine: Engine, question: str, found: Retrieval, chosen: Sequence[extracts.Extract], begun: float
) -> Brief:
    """The sentences to be quoted; the passages they stand in come first among the sources."""
    brief = _unwritten(engine, question, found)
    chosen = chosen[:_QUOTED]
    order = list(dict.fromkeys(extract.candidate for extract in chosen))
    order += [number for number in range(len(found.candidates)) if number not in order]
    reading = {extract.candidate for extract in chosen}
    return replace(
        brief,
        sources=tuple(
            _source(number, found.candidates[place], read=place in reading)
            for number, place in enumerate(order, start=1)
        ),
        quotes=tuple(
            Quote(order.index(extract.candidate) + 1, extract.start, extract.end, extract.text, extract.score)
            for extract in chosen
        ),
        sure=extracts.answers(question, chosen[0], found.candidates[chosen[0].candidate]),
        prompt_ms=(time.perf_counter() - begun) * 1000,
    )


def _messages(
    engine: Engine, question: str, sources: Sequence[Source], turns: Sequence[Turn] = ()
) -> tuple[ChatMessage, ...]:
    if is_tiny(engine):
        return prompt.tiny(question, [source.passage.text for source in sources])
    return prompt.full(question, sources, turns)


def _tiny(
    engine: Engine, question: str, found: Retrieval, chosen: Sequence[extracts.Extract]
) -> tuple[Prompt, tuple[Source, ...], Quote | None]:
    """A few sentences, as many as fit; their passages come first among the sources."""
    for count in range(min(budget.TINY_SENTENCES, len(chosen)), -1, -1):
        read = list(chosen[:count])
        rendered = engine.encode(prompt.tiny(question, [extract.text for extract in reversed(read)]))
        if count == 0 or len(rendered.tokens) + _LEAST_ANSWER <= engine.context_length:
            break
    engine.check(rendered, 1)
    # The best sentence may be quoted even where there was no room to have it read.
    order = list(dict.fromkeys(extract.candidate for extract in chosen[: max(len(read), 1)]))
    order += [number for number in range(len(found.candidates)) if number not in order]
    reading = {extract.candidate for extract in read}
    sources = tuple(
        _source(number, found.candidates[place], read=place in reading)
        for number, place in enumerate(order, start=1)
    )
    if not chosen:
        return rendered, sources, None
    best = chosen[0]
    return rendered, sources, Quote(order.index(best.candidate) + 1, best.start, best.end, best.text)


def _full(
    engine: Engine,
    question: str,
    found: Retrieval,
    turns: Sequence[Turn],
    *,
    answer_tokens: int,
    reading: int,
) -> tuple[Prompt, tuple[Source, ...], Quote | None]:
    """Numbered passages and the latest turns, as many as fit."""
    fixed = len(engine.encode(prompt.full(question, ())).tokens)
    room = budget.room(engine.context_length, fixed, answer_tokens, reading)
    sources = tuple(
        _source(number, candidate, read=True) for number, candidate in enumerate(found.candidates, start=1)
    )
    read = budget.fitting(found.candidates, room.passages, _costs(engine, sources))
    sources = tuple(replace(source, read=taken) for source, taken in zip(sources, read, strict=True))
    spent = sum(engine.count(prompt.passage(source)) for source in sources if source.read)
    sizes = [engine.count(turn.question) + engine.count(turn.answer) + 16 for turn in turns]
    kept = budget.recent(sizes, (room.passages - spent) // 2)
    while True:
        rendered = engine.encode(prompt.full(question, sources, turns[len(turns) - kept :]))
        # Tokens of parts need not add up to those of the whole: give way where they do not.
        if len(rendered.tokens) + 1 <= engine.context_length:
            break
        if kept:
            kept = 0
        elif any(source.read for source in sources):
            last = max(number for number, source in enumerate(sources) if source.read)
            sources = tuple(
                replace(source, read=source.read and number != last) for number, source in enumerate(sources)
            )
        else:
            break
    engine.check(rendered, 1)
    return rendered, sources, None


def _costs(engine: Engine, sources: Sequence[Source]) -> Callable[[Candidate], int]:
    by_passage = {source.passage.id: source for source in sources}
    return lambda candidate: engine.count(prompt.passage(by_passage[candidate.passage.id])) + 4


def _source(number: int, candidate: Candidate, *, read: bool) -> Source:
    return Source(number, candidate.passage, candidate.score, read)
