"""A message and all that stood behind it, as it crosses the wire."""

from dataclasses import dataclass
from typing import Literal

from app.filters import EVERYTHING, Filter
from app.records import AnswerStyle, Message


@dataclass(frozen=True, slots=True)
class PromptMessage:
    """One turn of a prompt, before a model's own template put it into text."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Audit:
    """A message and all that stood behind it.

    Of an answer: `prompt` as turns and as the text (`rendered_prompt`) that `model_sha256` read, what
    it wrote before marks were taken out (`raw_response`), and how tokens were chosen (`sampling`). An
    answer in quotes has no prompt: its model only judged sentences, if any were near to each other; then
    `rendered_prompt` is what it read. Of a question: `limited` as it was asked, and of its documents those
    that are still there (`document_ids`). None: not known, or none.
    """

    message: Message
    style: AnswerStyle | None = None
    prompt: tuple[PromptMessage, ...] | None = None
    rendered_prompt: str | None = None
    raw_response: str | None = None
    model_sha256: str | None = None
    sampling: dict[str, object] | None = None
    document_ids: tuple[str, ...] = ()
    limited: Filter = EVERYTHING
    finished_at: float | None = None
