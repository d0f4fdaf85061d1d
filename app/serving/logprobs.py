"""How likely a token was, and which others were likely: from the raw scores, as the OpenAI API tells it."""

import numpy as np
from numpy.typing import NDArray

from app.logprobs import Logprob, TokenLogprob
from app.serving.native_model import NativeModel

MOST = 20
"""Other tokens that are told at most."""

_NEVER = -9999.0
"""What the OpenAI API says in place of minus infinity, which JSON does not have."""


def log_softmax(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    """Natural logarithms of probabilities, shape as `scores`; no finite score overflows."""
    shifted = scores.astype(np.float64) - np.max(scores)
    result: NDArray[np.float64] = shifted - np.log(np.sum(np.exp(shifted)))
    return result


def of(token: int, scores: NDArray[np.float32], others: int, model: NativeModel) -> TokenLogprob:
    """What is told of `token`, chosen from `scores` (shape (tokens,)), and of the likeliest `others`."""
    with np.errstate(invalid="ignore"):  # a broken model's scores are NaN, and so is all that follows
        logarithms = log_softmax(scores)
    count = min(others, len(scores))
    found = np.argpartition(-logarithms, count - 1)[:count] if count else np.empty(0, np.int64)
    top = sorted((int(each) for each in found), key=lambda each: (-logarithms[each], each))
    own = _told(token, logarithms, model)
    return TokenLogprob(
        own.token, own.logprob, own.bytes, tuple(_told(each, logarithms, model) for each in top)
    )


def _told(token: int, logarithms: NDArray[np.float64], model: NativeModel) -> Logprob:
    spelled = model.piece(token) or model.spelling(token).encode()
    logarithm = float(logarithms[token])
    finite = logarithm if logarithm > _NEVER else _NEVER  # NaN is not greater
    return Logprob(spelled.decode("utf-8", "replace"), finite, tuple(spelled))
