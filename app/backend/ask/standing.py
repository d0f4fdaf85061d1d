"""What of a conversation stands in front of the model already: the prompt of an answer, gone on from.

A prompt that only grows is computed only where it has grown: the engine goes on from what it has in
memory, or on disk after a restart. So the next question comes after the passages that were read for
the ones before, and brings only those that are new.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.audit import Audit
from app.backend.ask.candidates import Candidate
from app.backend.ask.prompt import RULES, Turn
from app.database.audits import Audits
from app.database.documents import Documents
from app.errors import NotFoundError
from app.filters import Filter
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

    @property
    def documents(self) -> frozenset[str]:
        """The documents that were read, by id."""
        return frozenset(source.passage.document_id for source in self.sources)

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


class Standings:
    """Finds what a conversation leaves in front of the model. Blocks for the database."""

    def __init__(self, audits: Audits, documents: Documents) -> None:
        self._audits, self._documents = audits, documents

    def of(self, user_id: str, messages: Sequence[Message], limited: Filter) -> Standing | None:
        """What was read, if all of it may be read by this question, too, and stands as it did.

        Args:
            messages: of the conversation, oldest first.
            limited: what the question is limited to.

        Raises:
            NotFoundError: the conversation is gone.
            StorageError: the database cannot be read.
        """
        last = next((at for at in reversed(range(len(messages))) if _read(messages[at])), None)
        if last is None:
            return None
        found = left_by(self._audits.get(user_id, messages[last].id))
        if found is None or not self._holds(user_id, found, limited):
            return None
        return found.with_turns(answered(messages[last + 1 :]))

    def _holds(self, user_id: str, found: Standing, limited: Filter) -> bool:
        """Whether every passage is still on its page, word for word, in a document that may be read."""
        among = {document.id for document in self._documents.list(user_id, limited)} if limited else None
        for passage in (source.passage for source in found.sources):
            if among is not None and passage.document_id not in among:
                return False
            try:
                page = self._documents.page(passage.document_id, passage.page)
            except NotFoundError:
                return False
            if page.text[passage.start : passage.end].split() != passage.text.split():
                return False
        return True


def left_by(audit: Audit) -> Standing | None:
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


def answered(messages: Sequence[Message]) -> tuple[Turn, ...]:
    """The questions that have an answer, oldest first."""
    questions = {message.id: message.text for message in messages if message.role == "user"}
    return tuple(
        Turn(questions[message.parent_id], message.text)
        for message in messages
        if message.role == "assistant" and message.text and message.parent_id in questions
    )


def lies_in(passage: Passage, other: Passage) -> bool:
    """Whether one passage is the other, or a part of it (neighbours are read as one)."""
    one_page = (passage.document_id, passage.page) == (other.document_id, other.page)
    return one_page and other.start <= passage.start and passage.end <= other.end


def _read(message: Message) -> bool:
    if message.role != "assistant" or message.state not in ("complete", "stopped"):
        return False
    wrote = message.usage is not None and message.usage.prompt_tokens > 0
    return wrote and any(source.read for source in message.sources)
