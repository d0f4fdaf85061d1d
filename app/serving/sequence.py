"""One request on its way through the engine."""

import time

from app.errors import AppError
from app.logprobs import TokenLogprob
from app.records import Usage
from app.serving.detokenizer import Detokenizer
from app.serving.generation import End, EndReason, Generation, Piece
from app.serving.kv_cache import Slot
from app.serving.outbox import Outbox


class Sequence:
    """The tokens of one request, what of them is computed, and where its pieces go.

    Used on the engine's thread; other threads only set `cancelled` (and read `waiting`).
    """

    def __init__(self, generation: Generation, outbox: Outbox, stop: tuple[str, ...] = ()) -> None:
        """`stop` are texts that end an answer of this model, besides those of the request."""
        self.generation = generation
        self.tokens = list(generation.prompt.tokens)
        self.prompt_tokens = len(self.tokens)
        self.client, self.urgent = generation.asker.client, generation.asker.urgent
        self.slot: Slot | None = None
        self.cancelled = False
        self.ended = False
        self.cached_tokens = 0
        self._outbox = outbox
        self._text = Detokenizer((*generation.stop, *stop))
        self._unsent_tokens = 0
        self._unsent_logprobs: list[TokenLogprob] = []
        self._started = self._first_token = 0.0
        self._asked = time.monotonic()

    @property
    def waiting(self) -> bool:
        return self.slot is None and not self.ended

    @property
    def computed(self) -> int:
        """How many of `tokens` are in the model's memory."""
        return len(self.slot.tokens) if self.slot else 0

    @property
    def missing(self) -> int:
        """How many of `tokens` are yet to compute; 1 while the answer is being written."""
        return len(self.tokens) - self.computed

    @property
    def sampled(self) -> int:
        return len(self.tokens) - self.prompt_tokens

    @property
    def left(self) -> int:
        """How many tokens the answer may still have."""
        return self.generation.max_tokens - self.sampled

    def overdue(self, now: float) -> bool:
        """Whether the request's deadline has passed; `now` is `time.monotonic()`."""
        deadline = self.generation.deadline
        return deadline is not None and now - self._asked > deadline

    def start(self, slot: Slot) -> None:
        """The sequence has its place; what the slot holds already need not be computed."""
        self.slot = slot
        slot.coming = self.tokens
        if not self._started:
            self.cached_tokens = len(slot.tokens)
            self._started = time.perf_counter()

    def pause(self) -> Slot | None:
        """The sequence gives up its place, for good or until it is started again."""
        slot, self.slot = self.slot, None
        return slot

    def append(
        self, token: int, piece: bytes, *, ends: bool, room: int, logprob: TokenLogprob | None = None
    ) -> EndReason | None:
        """Take a sampled token and send what it completes; return why the answer is over, if it is.

        Args:
            piece: the token's bytes.
            ends: the token ends the model's turn (its bytes are not text).
            room: positions the slot has in all.
            logprob: how likely the token was, if that was asked for.
        """
        if not self.sampled:
            self._first_token = time.perf_counter()
        self.tokens.append(token)
        if ends:  # of no piece: what is held back belongs to the tokens before it
            return "stop"
        self._unsent_tokens += 1
        if logprob is not None:
            self._unsent_logprobs.append(logprob)
        self._send(self._text.push(piece))
        if self._text.stopped:
            return "stop"
        if self.left <= 0 or len(self.tokens) >= room:
            return "length"
        return None

    def end(self, reason: EndReason) -> None:
        """Send what was held back, then the End. Only the first ending counts."""
        if self.ended:
            return
        self._send(self._text.finish())
        now = time.perf_counter()
        begun, first = self._started or now, self._first_token or now
        self.ended = True
        self._outbox.put(
            End(
                reason=reason,
                usage=Usage(self.prompt_tokens, self.sampled, self.cached_tokens),
                prefill_ms=(first - begun) * 1_000,
                decode_ms=(now - first) * 1_000,
            )
        )

    def fail(self, error: AppError) -> None:
        """End with an error instead. What was sent before stays sent."""
        if not self.ended:
            self.ended = True
            self._outbox.put(error)

    def _send(self, text: str) -> None:
        if text:
            self._outbox.put(Piece(text, self._unsent_tokens, tuple(self._unsent_logprobs)))
            self._unsent_tokens = 0
            self._unsent_logprobs.clear()
