"""The engine: one thread that turns prompts into answers.

    generate() → inbox → Scheduler.schedule() → llama_decode → sample → detokenize → outbox

The inbox is a bounded list under a lock, filled from any thread; each request's outbox leads back
to the loop that asked. Between the two everything happens on the engine's own thread. Every
request ends in exactly one End or one error, whatever happens here.
"""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator
from collections.abc import Sequence as Messages
from pathlib import Path

from app.errors import (
    AppError,
    BusyError,
    ContextOverflowError,
    DecodeError,
    InvalidRequestError,
    ModelError,
)
from app.records import Model, Problem
from app.serving import catalogue, chat_model, llama, sampler
from app.serving.generation import ChatMessage, End, EndReason, Generation, Piece, Prompt
from app.serving.kv_cache import KvCache
from app.serving.native_sampler import NativeSampler
from app.serving.outbox import Outbox
from app.serving.scheduler import Plan, Scheduler
from app.serving.sequence import Sequence

_log = logging.getLogger(__name__)

_SLOTS = 1  # one answer at a time; the scheduler can do more
_FAILURES_IN_A_ROW = 3  # unexpected ones, after which the engine gives up
_CLOSED = "The model was closed."


class Engine:
    """One chat model on one thread. All public methods are thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        context_length: int = 0,
        gpu_layers: int = -1,
        threads: int = 0,
        queue_limit: int = 32,
        sha256: str | None = None,
        name: str | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            context_length: in tokens; 0: as the model and memory allow.
            gpu_layers: -1: all, where there is a GPU.
            threads: 0: all physical cores.
            queue_limit: requests that may wait; one more gets BusyError.
            sha256: of the file, if known; else `load` reads it once more to compute it.
            name: for people; else the file's name.
        """
        self.path = path
        self._name = name or path.stem
        self._asked_length, self._gpu_layers, self._threads = context_length, gpu_layers, threads
        self._queue_limit = queue_limit
        self._sha256 = sha256
        self._parts: chat_model.ChatModel | None = None
        self._record: Model | None = None
        self._thread: threading.Thread | None = None
        self._scheduler: Scheduler
        self._cache: KvCache
        self._samplers: dict[Sequence, NativeSampler] = {}
        self._failures = 0
        # Shared between threads, under the condition's lock:
        self._changed = threading.Condition()
        self._inbox: deque[Sequence] = deque()
        self._live: set[Sequence] = set()
        self._computing: tuple[Sequence, ...] = ()
        self._closing: str | None = None  # why no more requests are taken
        self._retires_at: float | None = None  # on the monotonic clock

    def load(self) -> Model:
        """Load the model and start the thread. Blocks for as long as that takes.

        Raises:
            ModelFileError: the file is no chat model that can be loaded; the message says why.
            ModelError: not enough memory, or the engine was closed.
        """
        parts = chat_model.load(
            self.path,
            context_length=self._asked_length,
            gpu_layers=self._gpu_layers,
            threads=self._threads,
        )
        try:
            record = self._describe(parts)
        except BaseException:
            parts.free()
            raise
        with self._changed:
            if self._closing or self._parts:
                parts.free()
                raise ModelError(self._closing or "The model is loaded already.")
            self._parts, self._record = parts, record
            self._cache = KvCache(parts.context.length, _SLOTS)
            self._scheduler = Scheduler(self._cache, batch=min(chat_model.BATCH, parts.context.length))
            self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
            # A daemon that is still inside native code when the interpreter goes would crash it.
            atexit.register(self.close)
            self._thread.start()
        return record

    @property
    def model(self) -> Model:
        """How the file is loaded.

        Raises:
            ModelError: it is not loaded.
        """
        if self._record is None:
            raise ModelError("The model is not loaded.")
        return self._record

    @property
    def notice(self) -> Problem | None:
        """Something the user should know about how it was loaded."""
        return self._loaded.notice

    @property
    def context_length(self) -> int:
        """Tokens that prompt and answer may have together."""
        return self._loaded.context.length

    @property
    def parameters(self) -> int:
        """Number of weights."""
        return self._loaded.native.parameters

    def encode(self, messages: Messages[ChatMessage]) -> Prompt:
        """Render a chat with the model's template; control tokens in contents stay letters.

        Raises:
            InvalidRequestError: no messages, or the template refuses them.
            ModelError: the template fails, or the engine is closed.
        """
        return self._open.encode(messages)

    def count(self, text: str) -> int:
        """Tokens of plain text."""
        return self._open.count(text)

    def check(self, prompt: Prompt, max_tokens: int = 1) -> None:
        """Refuse a prompt that leaves no room for `max_tokens` of answer.

        Raises:
            ContextOverflowError: with the figures.
        """
        needed, available = len(prompt.tokens) + max_tokens, self.context_length
        if needed > available:
            raise ContextOverflowError(needed, available)

    async def generate(self, generation: Generation) -> AsyncGenerator[Piece | End, None]:
        """Stream one answer; the last item is its End. Runs on any loop.

        Closing the generator (or cancelling whoever awaits it) stops the computation within one
        step. A closed engine ends running answers with reason "cancelled".

        Raises:
            ContextOverflowError: before anything is computed.
            InvalidRequestError: a value no model can work with.
            BusyError: too many requests wait.
            DecodeError: llama.cpp refused a step; pieces may have come before.
            ModelError: the engine is closed or broken.
        """
        if not generation.prompt.tokens or generation.max_tokens < 1:
            raise InvalidRequestError("A question needs a prompt and room for at least one token.")
        sampler.check(generation.sampling)
        self.check(generation.prompt)
        outbox = Outbox()
        sequence = Sequence(generation, outbox, self._loaded.template.stop)
        self._submit(sequence)
        try:
            while True:
                item = await outbox.get()
                if isinstance(item, AppError):
                    raise item
                yield item
                if isinstance(item, End):
                    return
        finally:
            self._cancel(sequence)

    def retire(self, grace: float = 5.0) -> None:
        """Close by itself once nothing has been asked for `grace` seconds and all answers ended."""
        with self._changed:
            self._retires_at = time.monotonic() + grace
            self._changed.notify()

    def close(self) -> None:
        """Stop the step at hand, end every answer as cancelled, free the model. Idempotent."""
        with self._changed:
            self._closing = self._closing or _CLOSED
            if self._parts is not None:
                self._parts.stop.set()
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        atexit.unregister(self.close)

    @property
    def _open(self) -> chat_model.ChatModel:
        if self._closing:
            raise ModelError(self._closing)
        return self._loaded

    @property
    def _loaded(self) -> chat_model.ChatModel:
        if self._parts is None:
            raise ModelError("The model is not loaded.")
        return self._parts

    def _describe(self, parts: chat_model.ChatModel) -> Model:
        return Model(
            name=self._name,
            kind="chat",
            path=str(self.path),
            size=self.path.stat().st_size,
            sha256=self._sha256 or catalogue.sha256(self.path),
            loaded=True,
            context_length=parts.context.length,
            backend=parts.offload.backend,
            layers=parts.native.layers,
            layers_offloaded=parts.offload.layers,
        )

    def _submit(self, sequence: Sequence) -> None:
        with self._changed:
            if self._closing:
                raise ModelError(self._closing)
            if sum(other.waiting and not other.cancelled for other in self._live) >= self._queue_limit:
                raise BusyError
            self._live.add(sequence)
            self._inbox.append(sequence)
            if self._retires_at is not None:
                self._retires_at = max(self._retires_at, time.monotonic() + 1.0)
            self._changed.notify()

    def _cancel(self, sequence: Sequence) -> None:
        with self._changed:
            sequence.cancelled = True
            # Others in the batch would lose the step: then it runs to its end.
            if self._computing and all(other.cancelled for other in self._computing):
                self._loaded.stop.set()
            self._changed.notify()

    # From here on: the engine's thread.

    def _run(self) -> None:
        try:
            while self._take_inbox():
                try:
                    self._turn()
                    self._failures = 0
                except Exception:
                    self._recover()
        except Exception:
            _log.exception("The engine stopped.")
            self._give_up()
        finally:
            self._shut_down()

    def _take_inbox(self) -> bool:
        """Move what came in to the scheduler; wait while there is nothing to do. False: closing."""
        with self._changed:
            while not self._closing and not self._inbox and self._scheduler.idle:
                left = None if self._retires_at is None else self._retires_at - time.monotonic()
                if left is not None and left <= 0:
                    self._closing = "The model was changed meanwhile; ask again."
                    break
                self._changed.wait(left)
            while self._inbox:
                self._scheduler.add(self._inbox.popleft())
            return self._closing is None

    def _turn(self) -> None:
        for sequence in self._scheduler.drop_cancelled():
            self._end(sequence, "cancelled")
        for sequence in self._scheduler.admit():
            self._samplers[sequence] = sampler.build(sequence.generation.sampling, self._loaded.native)
            self._cut_memory(sequence)
            sequence.cached_tokens = sequence.computed
        plan = self._scheduler.schedule()
        if plan:
            self._step(plan)

    def _step(self, plan: Plan) -> None:
        parts = self._loaded
        with self._changed:
            if self._closing or all(sequence.cancelled for sequence in plan.sequences):
                return
            parts.stop.clear()
            self._computing = plan.sequences
        try:
            code = parts.context.decode(plan.rows)
        finally:
            with self._changed:
                self._computing = ()
        if code == llama.OK:
            self._scheduler.commit(plan)
            self._sample(plan)
            return
        for sequence in plan.sequences:
            self._cut_memory(sequence)  # what the step left half done
            if code != llama.ABORTED:  # aborted: whoever was not cancelled is planned again
                _log.error("llama.cpp refused a step: %d", code)
                self._end(sequence, DecodeError(f"The model could not go on (llama.cpp returned {code})."))

    def _sample(self, plan: Plan) -> None:
        parts, index = self._loaded, -1
        for row, sequence in zip(plan.rows, plan.sequences, strict=True):
            index += len(row.tokens)
            if not row.output or sequence.cancelled:
                continue
            token = self._samplers[sequence].sample(parts.context, index)
            ends = parts.native.ends(token)
            piece = b"" if ends else parts.native.piece(token)
            reason = sequence.append(token, piece, ends=ends, room=parts.context.length)
            if reason is not None:
                self._end(sequence, reason)

    def _cut_memory(self, sequence: Sequence) -> None:
        """Make the model's memory of a slot what the bookkeeping says it is, or empty."""
        if sequence.slot is not None:
            kept = self._loaded.context.truncate(sequence.slot.number, sequence.computed)
            del sequence.slot.tokens[kept:]

    def _end(self, sequence: Sequence, how: EndReason | AppError) -> None:
        """The one place where a request ends."""
        self._scheduler.drop(sequence)
        if (chain := self._samplers.pop(sequence, None)) is not None:
            chain.free()
        with self._changed:
            self._live.discard(sequence)
        if isinstance(how, AppError):
            sequence.fail(how)
        else:
            sequence.end(how)

    def _recover(self) -> None:
        """An unexpected exception: whoever was running gets an error; the rest may go on."""
        _log.exception("A step of the engine failed.")
        self._failures += 1
        if self._failures >= _FAILURES_IN_A_ROW:
            self._give_up()
            return
        for sequence in self._scheduler.sequences:
            if not sequence.waiting:
                self._end(sequence, DecodeError("The model failed while answering. This is a bug."))
        self._loaded.context.clear()
        self._cache.forget()

    def _give_up(self) -> None:
        with self._changed:
            self._closing = "The model stopped working; choose it again or restart Carrel."
        for sequence in tuple(self._live):
            self._end(sequence, ModelError(self._closing))

    def _shut_down(self) -> None:
        with self._changed:
            self._closing = self._closing or _CLOSED
        for sequence in tuple(self._live):
            self._end(sequence, "cancelled")
        self._loaded.free()
        atexit.unregister(self.close)
