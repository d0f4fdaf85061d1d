"""Texts to vectors, on threads of their own: one a core, each with its own context.

A text is computed by one thread, by itself. Packing several into a batch is slower on a processor,
and so is one text on several threads: they wait for each other after every step, which on a
machine that is busy with something else costs many times the work. A waiting question is delayed
by one passage at most (urgent jobs go first).
"""

import asyncio
import atexit
import logging
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import AppError, BusyError, ContextOverflowError, ModelError, ModelFileError
from app.records import Model
from app.serving import catalogue, gguf, hardware
from app.serving.chat_model import utf8
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel

_log = logging.getLogger(__name__)

LONGEST_PASSAGE = 256
"""Positions a passage may take. Sentence models are trained on no more, and blur beyond."""

_MOST_POSITIONS = 2_048  # of a query; longer texts cost memory and say nothing more
_MOST_THREADS = 8  # each holds the working memory of a context
_CLOSED = "The embedding model was closed."

Vectors = NDArray[np.float32]


@dataclass(eq=False, slots=True)
class _Job:
    texts: tuple[str, ...]
    may_cut: bool
    done: Future[Vectors] = field(default_factory=Future)
    vectors: dict[int, Vectors] = field(default_factory=dict)  # by the text's place
    taken: int = 0  # texts that a thread has computed or is computing
    over: bool = False


@dataclass(frozen=True, slots=True)
class _Loaded:
    native: NativeModel
    contexts: tuple[NativeContext, ...]  # one a thread
    after: int  # tokens the model wants after a text
    framing: int  # tokens it wants around a text in all


class Embedder:
    """One embedding model, shared by its threads. All public methods are thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        queue_limit: int = 256,
        sha256: str | None = None,
        name: str | None = None,
        polite: bool = False,
    ) -> None:
        """Nothing is loaded yet. Arguments as for `Engine`; `queue_limit` counts jobs.

        Args:
            threads: how many texts are computed at once; 0: one a core.
        """
        self.path = path
        self._name = name or path.stem
        self._threads = threads
        self._queue_limit = queue_limit
        self._sha256 = sha256
        self._polite = polite
        self._parts: _Loaded | None = None
        self._record: Model | None = None
        self._working: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._urgent: deque[_Job] = deque()
        self._bulk: deque[_Job] = deque()
        self._closing = False

    def load(self) -> Model:
        """Load the model and start the threads. Blocks for as long as that takes.

        Raises:
            ModelFileError: the file is no embedding model that can be loaded; the message says why.
            ModelError: not enough memory, or the embedder was closed.
        """
        parts = _load(self.path, self._threads)
        try:
            record = Model(
                name=self._name,
                kind="embedding",
                path=str(self.path),
                size=self.path.stat().st_size,
                sha256=self._sha256 or catalogue.sha256(self.path),
                loaded=True,
                context_length=parts.contexts[0].length,
                backend="CPU",
                layers=parts.native.layers,
                layers_offloaded=0,
            )
        except BaseException:
            _free(parts)
            raise
        with self._changed:
            if self._closing or self._parts:
                _free(parts)
                raise ModelError(_CLOSED if self._closing else "The model is loaded already.")
            self._parts, self._record = parts, record
            self._working = [
                threading.Thread(target=self._run, args=(context,), name=f"embedder-{number}", daemon=True)
                for number, context in enumerate(parts.contexts)
            ]
            # A daemon that is still inside native code when the interpreter goes would crash it.
            atexit.register(self.close)
            for thread in self._working:
                thread.start()
        return record

    @property
    def model(self) -> Model:
        """How the file is loaded.

        Raises:
            ModelError: it is not loaded.
        """
        if self._record is None:
            raise ModelError("The embedding model is not loaded.")
        return self._record

    @property
    def sha256(self) -> str:
        """Of the model file: vectors of different models cannot be compared."""
        return self.model.sha256

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._loaded.native.dimension

    @property
    def max_tokens(self) -> int:
        """Tokens of its own that one passage may hold, so that it is read as the model was trained."""
        return min(LONGEST_PASSAGE, self._loaded.contexts[0].length) - self._loaded.framing

    def count(self, text: str) -> int:
        """Tokens of a text, without what the model wants around it."""
        return len(self._loaded.native.tokenize(utf8(text)))

    async def embed(self, texts: Sequence[str], *, urgent: bool = False) -> Vectors:
        """Compute one vector a text: shape (len(texts), dimension), unit length.

        Args:
            urgent: a question somebody waits for. Goes before everything that is not, and is cut
                at the model's last position; a longer text that is not urgent is refused, since a
                passage whose end is in no vector could never be found by it.

        Raises:
            ContextOverflowError: a text that is not urgent has more tokens than the model positions.
            BusyError: too many jobs wait.
            ModelError: the embedder is not loaded, closed, or failed.
        """
        job = _Job(tuple(texts), may_cut=urgent)
        dimension = self.dimension
        with self._changed:
            if self._closing:
                raise ModelError(_CLOSED)
            if not job.texts:
                return np.empty((0, dimension), np.float32)
            if len(self._urgent) + len(self._bulk) >= self._queue_limit:
                raise BusyError
            (self._urgent if urgent else self._bulk).append(job)
            self._changed.notify_all()
        return await asyncio.wrap_future(job.done)

    def close(self) -> None:
        """Fail what waits, free the model. Idempotent; takes as long as the texts at hand."""
        with self._changed:
            self._closing = True
            working = list(self._working)
            self._changed.notify_all()
        for thread in working:
            thread.join()
        with self._changed:
            waiting = (*self._urgent, *self._bulk)
            # Whoever joined first frees; the handles do not mind being freed twice.
            if working and self._parts is not None:
                _free(self._parts)
        for job in waiting:
            self._end(job, ModelError(_CLOSED))
        atexit.unregister(self.close)

    @property
    def _loaded(self) -> _Loaded:
        if self._parts is None:
            raise ModelError("The embedding model is not loaded.")
        return self._parts

    # From here on: the embedder's threads.

    def _run(self, context: NativeContext) -> None:
        if self._polite:
            hardware.step_back()
        while (taken := self._take()) is not None:
            job, place = taken
            try:
                vector = self._vector(context, job.texts[place], may_cut=job.may_cut)
            except AppError as error:
                self._end(job, error)
            except Exception:
                _log.exception("An embedding failed.")
                self._end(job, ModelError("The embedding model failed. This is a bug."))
            else:
                self._put(job, place, vector)

    def _take(self) -> tuple[_Job, int] | None:
        """Wait for a text: its job and its place there. None once the embedder is closed."""
        with self._changed:
            while not self._closing:
                for queue in (self._urgent, self._bulk):
                    while queue and queue[0].done.cancelled():
                        queue.popleft()
                    if queue:
                        job = queue[0]
                        job.taken += 1
                        if job.taken == len(job.texts):
                            queue.popleft()
                        return job, job.taken - 1
                self._changed.wait()
            return None

    def _put(self, job: _Job, place: int, vector: Vectors) -> None:
        with self._changed:
            job.vectors[place] = vector
            complete = len(job.vectors) == len(job.texts)
        if complete:
            self._end(job, np.stack([job.vectors[at] for at in range(len(job.texts))]))

    def _end(self, job: _Job, result: Vectors | AppError) -> None:
        """Give a job its one end; a later one (another of its texts failed, too) is dropped."""
        with self._changed:
            over, job.over = job.over, True
            for queue in (self._urgent, self._bulk):
                if job in queue:
                    queue.remove(job)
        if over or not job.done.set_running_or_notify_cancel():
            return
        if isinstance(result, AppError):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)

    def _vector(self, context: NativeContext, text: str, *, may_cut: bool) -> Vectors:
        parts = self._loaded
        tokens = parts.native.tokenize(utf8(text), framed=True)
        room = context.length
        if len(tokens) > room:
            if not may_cut:
                raise ContextOverflowError(len(tokens), room)
            tokens[room - parts.after : len(tokens) - parts.after] = []
        vector = context.embed(tokens)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0:
            raise ModelError("The embedding model gave no usable vector.")
        return vector / np.float32(length)


def _load(path: Path, threads: int) -> _Loaded:
    header = gguf.read_header(path)
    positions = min(header.number("context_length") or LONGEST_PASSAGE, _MOST_POSITIONS)
    native = NativeModel(path)
    contexts: list[NativeContext] = []
    try:
        for _ in range(threads or min(hardware.cores(), _MOST_THREADS)):
            contexts.append(NativeContext(native, length=positions, batch=positions, threads=1, pooled=True))
        plain, framed = native.tokenize(b"a"), native.tokenize(b"a", framed=True)
        before = next((at for at in range(len(framed)) if framed[at : at + len(plain)] == plain), 0)
        _try_out(contexts[0], framed, path)
    except BaseException:
        for context in contexts:
            context.free()
        native.free()
        raise
    return _Loaded(native, tuple(contexts), len(framed) - before - len(plain), len(framed) - len(plain))


def _try_out(context: NativeContext, tokens: Sequence[int], path: Path) -> None:
    try:
        context.embed(tokens)
    except ModelError as error:
        raise ModelFileError(f"{path.name} was loaded, but gives no vectors.") from error


def _free(parts: _Loaded) -> None:
    for context in parts.contexts:
        context.free()
    parts.native.free()
