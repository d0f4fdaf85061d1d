"""What an engine is asked and what it answers: frozen values, no behaviour."""

from dataclasses import dataclass, field
from typing import Literal

from app.logprobs import TokenLogprob
from app.records import Usage

EndReason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How the next token is chosen. `temperature` 0 always takes the likeliest one.

    Penalties and DRY look at the answer only, never at the prompt: an answer that quotes its
    passages must not be punished for it. `seed` None draws a fresh one. What has its default
    changes nothing, but for the first four. Ranges: `sampler.check`.

    Attributes:
        typical_p: the mass of locally typical tokens that is kept.
        dry_multiplier: how hard repeating a run of tokens is punished; `dry_allowed_length` of them
            are free, each further one is `dry_base` times as dear. It looks `dry_penalty_last_n`
            tokens back (-1: over the whole answer) and not past a text of `dry_sequence_breakers`.
        xtc_probability: how often all tokens likelier than `xtc_threshold`, but for the last of
            them, are left out.
        mirostat: 1 or 2 choose by its rule in place of top-k, typical, top-p, min-p and XTC, and
            steer towards a surprise of `mirostat_tau` bits by steps of `mirostat_eta`.
        logit_bias: what is added to the scores of tokens, as pairs of token and bias.
        banned: tokens that are never chosen.
        grammar: the answer is a text of this grammar (GBNF).
        json_schema: the answer is JSON of this schema (JSON as well). Not together with `grammar`.
    """

    temperature: float = 0.0
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    seed: int | None = None
    typical_p: float = 1.0
    dry_multiplier: float = 0.0
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    dry_sequence_breakers: tuple[str, ...] = ("\n", ":", '"', "*")
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[tuple[int, float], ...] = ()
    banned: tuple[int, ...] = ()
    grammar: str | None = None
    json_schema: str | None = None

    @property
    def constrained(self) -> bool:
        """Whether not every text can be the answer."""
        return self.grammar is not None or self.json_schema is not None


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One turn as the chat template sees it."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class Prompt:
    """A rendered chat: `text` for people and records, `tokens` for the model, `messages` it was made of."""

    text: str
    tokens: tuple[int, ...]
    messages: tuple[ChatMessage, ...] = ()


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
    `logprobs`: tell the likelihood of each token, and of that many others; None: of none.
    """

    prompt: Prompt
    max_tokens: int
    sampling: Sampling = field(default_factory=Sampling)
    stop: tuple[str, ...] = ()
    asker: Asker = Asker()
    deadline: float | None = None
    logprobs: int | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """The next text of an answer; `tokens` were sampled for it (none of them are in another piece).

    `logprobs` has one entry for each of the tokens, where they were asked for.
    """

    text: str
    tokens: int
    logprobs: tuple[TokenLogprob, ...] = ()


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
