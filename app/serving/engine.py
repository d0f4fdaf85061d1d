"""The engine: one thread that turns prompts into answers.

    generate() → Inbox → Loop → Outbox → whoever asked

The inbox is a bounded list under a lock, filled from any thread; each request's outbox leads back
to the loop that asked. Between the two everything happens on the engine's own thread (`loop.py`).
Every request ends in exactly one End or one error, whatever happens there.
"""

import asyncio
import atexit
import threading
from collections.abc import AsyncGenerator, Callable
from collections.abc import Sequence as Items
from pathlib import Path

from app.errors import AppError, ContextOverflowError, InvalidRequestError, ModelError
from app.records import Model, Problem
from app.serving import catalogue, chat_model, llama, sampler, scoring
from app.serving.drafting import Drafting
from app.serving.generation import ChatMessage, End, Generation, Piece, Prompt
from app.serving.inbox import CLOSED, Inbox
from app.serving.loop import Loop
from app.serving.outbox import Bells, Outbox
from app.serving.scoring import Scoring
from app.serving.sequence import Sequence
from app.serving.states import StateStore


class Engine:
    """One chat model on one thread. All public methods are thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        context_length: int = 0,
        gpu_layers: int = -1,
        threads: int = 0,
        slots: int = 0,
        queue_limit: int = 32,
        states: Path | None = None,
        sha256: str | None = None,
        name: str | None = None,
        at_work: Callable[[bool], None] | None = None,
        rests_after: float | None = None,
        on_rest: Callable[[], None] | None = None,
        polite: bool = False,
        drafting: Drafting = "automatic",
    ) -> None:
        """Nothing is loaded yet.

        Args:
            context_length: in tokens; 0: as the model and memory allow.
            gpu_layers: -1: as many as fit, where there is a GPU.
            threads: 0: all physical cores.
            slots: answers that are written side by side; 0: a few, as memory allows.
            queue_limit: requests that may wait; one more gets BusyError, unless it is urgent.
            states: the folder in which what was read is kept over restarts; None: it is not.
            sha256: of the file, if known; else `load` reads it once more to compute it.
            name: for people; else the file's name.
            at_work: told on the engine's thread when there is work and when none is left.
            rests_after: seconds without a request after which it closes by itself; None: never.
            on_rest: called on the engine's thread when it has done so.
            polite: let other threads of this computer go first, where it can be done (Linux).
            drafting: whether several tokens of an answer that quotes may be computed in one step.
        """
        self.path = path
        self._name = name or path.stem
        self._asked_length, self._gpu_layers, self._threads = context_length, gpu_layers, threads
        self._slots = slots
        self._states = states
        self._sha256 = sha256
        self._at_work = at_work or (lambda _busy: None)
        self._rests_after, self._on_rest = rests_after, on_rest or (lambda: None)
        self._polite = polite
        self._drafting = drafting
        self._inbox = Inbox(queue_limit)
        self._bells = Bells()
        self._parts: chat_model.ChatModel | None = None
        self._record: Model | None = None
        self._loop: Loop | None = None
        self._thread: threading.Thread | None = None

    def load(self) -> Model:
        """Load the model and start the thread. Blocks for as long as that takes.

        Raises:
            ModelFileError: the file is no chat model that can be loaded; the message says why.
            ModelTooLargeError: it, or what was asked, needs more memory than is free.
            ModelError: llama.cpp found no room for it, or the engine was closed.
        """
        parts = chat_model.load(
            self.path,
            context_length=self._asked_length,
            gpu_layers=self._gpu_layers,
            threads=self._threads,
            slots=self._slots,
            drafting=self._drafting,
        )
        try:
            record = self._describe(parts)
            self._inbox.open(parts.stop, self._rests_after)
        except BaseException:
            parts.free()
            raise
        self._parts, self._record = parts, record
        self._loop = Loop(parts, self._inbox, self._store(parts, record), self._at_work, polite=self._polite)
        self._thread = threading.Thread(target=self._run, args=(self._loop,), name="engine", daemon=True)
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

    def encode(self, messages: Items[ChatMessage]) -> Prompt:
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

    def check_queue(self) -> None:
        """Refuse now what `generate` would refuse because too many wait.

        Raises:
            BusyError, ModelError: as there.
        """
        self._inbox.check()

    async def generate(self, generation: Generation) -> AsyncGenerator[Piece | End, None]:
        """Stream one answer; the last item is its End. Runs on any loop.

        Closing the generator (or cancelling whoever awaits it) stops the computation within one
        step. A closed engine ends running answers with reason "cancelled".

        Raises:
            ContextOverflowError: before anything is computed.
            InvalidRequestError: a value no model can work with, or a grammar that cannot be followed
                (if that shows late, pieces may have come before).
            BusyError: too many requests wait.
            DecodeError: llama.cpp refused a step; pieces may have come before.
            ModelError: the engine is closed or broken.
        """
        if not generation.prompt.tokens or generation.max_tokens < 1:
            raise InvalidRequestError("A question needs a prompt and room for at least one token.")
        await self._check_sampling(generation)
        self.check(generation.prompt)
        outbox = Outbox(self._bells.here())
        sequence = Sequence(generation, outbox, self._loaded.template.stop)
        self._inbox.put(sequence)
        try:
            while True:
                item = await outbox.get()
                if isinstance(item, AppError):
                    raise item
                yield item
                if isinstance(item, End):
                    return
        finally:
            self._inbox.cancel(sequence)

    async def score(self, prefix: Prompt, continuations: Items[str]) -> tuple[float, ...]:
        """How likely each text is after `prefix`: the sum of its tokens' natural log-probabilities.

        All of them are computed together; cancelling whoever awaits it stops that within one step.

        Raises:
            ContextOverflowError: one does not fit, before anything is computed.
            InvalidRequestError: a text or the prefix is empty.
            BusyError: too many requests wait.
            DecodeError: llama.cpp refused a step.
            ModelError: the engine is closed or broken.
        """
        tokens = tuple(tuple(self._open.tokens(text)) for text in continuations)
        if not prefix.tokens or not all(tokens):
            raise InvalidRequestError("There is nothing to score: a text is empty.")
        scoring.check(prefix.tokens, tokens, min(scoring.LONGEST, self.context_length))
        if not tokens:
            return ()
        request = Scoring(prefix.tokens, tokens)
        self._inbox.put(request)
        try:
            return await asyncio.wrap_future(request.done)
        finally:
            self._inbox.cancel(request)

    @property
    def requests(self) -> int:
        """How many have not ended."""
        return self._inbox.live

    @property
    def rests(self) -> bool:
        """Whether it has closed by itself because nobody had asked for long."""
        return self._inbox.rests

    def touch(self) -> bool:
        """Somebody is about to ask: do not rest now. False: it is closed, by itself or by somebody."""
        return self._inbox.touch()

    def forget(self) -> bool:
        """Forget what was read for answers that have ended, in memory and on disk. False: it is closed."""
        return self._inbox.forget()

    def retire(self, grace: float = 5.0) -> None:
        """Close by itself once nothing has been asked for `grace` seconds and all answers ended."""
        self._inbox.retire(grace)

    def close(self) -> None:
        """Stop the step at hand, end every answer as cancelled, free the model. Idempotent."""
        self._inbox.close(CLOSED)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        atexit.unregister(self.close)

    def _run(self, loop: Loop) -> None:
        loop.run()
        # One that retired or rests is closed by nobody: it would be kept until the process ends.
        atexit.unregister(self.close)
        if self._inbox.rests:
            self._on_rest()

    async def _check_sampling(self, generation: Generation) -> None:
        native = self._loaded.native
        if generation.sampling.constrained:  # reading a grammar may take a while
            await asyncio.to_thread(sampler.check, generation, native)
        else:
            sampler.check(generation, native)

    @property
    def _open(self) -> chat_model.ChatModel:
        if self._inbox.closed:
            raise ModelError(self._inbox.closed)
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
            backend=parts.placement.backend,
            layers=parts.placement.all_layers,
            layers_offloaded=parts.placement.layers,
            placement=parts.placement.sentence,
        )

    def _store(self, parts: chat_model.ChatModel, record: Model) -> StateStore | None:
        if self._states is None:
            return None
        build = llama.versions()["llama.cpp"]
        placed = parts.placement
        # Without flash attention values lie in memory the other way round.
        how = f"{placed.layers} {placed.kv} {'flash' if placed.flash else 'plain'}"
        key = f"{record.sha256} {build} {parts.context.length} {how}"
        return StateStore(self._states, key=key)
