"""From `Sampling` to llama.cpp's sampler chain."""

import math
import secrets

from app.errors import InvalidRequestError
from app.serving.generation import Sampling
from app.serving.native_model import NativeModel
from app.serving.native_sampler import NativeSampler

PENALTY_WINDOW = 256
"""How many tokens of the answer the penalties look back on."""

_MOST_TOP_K = 1_000_000
# 2**32 - 1 means "draw one yourself" to llama.cpp.
_SEEDS = 2**32 - 1


def check(sampling: Sampling) -> None:
    """Refuse values no sampler can work with.

    Raises:
        InvalidRequestError: names the field and its range.
    """
    _in_range("temperature", sampling.temperature, 0.0, 100.0)
    _in_range("top_k", sampling.top_k, 0, _MOST_TOP_K)
    _in_range("top_p", sampling.top_p, 0.0, 1.0)
    _in_range("min_p", sampling.min_p, 0.0, 1.0)
    _in_range("repeat_penalty", sampling.repeat_penalty, 0.01, 100.0)
    _in_range("frequency_penalty", sampling.frequency_penalty, -100.0, 100.0)
    _in_range("presence_penalty", sampling.presence_penalty, -100.0, 100.0)


def build(sampling: Sampling, model: NativeModel) -> NativeSampler:
    """Make the chain of one answer. The caller frees it, on the engine's thread.

    Order: forbidden tokens, penalties, then either the likeliest token, or top-k, top-p, min-p,
    temperature and a draw.
    """
    chain = NativeSampler()
    if forbidden := model.suppressed():
        chain.forbid(forbidden, model.vocabulary_size)
    penalties = (sampling.repeat_penalty, sampling.frequency_penalty, sampling.presence_penalty)
    if penalties != (1.0, 0.0, 0.0):
        chain.penalize(model.vocabulary_size, PENALTY_WINDOW, *penalties)
    if sampling.temperature <= 0.0:
        chain.take_likeliest()
    else:
        chain.narrow(sampling.top_k, sampling.top_p, sampling.min_p)
        seed = secrets.randbits(32) if sampling.seed is None else sampling.seed
        chain.draw(sampling.temperature, seed % _SEEDS)
    return chain


def _in_range(name: str, value: float, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise InvalidRequestError(f"{name} ranges from {low:g} to {high:g}; {value!r} is outside.")
