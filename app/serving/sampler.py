"""From `Sampling` to llama.cpp's sampler chain, and the choice of each token of an answer."""

import math
import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidRequestError
from app.logprobs import TokenLogprob
from app.serving import logprobs
from app.serving.constraints import gbnf, json_schema
from app.serving.constraints.grammar import Grammar
from app.serving.constraints.grammar_walk import State, Walk
from app.serving.disaggregated_context import DisaggregatedContext
from app.serving.generation import Generation, Sampling
from app.serving.native_model import NativeModel
from app.serving.native_sampler import NativeSampler

PENALTY_WINDOW = 256
"""How many tokens of the answer the penalties look back on."""

_RANGES: dict[str, tuple[float, float]] = {
    "temperature": (0.0, 100.0),
    "top_p": (0.0, 1.0),
    "min_p": (0.0, 1.0),
    "typical_p": (0.0, 1.0),
    "repeat_penalty": (0.01, 100.0),
    "frequency_penalty": (-100.0, 100.0),
    "presence_penalty": (-100.0, 100.0),
    "dry_multiplier": (0.0, 100.0),
    "dry_base": (1.0, 100.0),
    "xtc_probability": (0.0, 1.0),
    "xtc_threshold": (0.0, 1.0),
    "mirostat_tau": (0.0, 100.0),
    "mirostat_eta": (0.0, 100.0),
}
_WHOLE_RANGES = {
    "top_k": (0, 1_000_000),
    "dry_allowed_length": (1, 1_000_000),
    "dry_penalty_last_n": (-1, 1_000_000),
    "mirostat": (0, 2),
}
_LEAST_TEMPERATURE = 1e-6  # below it scores overflow, and only the likeliest token is left in any case
_MOST_BIASES = 1_024
_MOST_BREAKERS, _LONGEST_BREAKER = 16, 40  # bytes; llama.cpp cuts longer ones off
_TRIES = 8  # tokens the grammar may refuse before all of them are looked at
_MOST_LOOKS = 64  # kept; a place inside a text is met again, and looking there takes some 0.1 s


def check(generation: Generation, model: NativeModel) -> None:
    """Refuse values no sampler can work with.

    Raises:
        InvalidRequestError: names the field and its range, or says what is wrong with the grammar.
    """
    sampling = generation.sampling
    for name, (low, high) in _RANGES.items():
        _in_range(name, getattr(sampling, name), low, high)
    for name, (least, most) in _WHOLE_RANGES.items():
        value = getattr(sampling, name)
        _in_range(name, value, least, most)
        if not isinstance(value, int):
            raise InvalidRequestError(f"{name} is a whole number; {value!r} is none.")
    if generation.logprobs is not None:
        _in_range("top_logprobs", generation.logprobs, 0, logprobs.MOST)
    breakers = sampling.dry_sequence_breakers
    if len(breakers) > _MOST_BREAKERS or not all(
        0 < len(text.encode("utf-8", "replace")) <= _LONGEST_BREAKER for text in breakers
    ):
        raise InvalidRequestError(
            f"dry_sequence_breakers are at most {_MOST_BREAKERS} texts of 1 to {_LONGEST_BREAKER} bytes."
        )
    _check_tokens(sampling, model.vocabulary_size)
    if (constraint := _constraint(sampling)) is not None:
        Walk(constraint)
        _ = model.tokens  # made here and not on the engine's thread, where others wait


def build(generation: Generation, model: NativeModel) -> "Sampler":
    """Make the sampler of one answer, of what `check` has passed. The caller frees it.

    The order is that of llama.cpp's own chain (common/sampling.cpp, `common_sampler_init`, with the
    samplers of `common_params_sampling`): biases, penalties, DRY, then either the likeliest token,
    or top-k, typical, top-p, min-p, XTC, temperature and a draw; mirostat is a temperature and its
    own draw in place of these.
    """
    sampling = generation.sampling
    chain = NativeSampler(model)
    biases = _biases(sampling, model)
    if biases:
        chain.bias(biases)
    penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
    penalized = penalties != (1.0, 0.0, 0.0)
    if penalized:
        chain.penalize(PENALTY_WINDOW, *penalties)
    dry = sampling.dry_multiplier > 0.0 and sampling.dry_penalty_last_n != 0
    if dry:
        # An answer is never longer than `max_tokens`, and memory is taken for each token of the window.
        asked = sampling.dry_penalty_last_n
        window = generation.max_tokens if asked < 0 else min(asked, generation.max_tokens)
        chain.punish_runs(
            sampling.dry_multiplier,
            sampling.dry_base,
            sampling.dry_allowed_length,
            window,
            sampling.dry_sequence_breakers,
        )
    greedy = sampling.temperature < _LEAST_TEMPERATURE
    if greedy:
        chain.take_likeliest()
    else:
        _draw(chain, sampling)
    constraint = _constraint(sampling)
    walk = None if constraint is None else Walk(constraint)
    plain = greedy and not penalized and not dry
    return Sampler(chain, model, walk, generation.logprobs, biases=biases if plain else None)


class Sampler:
    """Chooses the tokens of one answer. Belongs to the engine's thread.

    Attributes:
        over: nothing can follow: the grammar's text is complete.
        logprob: of the token chosen last, if it was asked for.
    """

    def __init__(
        self,
        chain: NativeSampler,
        model: NativeModel,
        walk: Walk | None,
        others: int | None,
        *,
        biases: Sequence[tuple[int, float]] | None,
    ) -> None:
        """
        Args:
            others: how many tokens to tell beside the chosen one; None: tell nothing.
            biases: those of a chain that does nothing but add them and take the likeliest token,
                which needs no list of candidates; None: it does more.
        """
        self._chain, self._model, self._others = chain, model, others
        self._walk = walk
        self._state = None if walk is None else walk.start
        self._biases = biases
        self._looks: dict[State, NDArray[np.bool_]] = {}
        self.over = False
        self.logprob: TokenLogprob | None = None

    def sample(self, context: DisaggregatedContext, index: int) -> int:
        """Choose a token from the scores of batch position `index`.

        Raises:
            InvalidRequestError: the grammar leaves no token to choose, or too many ways to follow it.
        """
        if self._walk is None and self._others is None:
            return self._free_choice(context, index)
        scores = context.scores(index)
        token = self._free_choice(context, index) if self._walk is None else self._constrained(scores)
        if self._others is not None:
            self.logprob = logprobs.of(token, scores, self._others, self._model)
        return token

    def free(self) -> None:
        self._chain.free()

    def _free_choice(self, context: DisaggregatedContext, index: int) -> int:
        if self._biases is None:
            return self._chain.sample(context, index)
        scores = context.scores(index)
        if self._biases:
            scores = scores.copy()
            for token, bias in self._biases:
                scores[token] += bias
        return int(scores.argmax())

    def _constrained(self, scores: NDArray[np.float32]) -> int:
        """Choose, then ask the grammar, as llama.cpp does (`common_sampler_sample`).

        What it refuses is struck out and the choice made again, which is a draw from what it allows.
        Where that takes long, the model wants something else altogether: then all tokens are asked.
        """
        assert self._walk is not None
        assert self._state is not None
        left, tokens = scores.copy(), self._model.tokens
        for tries in range(_TRIES + 1):
            if tries == _TRIES:
                left[~self._allowed(self._walk, self._state)] = -np.inf
            token = self._chain.choose(left)
            if token is None:
                break
            after = tokens.follow(self._walk, self._state, token)
            if after is not None:
                self._chain.remember(token)
                self._walk.rest()
                self._state, self.over = after, after.over
                return token
            left[token] = -np.inf
        raise InvalidRequestError("The grammar leaves no token that this model may choose.")

    def _allowed(self, walk: Walk, state: State) -> NDArray[np.bool_]:
        if (found := self._looks.get(state)) is None:
            if len(self._looks) >= _MOST_LOOKS:
                self._looks.clear()
            found = self._looks[state] = self._model.tokens.allowed(walk, state)
        return found


def _draw(chain: NativeSampler, sampling: Sampling) -> None:
    seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
    if sampling.mirostat:
        chain.temper(sampling.temperature)
        chain.drop_impossible()
        chain.draw_steadily(sampling.mirostat, sampling.mirostat_tau, sampling.mirostat_eta, seed)
        return
    chain.keep_likeliest(sampling.top_k)
    if sampling.typical_p < 1.0:
        chain.drop_impossible()
        chain.keep_typical(sampling.typical_p)
    chain.keep_mass(sampling.top_p)
    chain.keep_comparable(sampling.min_p)
    if sampling.xtc_probability > 0.0:
        chain.leave_out_top(sampling.xtc_probability, sampling.xtc_threshold, seed)
    chain.temper(sampling.temperature)
    chain.draw(seed)


def _constraint(sampling: Sampling) -> Grammar | None:
    if sampling.grammar is not None and sampling.json_schema is not None:
        raise InvalidRequestError("Give a grammar or a JSON schema, not both.")
    if sampling.json_schema is not None:
        return gbnf.parse(json_schema.to_gbnf(sampling.json_schema))
    return None if sampling.grammar is None else gbnf.parse(sampling.grammar)


def _biases(sampling: Sampling, model: NativeModel) -> list[tuple[int, float]]:
    never = dict.fromkeys((*model.suppressed(), *sampling.banned), -math.inf)
    return list((dict(sampling.logit_bias) | never).items())


def _check_tokens(sampling: Sampling, vocabulary: int) -> None:
    if len(sampling.logit_bias) + len(sampling.banned) > _MOST_BIASES:
        raise InvalidRequestError(f"logit_bias has at most {_MOST_BIASES:,} tokens.")
    for token in (*(token for token, _ in sampling.logit_bias), *sampling.banned):
        if not 0 <= token < vocabulary:
            raise InvalidRequestError(
                f"logit_bias names token {token}; this model's tokens range from 0 to {vocabulary - 1}."
            )
    for _, bias in sampling.logit_bias:
        _in_range("logit_bias", bias, -100.0, 100.0)


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidRequestError(f"{name} ranges from {low:g} to {high:g}; {value!r} is outside.")
