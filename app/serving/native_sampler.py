"""A chain of llama.cpp's samplers."""

from collections.abc import Sequence
from typing import Any

from app.serving import llama
from app.serving.llama import native
from app.serving.native_context import NativeContext


class NativeSampler:
    """A chain of llama.cpp's samplers. Remembers the tokens it chose (for penalties)."""

    def __init__(self) -> None:
        self._handle = native.llama_sampler_chain_init(native.llama_sampler_chain_default_params())

    def forbid(self, tokens: Sequence[int], vocabulary: int) -> None:
        biases = (native.llama_logit_bias * len(tokens))()
        for bias, token in zip(biases, tokens, strict=True):
            bias.token, bias.bias = token, float("-inf")
        self._add(native.llama_sampler_init_logit_bias(vocabulary, len(tokens), biases))

    def penalize(
        self, vocabulary: int, window: int, repeat: float, frequency: float, presence: float
    ) -> None:
        self._add(native.llama_sampler_init_penalties(vocabulary, window, repeat, frequency, presence))

    def narrow(self, top_k: int, top_p: float, min_p: float) -> None:
        self._add(native.llama_sampler_init_top_k(top_k))
        self._add(native.llama_sampler_init_top_p(top_p, 1))
        self._add(native.llama_sampler_init_min_p(min_p, 1))

    def draw(self, temperature: float, seed: int) -> None:
        self._add(native.llama_sampler_init_temp(temperature))
        self._add(native.llama_sampler_init_dist(seed))

    def take_likeliest(self) -> None:
        self._add(native.llama_sampler_init_greedy())

    def sample(self, context: NativeContext, index: int) -> int:
        """Choose a token from the scores of batch position `index`, and remember it."""
        return int(native.llama_sampler_sample(llama.opened(self._handle), context.handle, index))

    def free(self) -> None:
        handle, self._handle = self._handle, None
        if handle:
            native.llama_sampler_free(handle)

    def _add(self, part: Any) -> None:
        native.llama_sampler_chain_add(self._handle, part)
