"""Texts to vectors, on a thread and a context of its own.

One text is computed at a time: packing several into a batch is slower on a processor, and a
waiting question is then delayed by one passage at most (urgent jobs go first).
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
from app.serving import catalogue, gguf, hardware, llama
from app.serving.chat_model import utf8

_log = logging.getLogger(__name__)

LONGEST_PASSAGE = 256
"""Positions a passage may take. Sentence models are trained on no more, and blur beyond."""

_MOST_POSITIONS = 2_048  # of a query; longer texts cost memory and say nothing more
_CLOSED = "The embedding model was closed."

Vectors = NDArray[np.float32]


@dataclass(eq=False, slots=True)
class _Job:
    texts: tuple[str, ...]
    may_cut: bool
    done: Future[Vectors] = field(default_factory=Future)
    vectors: list[Vectors] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Loaded:
    native: llama.NativeModel
    context: llama.NativeContext
    after: int  # tokens the model wants after a text
    framing: int  # tokens it wants around a text in all


class Embedder:
    """One embedding model on one thread. All public methods are thread-safe."""

    def __init__(
        self,
        path: Path,
        *,
        threads: int = 0,
        queue_limit: int = 256,
        sha256: str | None = None,
        name: str | None = None,
    ) -> None:
        """Nothing is loaded yet. Arguments as for `Engine`; `queue_limit` counts jobs."""
        self.path = path
        self._name = name or path.stem
        self._threads = threads
        self._queue_limit = queue_limit
        self._sha256 = sha256
        self._parts: _Loaded | None = None
        self._record: Model | None = None
        self._thread: threading.Thread | None = None
        self._changed = threading.Condition()
        self._urgent: deque[_Job] = deque()
        self._bulk: deque[_Job] = deque()
        self._closing = False

    def load(self) -> Model:
        """Load the model and start the thread. Blocks for as long as that takes.

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
                context_length=parts.context.length,
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
            self._thread = threading.Thread(target=self._run, name="embedder", daemon=True)
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
        return min(LONGEST_PASSAGE, self._loaded.context.length) - self._loaded.framing

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
        self._loaded  # noqa: B018 - raises when there is none
        with self._changed:
            if self._closing:
                raise ModelError(_CLOSED)
            if len(self._urgent) + len(self._bulk) >= self._queue_limit:
                raise BusyError
            (self._urgent if urgent else self._bulk).append(job)
            self._changed.notify()
        return await asyncio.wrap_future(job.done)

    def close(self) -> None:
        """Fail what waits, free the model. Idempotent; takes as long as the text at hand."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        atexit.unregister(self.close)

    @property
    def _loaded(self) -> _Loaded:
        if self._parts is None:
            raise ModelError("The embedding model is not loaded.")
        return self._parts

    # From here on: the embedder's thread.

    def _run(self) -> None:
        try:
            while (job := self._next_job()) is not None:
                try:
                    self._advance(job)
                except AppError as error:
                    self._finish(job, error)
                except Exception:
                    _log.exception("An embedding failed.")
                    self._finish(job, ModelError("The embedding model failed. This is a bug."))
        finally:
            with self._changed:
                self._closing = True
                left = (*self._urgent, *self._bulk)
            for job in left:
                self._finish(job, ModelError(_CLOSED))
            _free(self._loaded)

    def _next_job(self) -> _Job | None:
        with self._changed:
            while not self._closing:
                for queue in (self._urgent, self._bulk):
                    while queue and queue[0].done.cancelled():
                        queue.popleft()
                    if queue:
                        return queue[0]
                self._changed.wait()
            return None

    def _advance(self, job: _Job) -> None:
        """Compute the job's next text; one that has all its vectors is done."""
        if len(job.vectors) < len(job.texts):
            job.vectors.append(self._vector(job.texts[len(job.vectors)], may_cut=job.may_cut))
        if len(job.vectors) == len(job.texts):
            vectors = np.asarray(job.vectors, dtype=np.float32)
            self._finish(job, vectors.reshape(len(job.texts), self.dimension))

    def _vector(self, text: str, *, may_cut: bool) -> Vectors:
        parts = self._loaded
        tokens = parts.native.tokenize(utf8(text), framed=True)
        room = parts.context.length
        if len(tokens) > room:
            if not may_cut:
                raise ContextOverflowError(len(tokens), room)
            tokens[room - parts.after : len(tokens) - parts.after] = []
        vector = parts.context.embed(tokens)
        length = float(np.linalg.norm(vector))
        if not np.isfinite(length) or length == 0:
            raise ModelError("The embedding model gave no usable vector.")
        return vector / np.float32(length)

    def _finish(self, job: _Job, result: Vectors | AppError) -> None:
        with self._changed:
            for queue in (self._urgent, self._bulk):
                if job in queue:
                    queue.remove(job)
        if not job.done.set_running_or_notify_cancel():
            return
        if isinstance(result, AppError):
            job.done.set_exception(result)
        else:
            job.done.set_result(result)


def _load(path: Path, threads: int) -> _Loaded:
    header = gguf.read_header(path)
    positions = min(header.number("context_length") or LONGEST_PASSAGE, _MOST_POSITIONS)
    native = llama.NativeModel(path)
    try:
        context = llama.NativeContext(
            native, length=positions, batch=positions, threads=threads or hardware.cores(), pooled=True
        )
    except BaseException:
        native.free()
        raise
    plain, framed = native.tokenize(b"a"), native.tokenize(b"a", framed=True)
    before = next((at for at in range(len(framed)) if framed[at : at + len(plain)] == plain), 0)
    parts = _Loaded(native, context, len(framed) - before - len(plain), len(framed) - len(plain))
    try:
        context.embed(framed)
    except ModelError as error:
        _free(parts)
        raise ModelFileError(f"{path.name} was loaded, but gives no vectors.") from error
    return parts


def _free(parts: _Loaded) -> None:
    parts.context.free()
    parts.native.free()
