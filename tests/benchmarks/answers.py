"""One answer as its client saw it, whoever gave it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """Moments are seconds on the clock of `time.perf_counter`.

    `arrivals` are the moments at which text came, `ended` the one at which its end was told;
    `tokens` were sampled in all, `prompt_tokens` read.
    """

    asked: float
    arrivals: tuple[float, ...]
    ended: float
    prompt_tokens: int
    tokens: int

    @property
    def first_token_s(self) -> float:
        return self.arrivals[0] - self.asked

    @property
    def decode_rate(self) -> float:
        """Tokens a second after the first one."""
        return (self.tokens - 1) / (self.ended - self.arrivals[0])

    @property
    def longest_gap_s(self) -> float:
        """The longest wait between two arrivals."""
        return max(after - before for before, after in zip(self.arrivals, self.arrivals[1:], strict=False))


def must_be_same_work(mine: list[Answer], theirs: list[Answer]) -> None:
    """Answers that read or wrote other numbers of tokens cannot be compared.

    Raises:
        ValueError: they did.
    """
    for one, other in zip(mine, theirs, strict=True):
        if (one.prompt_tokens, one.tokens) != (other.prompt_tokens, other.tokens):
            raise ValueError(f"The sides did not do the same work: {one}, {other}")


def throughput(answers: list[Answer]) -> float:
    """Tokens served a second, prompts and answers together, from the first request to the last end."""
    served = sum(answer.prompt_tokens + answer.tokens for answer in answers)
    return served / (max(answer.ended for answer in answers) - min(answer.asked for answer in answers))
