"""A chain of llama.cpp's samplers."""

import ctypes
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.serving import llama
from app.serving.disaggregated_context import DisaggregatedContext
from app.serving.llama import native
from app.serving.native_model import NativeModel

_CANDIDATE = np.dtype([("token", np.int32), ("score", np.float32), ("p", np.float32)])
_MIROSTAT_SAMPLES = 100  # as llama.cpp's own chain has it
_IMPOSSIBLE = 1e-30
# llama.cpp takes it for "draw one yourself".
_NO_SEED = 2**32 - 1


class NativeSampler:
    """A chain of llama.cpp's samplers. Remembers the tokens it chose (for penalties).

    Its parts work in the order in which they are added; the last one chooses.
    """

    def __init__(self, model: NativeModel) -> None:
        self._handle = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())
        self._model = model
        self._candidates: NDArray[np.void] | None = None

    def bias(self, biases: Sequence[tuple[int, float]]) -> None:
        """Add to the scores of tokens; -inf forbids one."""
        array = (native.llama_logit_bias * len(biases))()
        for entry, (token, bias) in zip(array, biases, strict=True):
            entry.token, entry.bias = token, bias
        self._add(native.llama_sampler_init_logit_bias(self._model.vocabulary_size, len(biases), array))

    def penalize(self, window: int, repeat: float, frequency: float, presence: float) -> None:
        size = self._model.vocabulary_size
        self._add(native.llama_sampler_init_penalties(size, window, repeat, frequency, presence))

    def punish_runs(
        self, multiplier: float, base: float, allowed: int, window: int, breakers: Sequence[str]
    ) -> None:
        """DRY. A breaker is cut after 40 bytes."""
        array = (ctypes.c_char_p * len(breakers))(*(text.encode("utf-8", "replace") for text in breakers))
        self._add(
            native.llama_sampler_init_dry(
                self._model.vocabulary, multiplier, base, allowed, window, array, len(breakers)
            )
        )

    def drop_impossible(self) -> None:
        """Leave out what has no probability, which makes NaN of an entropy."""
        self._add(native.llama_sampler_init_min_p(_IMPOSSIBLE, 1))

    def keep_likeliest(self, top_k: int) -> None:
        self._add(native.llama_sampler_init_top_k(top_k))

    def keep_typical(self, typical_p: float) -> None:
        self._add(native.llama_sampler_init_typical(typical_p, 1))

    def keep_mass(self, top_p: float) -> None:
        self._add(native.llama_sampler_init_top_p(top_p, 1))

    def keep_comparable(self, min_p: float) -> None:
        self._add(native.llama_sampler_init_min_p(min_p, 1))

    def leave_out_top(self, probability: float, threshold: float, seed: int) -> None:
        """XTC."""
        self._add(native.llama_sampler_init_xtc(probability, threshold, 1, seed % _NO_SEED))

    def temper(self, temperature: float) -> None:
        self._add(native.llama_sampler_init_temp(temperature))

    def draw(self, seed: int) -> None:
        self._add(native.llama_sampler_init_dist(seed % _NO_SEED))

    def draw_steadily(self, version: int, tau: float, eta: float, seed: int) -> None:
        """Mirostat, version 1 or 2."""
        seed %= _NO_SEED
        if version == 1:
            size = self._model.vocabulary_size
            self._add(native.llama_sampler_init_mirostat(size, seed, tau, eta, _MIROSTAT_SAMPLES))
        else:
            self._add(native.llama_sampler_init_mirostat_v2(seed, tau, eta))

    def take_likeliest(self) -> None:
        self._add(native.llama_sampler_init_greedy())

    def sample(self, context: DisaggregatedContext, index: int) -> int:
        """Choose a token from the scores of batch position `index`, and remember it."""
        handle, there = context.output(index)
        return int(native.llama_sampler_sample(llama.opened(self._handle), handle, there))

    def choose(self, scores: NDArray[np.float32]) -> int | None:
        """Choose a token from `scores`, shape (tokens,); None: all that are left are impossible."""
        if self._candidates is None:
            self._candidates = np.empty(len(scores), _CANDIDATE)
        candidates = self._candidates
        # The samplers sort and cut the array in place.
        candidates["token"] = np.arange(len(scores), dtype=np.int32)
        candidates["score"] = scores
        data = candidates.ctypes.data_as(ctypes.POINTER(native.llama_token_data))
        array = native.llama_token_data_array(data, len(scores), -1, False)
        native.llama_sampler_apply(llama.opened(self._handle), ctypes.byref(array))
        if array.selected < 0:
            return None
        chosen = array.data[array.selected]
        return int(chosen.id) if chosen.logit > -math.inf else None

    def remember(self, token: int) -> None:
        """Take note of a token from `choose`."""
        native.llama_sampler_accept(llama.opened(self._handle), token)

    def free(self) -> None:
        handle, self._handle = self._handle, None
        if handle:
            native.llama_sampler_free(handle)

    def _add(self, part: Any) -> None:
        native.llama_sampler_chain_add(self._handle, part)
