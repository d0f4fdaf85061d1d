"""What of a conversation stands in front of the model already: the prompt of an answer, gone on from.

A prompt that only grows is computed only where it has grown: the engine goes on from what it has in
memory, or on disk after a restart. So the next question comes after the passages that were read for
the ones before, and brings only those that are new.
"""

import itertools
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from app.audit import Audit
from app.backend.ask.candidates import Candidate
from app.backend.ask.prompt import RULES, Turn
from app.database.documents import Documents
from app.errors import NotFoundError
from app.records import Message, Passage, Source
from app.serving.generation import ChatMessage


@dataclass(frozen=True, slots=True)
class Standing:
    """The turns so far as a model was shown them.

    `sources` are the passages that were read, each with its mark there; the marks of new ones go on
    after `last`.
    """

    messages: tuple[ChatMessage, ...]
    sources: tuple[Source, ...]
    last: int

    def mark(self, passage: Passage) -> int | None:
        """The mark of the source that a passage stands in as a whole; None: it was not read."""
        return next((source.number for source in self.sources if lies_in(passage, source.passage)), None)

    def numbered(self, candidates: Sequence[Candidate]) -> tuple[Source, ...]:
        """Candidates as sources, in their order: those that were read with the mark they have there."""
        marks = {source.number: source for source in self.sources}
        fresh = itertools.count(self.last + 1)
        listed: dict[int, Source] = {}
        for candidate in candidates:
            mark = self.mark(candidate.passage)
            if mark is None:
                mark = next(fresh)
                listed[mark] = Source(mark, candidate.passage, candidate.score, False, candidate.also)
            elif mark not in listed:
                listed[mark] = replace(marks[mark], score=candidate.score)
        return tuple(listed.values())

    def with_turns(self, turns: Sequence[Turn]) -> "Standing":
        """The same, with turns after it that brought no passages."""
        said = [
            message
            for turn in turns
            for message in (ChatMessage("user", turn.question), ChatMessage("assistant", turn.answer))
        ]
        return replace(self, messages=(*self.messages, *said))


def latest_read(messages: Sequence[Message]) -> Message | None:
    """The last answer that a model wrote from passages; None: there is none."""
    return next((message for message in reversed(messages) if _read(message)), None)


def standing(audit: Audit) -> Standing | None:
    """What an answer leaves in front of the model; None: nothing that can be gone on from.

    That is an answer from the same rules as today's. What the model wrote is taken letter for letter,
    with its own marks: that is what it has in memory.
    """
    prompt, wrote = audit.prompt, audit.raw_response
    if not prompt or not wrote or prompt[0].content != RULES:
        return None
    messages = [ChatMessage(turn.role, turn.content) for turn in prompt]
    sources = audit.message.sources
    return Standing(
        messages=(*messages, ChatMessage("assistant", wrote)),
        sources=tuple(source for source in sources if source.read),
        last=max((source.number for source in sources), default=0),
    )


def holds(documents: Documents, found: Standing, among: Collection[str] | None) -> bool:
    """Whether every passage is still on its page, word for word, in a document that may be read.

    Args:
        among: the ids of those that may be read; None: all that are there.

    Raises:
        StorageError: the database cannot be read.
    """
    for passage in (source.passage for source in found.sources):
        if among is not None and passage.document_id not in among:
            return False
        try:
            page = documents.page(passage.document_id, passage.page)
        except NotFoundError:
            return False
        if page.text[passage.start : passage.end].split() != passage.text.split():
            return False
    return True


def lies_in(passage: Passage, other: Passage) -> bool:
    """Whether one passage is the other, or a part of it (neighbours are read as one)."""
    one_page = (passage.document_id, passage.page) == (other.document_id, other.page)
    return one_page and other.start <= passage.start and passage.end <= other.end


def _read(message: Message) -> bool:
    if message.role != "assistant" or message.state not in ("complete", "stopped"):
        return False
    wrote = message.usage is not None and message.usage.prompt_tokens > 0
    return wrote and any(source.read for source in message.sources)
