"""What of the passages found a model is given to read: as much as fits, and as it can take in.

Three forms, as in `prompt`: numbered passages for a capable model, a few sentences for a tiny one, and
nothing at all for a question that is asked without documents. Where a conversation has read passages,
the next question is read after them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.backend.ask import budget, prompt
from app.backend.ask.candidates import Candidate
from app.backend.ask.extracts import Extract
from app.backend.ask.prompt import Turn
from app.backend.ask.reciting import Quote
from app.backend.ask.standing import Standing, lies_in
from app.records import Source
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, Prompt

SOURCES = 8
"""How many sources a question shows at most, unless all are to be read."""

FURTHER = 32
"""How many more then."""

# An answer in one sentence: a tiny model that goes on has lost the thread.
TINY_ANSWER = 160
_LEAST_ANSWER = 40
_NO_LIMIT = 1 << 30
_AROUND_A_PASSAGE = 4  # tokens that may come up where it meets the next


@dataclass(frozen=True, slots=True)
class Reading:
    """A prompt, and the sources in their order with what of them is read in it.

    `quote`: the sentence that most likely answers, where one was looked for. `unread_tokens`: of
    passages that would fit the model and were left out to save time.
    """

    prompt: Prompt
    sources: tuple[Source, ...]
    quote: Quote | None = None
    unread_tokens: int = 0


def is_tiny(engine: Engine) -> bool:
    """Whether the model can take in only a few sentences."""
    return engine.parameters < budget.TINY_BELOW


def bare(engine: Engine, question: str) -> tuple[ChatMessage, ...]:
    """The prompt without any passage."""
    return prompt.tiny(question, ()) if is_tiny(engine) else prompt.full(question, ())


def alone(engine: Engine, question: str, turns: Sequence[Turn]) -> Reading:
    """No passage: the question, and as many of the latest turns as fit.

    Raises:
        ContextOverflowError: the question does not fit.
    """
    kept = [] if is_tiny(engine) else list(turns)
    while True:
        rendered = engine.encode(prompt.alone(question, kept))
        if not kept or len(rendered.tokens) + _LEAST_ANSWER <= engine.context_length:
            break
        del kept[0]
    engine.check(rendered, 1)
    return Reading(rendered, ())


def sentences(
    engine: Engine, question: str, candidates: Sequence[Candidate], chosen: Sequence[Extract]
) -> Reading:
    """A few sentences, as many as fit; their passages come first among the sources.

    Raises:
        ContextOverflowError: the question does not fit.
    """
    for count in range(min(budget.TINY_SENTENCES, len(chosen)), -1, -1):
        read = list(chosen[:count])
        rendered = engine.encode(prompt.tiny(question, [extract.text for extract in reversed(read)]))
        if count == 0 or len(rendered.tokens) + _LEAST_ANSWER <= engine.context_length:
            break
    engine.check(rendered, 1)
    # The best sentence may be quoted even where there was no room to have it read.
    sources = in_front(candidates, chosen[: max(len(read), 1)], read)
    return Reading(rendered, sources, quote_of(chosen[0], candidates, sources) if chosen else None)


def passages(
    engine: Engine,
    question: str,
    candidates: Sequence[Candidate],
    further: Sequence[Candidate],
    turns: Sequence[Turn],
    *,
    answer_tokens: int,
    tokens: int,
    every: bool = False,
) -> Reading:
    """Numbered passages and the latest turns, as many as fit.

    Args:
        further: candidates that are sources, too, where everything is to be read.
        tokens: how many of passages the model reads while a person waits.
        every: read whatever fits its window instead.

    Raises:
        ContextOverflowError: the question does not fit.
    """
    fixed = len(engine.encode(prompt.full(question, ())).tokens)
    window = budget.room(engine.context_length, fixed, answer_tokens, _NO_LIMIT)
    room = window if every else budget.room(engine.context_length, fixed, answer_tokens, tokens)
    whole = [*candidates, *further]
    listed = tuple(source_of(number, candidate, read=True) for number, candidate in enumerate(whole, start=1))
    lengths = {source.passage.id: engine.count(prompt.passage(source)) for source in listed}

    def costs(candidate: Candidate) -> int:
        return lengths[candidate.passage.id] + _AROUND_A_PASSAGE

    shown = whole if every else candidates
    sources = listed[: len(shown)]
    read = budget.fitting(shown, room.passages, costs)
    sources = tuple(replace(source, read=taken) for source, taken in zip(sources, read, strict=True))
    spent = sum(lengths[source.passage.id] for source in sources if source.read)
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
    fitting = budget.fitting(whole, window.passages, costs)
    now = {source.passage.id for source in sources if source.read}
    unread = sum(
        costs(candidate)
        for candidate, fits in zip(whole, fitting, strict=True)
        if fits and candidate.passage.id not in now
    )
    return Reading(rendered, sources, unread_tokens=unread)


def going_on(
    engine: Engine,
    question: str,
    candidates: Sequence[Candidate],
    further: Sequence[Candidate],
    standing: Standing,
    *,
    answer_tokens: int,
    tokens: int,
    every: bool = False,
    leaning: bool = False,
) -> Reading | None:
    """After all that the conversation has read: the passages that are new, then the question.

    Of a question about the same matter only a share of what stands there is read anew. None where the
    window has no room left for as much as is wanted: then the prompt is to be begun anew.

    Args:
        leaning: the question leans on the ones before.
        further, answer_tokens, tokens, every: as for `passages`.
    """
    listed = standing.numbered([*candidates, *further] if every else candidates)
    lengths = {
        source.number: engine.count(prompt.passage(source)) + _AROUND_A_PASSAGE
        for source in listed
        if not source.read
    }
    fixed = len(engine.encode((*standing.messages, prompt.asked(question, ()))).tokens)
    room = budget.room(engine.context_length, fixed, answer_tokens, _NO_LIMIT)
    wanted = sum(lengths.values())
    if not every:
        if leaning or 2 * len(lengths) <= len(listed):
            tokens = min(tokens, fixed // budget.FOLLOW_UP)
        # The best of all is read in any case.
        wanted = min(wanted, max(tokens, lengths.get(listed[0].number, 0)))
    if room.answer < answer_tokens or room.passages < wanted:
        return None
    taken = dict(zip(lengths, budget.fitting(list(lengths), wanted, lengths.__getitem__), strict=True))
    brought = [replace(source, read=True) for source in listed if taken.get(source.number)]
    rendered = engine.encode((*standing.messages, prompt.asked(question, brought)))
    if len(rendered.tokens) + answer_tokens > engine.context_length:
        return None
    sources = [replace(source, read=taken.get(source.number, True)) for source in listed]
    numbers = {source.number for source in sources}
    others = [source for source in standing.sources if source.number not in numbers]
    unread = sum(length for number, length in lengths.items() if not taken[number])
    if not every:
        unread += sum(
            engine.count(prompt.passage(source)) for source in standing.numbered(further) if not source.read
        )
    return Reading(rendered, (*sources, *others), unread_tokens=unread)


def source_of(number: int, candidate: Candidate, *, read: bool) -> Source:
    """The candidate as source `number` of an answer."""
    return Source(number, candidate.passage, candidate.score, read, candidate.also)


def in_front(
    candidates: Sequence[Candidate], first: Sequence[Extract], read: Sequence[Extract]
) -> tuple[Source, ...]:
    """All candidates as sources, those of the `first` sentences in front; read are those of `read`."""
    order = dict.fromkeys([*(extract.candidate for extract in first), *range(len(candidates))])
    taken = {extract.candidate for extract in read}
    return tuple(
        source_of(number, candidates[place], read=place in taken)
        for number, place in enumerate(order, start=1)
    )


def quote_of(extract: Extract, candidates: Sequence[Candidate], sources: Sequence[Source]) -> Quote:
    """The sentence as a quote of the source that its candidate is."""
    passage = candidates[extract.candidate].passage
    source = next(source for source in sources if lies_in(passage, source.passage))
    before = passage.start - source.passage.start
    return Quote(source.number, before + extract.start, before + extract.end, extract.text, extract.score)
