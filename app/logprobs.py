"""How likely tokens are: what the engine tells and the gateway passes on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Logprob:
    """A token and the natural logarithm of its probability, before sampling changed anything.

    `token` is its text as far as it is one: a token may be half a character, its `bytes` are exact.
    """

    token: str
    logprob: float
    bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TokenLogprob(Logprob):
    """A token of an answer, and the likeliest ones that could have stood there."""

    top_logprobs: tuple[Logprob, ...] = ()
