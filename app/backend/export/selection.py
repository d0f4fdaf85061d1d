"""Which questions and answers are exported."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from app.audit import Audit

Rated = Literal["up", "down", "any"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Conditions that all must hold; the default leaves nothing out.

    Attributes:
        rated: only answers with this thumb, or with any.
        supported_only: only whole answers of which every sentence rests on a passage.
        since: only answers begun at or after this time (seconds since the epoch).
        conversation_id: only this conversation.
    """

    rated: Rated | None = None
    supported_only: bool = False
    since: float | None = None
    conversation_id: str | None = None

    @property
    def whole(self) -> bool:
        """Whether no answer is left out of the conversations that are exported."""
        return self.rated is None and not self.supported_only and self.since is None

    def takes(self, answer: Audit) -> bool:
        """Whether an answer is exported."""
        message = answer.message
        if self.since is not None and message.created_at < self.since:
            return False
        if self.rated is not None and (
            message.rating is None or self.rated not in ("any", message.rating.thumb)
        ):
            return False
        return not self.supported_only or is_supported(answer)


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and an answer to it; `before` is what was asked and answered before them, if anything."""

    question: Audit
    answer: Audit
    before: "Exchange | None" = None


def is_supported(answer: Audit) -> bool:
    """Whether an answer is whole, and every sentence of it was found to rest on a passage."""
    checks = answer.message.citations
    whole = answer.message.state == "complete" and bool(checks)
    return whole and all(check.verdict == "supported" for check in checks)


def exchanges(messages: Iterable[Audit], selection: Selection) -> Iterator[Exchange]:
    """The exchanges of one conversation that were selected, in the order of the answers."""
    questions: dict[str, Audit] = {}
    before: Exchange | None = None
    for audit in messages:
        if audit.message.role == "user":
            questions[audit.message.id] = audit
            continue
        question = questions.get(audit.message.parent_id or "")
        if question is None:
            continue
        if selection.takes(audit):
            yield Exchange(question, audit, before)
        if audit.message.state == "complete":
            # Only the last one: no chain of them may grow in memory.
            before = Exchange(question, audit)
