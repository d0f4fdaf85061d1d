"""How good answers are: asked as a person would ask, but nothing of it is stored."""

import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from app.backend.ask.brief import Preparation
from app.backend.ask.quoting import CLOSEST
from app.backend.ask.writing import writing_of
from app.backend.evaluation.measures import percentile
from app.backend.evaluation.questions import Question, holds
from app.evaluation import Measure
from app.events import Delta
from app.filters import Filter
from app.records import AnswerStyle, Citation, Source, Usage
from app.serving.engine import Engine
from app.serving.generation import Asker, Sampling

_ASKER = Asker("evaluation")


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer that is not stored. `first_ms`: from the question to the first word; 0: there was none."""

    text: str
    citations: tuple[Citation, ...]
    sources: tuple[Source, ...]
    first_ms: float
    usage: Usage
    decode_ms: float
    style: AnswerStyle = "fixed"

    @property
    def refused(self) -> bool:
        """Whether nothing of it stands as a fact: it says so, or every sentence is marked."""
        stands = any(check.verdict == "supported" for check in self.citations)
        return not stands or self.text.startswith(CLOSEST)


@dataclass(frozen=True, slots=True)
class Asking:
    """What it takes to ask without storing. `answer_tokens`: the longest answer."""

    preparation: Preparation
    sampling: Sampling
    answer_tokens: int

    async def answer(
        self, engine: Engine, user_id: str, question: str, document_ids: Sequence[str]
    ) -> Answered:
        """Answer from these documents; raises as a question does (StorageError, ModelError)."""
        begun = time.perf_counter()
        brief = await self.preparation.brief(
            engine,
            user_id,
            question,
            limited=Filter(documents=tuple(document_ids)),
            sampling=self.sampling,
            answer_tokens=self.answer_tokens,
        )
        generation = brief.generation and replace(brief.generation, asker=_ASKER)
        writing = writing_of(brief, question, generation)
        if writing is None:
            return Answered("", (), brief.sources, 0.0, Usage(0, 0), 0.0)
        first = 0.0
        async with aclosing(writing.events()) as events:
            async for event in events:
                if isinstance(event, Delta) and not first:
                    first = (time.perf_counter() - begun) * 1000
        self.preparation.learn(engine, writing.end)
        citations = tuple(writing.citations)
        return Answered(
            writing.text,
            citations,
            brief.sources,
            first,
            writing.usage,
            writing.decode_ms,
            "write" if brief.generation is not None else "quote",
        )


@dataclass(slots=True)
class Answers:
    """Answers so far, to questions that their scope answers and to those that it does not."""

    answerable: list[tuple[Question, Answered]] = field(default_factory=list)
    unanswerable: list[tuple[Question, Answered]] = field(default_factory=list)

    @property
    def styles(self) -> tuple[AnswerStyle, ...]:
        """The styles that were answered in, where a model had a part in it."""
        every = {answered.style for _, answered in (*self.answerable, *self.unanswerable)}
        return tuple(sorted(every - {"fixed"}))

    def measures(self) -> tuple[Measure, ...]:
        """What the answers hold and cite, what is refused, and how fast it is."""
        asked = len(self.answerable)
        # Of each answer that stands: whether each citation points at where the fact is.
        right = [
            [question.answered_by(source.passage) for source in _cited(answered)]
            for question, answered in self.answerable
            if not answered.refused
        ]
        citations = [one for each in right for one in each]
        recalled = sum(map(any, right))
        held = sum(holds(answered.text, question.made.fact) for question, answered in self.answerable)
        refused = sum(answered.refused for _, answered in self.answerable)
        rightly = sum(answered.refused for _, answered in self.unanswerable)
        out = len(self.unanswerable)
        return (
            Measure("answers", "asked fact in the answer", _share(held, asked), asked),
            Measure("answers", "citation precision", _share(sum(citations), len(citations)), len(citations)),
            Measure("answers", "citation recall", _share(recalled, asked), asked),
            Measure("answers", "wrongly refused", _share(refused, asked), asked),
            Measure("answers", "unanswerable: refused or marked", _share(rightly, out), out),
            *self._speed(),
        )

    def _speed(self) -> tuple[Measure, ...]:
        every = [answered for _, answered in (*self.answerable, *self.unanswerable)]
        first = [answered.first_ms for answered in every if answered.first_ms > 0]
        written = [answered for answered in every if answered.usage.completion_tokens]
        tokens = sum(answered.usage.completion_tokens for answered in written)
        seconds = sum(answered.decode_ms for answered in written) / 1000
        median = percentile(first, 0.5) if first else None
        late = percentile(first, 0.95) if first else None
        return (
            Measure("speed", "first word, median", median, len(first), "ms"),
            Measure("speed", "first word, 95 %", late, len(first), "ms"),
            Measure("speed", "writing", tokens / seconds if seconds else None, tokens, "tokens/s"),
        )


def _cited(answered: Answered) -> list[Source]:
    """The source of each citation, as often as it is cited."""
    by_number = {source.number: source for source in answered.sources}
    return [by_number[check.source] for check in answered.citations if check.source in by_number]


def _share(count: int, of: int) -> float | None:
    return count / of if of else None
