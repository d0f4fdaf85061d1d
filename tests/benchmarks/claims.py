"""The promises of speed, each once: what is compared with what, and the bound."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Unit = Literal["tokens/s", "passages/s", "ms", "µs", ""]


@dataclass(frozen=True, slots=True)
class Claim:
    """One promise. `bound` holds for the ratio ours / `against`, or for our figure where that is empty.

    `at_least`: the bound is a lower one. `worst`: the worst round counts, not the median one.
    `bound` None: a figure that is only told, to explain another.
    """

    name: str
    says: str
    unit: Unit
    against: str = ""
    bound: float | None = None
    at_least: bool = False
    worst: bool = False

    @property
    def target(self) -> str:
        if self.bound is None:
            return "–"
        sign, times = "≥" if self.at_least else "≤", "×" if self.against else ""
        unit = f" {self.unit}" if self.unit and not self.against else ""
        return f"{sign} {self.bound:g}{times}{unit}"


PEER = "llama-server"
_TORCH, _HIGH_LEVEL = "sentence-transformers f32", "create_embedding"
_IDLE, _DISTINCT, _NOTHING = "without frames", "distinct prompts", "prefill from nothing"
_PLAIN, _FIRST = "without drafting", "the first question"

CLAIMS = MappingProxyType(
    {
        claim.name: claim
        for claim in (
            Claim("single.decode", "decode, in process", "tokens/s", PEER, 0.97, at_least=True),
            Claim("single.first", "first token, cold, in process", "ms", PEER, 1.05),
            Claim("single.again", "first token, same prompt again, in process", "ms", PEER, 1.5),
            Claim("gateway.decode", "decode, through the gateway", "tokens/s", PEER, 0.95, at_least=True),
            Claim("gateway.first", "first token, cold, through the gateway", "ms", PEER),
            Claim("gateway.again", "first token, same prompt again, through the gateway", "ms", PEER),
            Claim("eight.throughput", "8 clients, throughput", "tokens/s", PEER, 0.95, at_least=True),
            Claim("eight.gap", "8 clients, longest gap between tokens", "ms", PEER, 0.35),
            Claim("eight.first_p50", "8 clients, first token, p50", "ms", PEER, 0.9),
            Claim("eight.first_p95", "8 clients, first token, p95", "ms", PEER, 1.1),
            Claim(
                "eight.shared",
                "8 clients over one document, throughput",
                "tokens/s",
                _DISTINCT,
                3.0,
                at_least=True,
            ),
            Claim("restart.first", "first token after a restart, model load included", "ms", _NOTHING, 0.1),
            Claim("restart.load", "of it the load", "ms"),
            Claim("talk.next", "first token of a follow-up question about documents", "ms", _FIRST, 0.25),
            Claim("talk.restart", "the same after a restart, model load included", "ms", _FIRST, 0.35),
            Claim("talk.first_tokens", "tokens computed for the first question", ""),
            Claim("talk.next_tokens", "for the follow-up", ""),
            Claim("talk.restart_tokens", "after the restart", ""),
            Claim("embedding.torch", "embedding, batches of 32", "passages/s", _TORCH, 1.3, at_least=True),
            Claim("embedding.high_level", "embedding", "passages/s", _HIGH_LEVEL, 3.5, at_least=True),
            Claim(
                "embedding.cosine", "least cosine to its vectors", "", "", 0.999, at_least=True, worst=True
            ),
            Claim("stop.prefill", "stop in prefill, 100 tries, the longest counts", "ms", "", 20, worst=True),
            Claim("stop.decode", "stop in decode, 100 tries, the longest counts", "ms", "", 20, worst=True),
            Claim("frames.late_p95", "60 Hz frames during decode, lateness p95", "ms", "", 5),
            Claim("frames.late_max", "60 Hz frames during decode, latest", "ms", "", 16, worst=True),
            Claim("frames.decode", "decode beside them", "tokens/s", _IDLE, 0.7, at_least=True),
            Claim("overhead.scheduling", "scheduling a step, 8 sequences", "µs", "", 80),
            Claim("overhead.step", "all our own work a step, text and outboxes included", "µs"),
            Claim("overhead.wall", "the same with waits for the interpreter lock", "µs"),
            Claim(
                "drafting.quote",
                "decode with drafting, text repeated",
                "tokens/s",
                _PLAIN,
                1.2,
                at_least=True,
            ),
            Claim(
                "drafting.answer",
                "decode with drafting, answer from a passage",
                "tokens/s",
                _PLAIN,
                0.97,
                at_least=True,
            ),
            Claim(
                "drafting.story",
                "decode with drafting, nothing to quote",
                "tokens/s",
                _PLAIN,
                0.97,
                at_least=True,
            ),
        )
    }
)
