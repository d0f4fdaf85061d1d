"""Texts to vectors: the embedding model. How it is computed: context_pool.py."""

import functools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import ContextOverflowError, ModelError, ModelFileError
from app.records import Model
from app.serving import catalogue, context_pool, gguf, hardware
from app.serving.chat_model import utf8
from app.serving.context_pool import ContextPool
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel

LONGEST_PASSAGE = 256
"""Positions a passage may take. Sentence models are trained on no more, and blur beyond."""

_MOST_POSITIONS = 2_048  # of a query; longer texts cost memory and say nothing more
_MOST_THREADS = 8  # each holds the working memory of a context
_CLOSED = "The embedding model was closed."

Vectors = NDArray[np.float32]


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
        self._pool: ContextPool | None = None
        self._lock = threading.Lock()
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
            context_pool.free(parts.native, parts.contexts)
            raise
        with self._lock:
            if self._closing or self._parts:
                context_pool.free(parts.native, parts.contexts)
                raise ModelError(_CLOSED if self._closing else "The model is loaded already.")
            self._parts, self._record = parts, record
            self._pool = ContextPool(
                parts.native,
                parts.contexts,
                name="embedder",
                closed=_CLOSED,
                queue_limit=self._queue_limit,
                polite=self._polite,
            )
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
        pool, dimension = self._pool, self.dimension
        if self._closing or pool is None:
            raise ModelError(_CLOSED)
        if not texts:
            return np.empty((0, dimension), np.float32)
        tasks = [functools.partial(self._vector, text=text, may_cut=urgent) for text in texts]
        return await pool.compute(tasks, urgent=urgent)

    def close(self) -> None:
        """Fail what waits, free the model. Idempotent; takes as long as the texts at hand."""
        with self._lock:
            self._closing = True
        if self._pool is not None:
            self._pool.close()

    @property
    def _loaded(self) -> _Loaded:
        if self._parts is None:
            raise ModelError("The embedding model is not loaded.")
        return self._parts

    def _vector(self, context: NativeContext, *, text: str, may_cut: bool) -> Vectors:
        """On one of the pool's threads."""
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
    contexts: tuple[NativeContext, ...] = ()
    try:
        contexts = context_pool.contexts(
            native, positions=positions, threads=threads or min(hardware.cores(), _MOST_THREADS)
        )
        plain, framed = native.tokenize(b"a"), native.tokenize(b"a", framed=True)
        before = next((at for at in range(len(framed)) if framed[at : at + len(plain)] == plain), 0)
        _try_out(contexts[0], framed, path)
    except BaseException:
        context_pool.free(native, contexts)
        raise
    return _Loaded(native, contexts, len(framed) - before - len(plain), len(framed) - len(plain))


def _try_out(context: NativeContext, tokens: Sequence[int], path: Path) -> None:
    try:
        context.embed(tokens)
    except ModelError as error:
        raise ModelFileError(f"{path.name} was loaded, but gives no vectors.") from error
