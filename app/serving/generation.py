"""What an engine is asked and what it answers: frozen values, no behaviour."""

from dataclasses import dataclass, field
from typing import Literal

from app.records import Usage

EndReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 always takes the likeliest one.

    Penalties look at the answer only, never at the prompt: an answer that quotes its passages
    must not be punished for it. `seed` None draws a fresh one.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn as the chat template sees it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered chat: `text` for people and records, `tokens` for the model."""

    text: str
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Asker:
    """Whom a request is for: of a busy engine each `client` gets an equal share.

    `urgent` goes before all that is not: a person waits for it at the window.
    """

    client: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Generation:
    """One request. It ends at the model's end of turn, before any of `stop`, or after `max_tokens`.

    `deadline`: seconds after which it is given up, counted from when it was asked; None: never.
    """

    prompt: Prompt
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    asker: Asker = Asker()
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """The next text of an answer; `tokens` were sampled for it (none of them are in another piece)."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class End:
    """The last item of every answer that did not raise.

    `prefill_ms` runs from the first step of the prompt to the first token, `decode_ms` from there
    to the end; time spent waiting in the queue is in neither.
    """

    reason: EndReason
    usage: Usage
    prefill_ms: float
    decode_ms: float
