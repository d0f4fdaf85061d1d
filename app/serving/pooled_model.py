"""A model that reads whole texts: loaded, described and closed; computed on its own threads."""

import math
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from app.errors import ModelError
from app.records import Model, ModelKind
from app.serving import catalogue, context_pool, gguf, hardware
from app.serving.context_pool import ContextPool, Task, Vector
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel

_POSITIONS = 256  # where the file does not say
_MOST_POSITIONS = 2_048  # longer texts cost memory and say nothing more
_MOST_THREADS = 8  # each holds the working memory of a context


class PooledModel:
    """One model file, shared by its threads. All methods are thread-safe."""

    def __init__(
        self,
        path: Path,
        kind: ModelKind,
        *,
        called: str,
        threads: int,
        queue_limit: int,
        sha256: str | None,
        name: str | None,
        polite: bool,
        together: int = 1,
        tiles: bool = False,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            called: what people call such a model, in sentences.
            together: the most texts that are read in one batch, where the model can do that.
            tiles: as for `NativeModel`.
            threads: how many texts are computed at once; 0: one a core.
            queue_limit: jobs that may wait.
            sha256, name, polite: as for `Engine`.
        """
        self.path = path
        self._kind, self._called = kind, called
        self._threads, self._queue_limit, self._polite = threads, queue_limit, polite
        self._sha256, self._name = sha256, name or path.stem
        self._together, self._tiles = together, tiles
        self._native: NativeModel | None = None
        self._record: Model | None = None
        self._pool: ContextPool | None = None
        self._lock = threading.Lock()
        self._closing = False

    def load(self, try_out: Callable[[NativeModel, NativeContext], None]) -> Model:
        """Load the model and start the threads. Blocks for as long as that takes.

        Args:
            try_out: raises ModelFileError if the model is not of the kind it should be.

        Raises:
            ModelFileError: the file cannot be loaded, or what `try_out` raised.
            ModelError: not enough memory, or the model was closed.
        """
        header = gguf.read_header(self.path)
        positions = min(header.number("context_length") or _POSITIONS, _MOST_POSITIONS)
        threads = self._threads or min(hardware.cores(), _MOST_THREADS)
        native = NativeModel(self.path, tiles=self._tiles)
        contexts: tuple[NativeContext, ...] = ()
        try:
            contexts = context_pool.contexts(
                native, positions=positions, threads=threads, texts=self._texts(header, positions)
            )
            try_out(native, contexts[0])
            return self._open(native, contexts)
        except BaseException:
            context_pool.free(native, contexts)
            raise

    @property
    def record(self) -> Model:
        """How the file is loaded.

        Raises:
            ModelError: it is not loaded.
        """
        if self._record is None:
            raise ModelError(f"The {self._called} is not loaded.")
        return self._record

    @property
    def native(self) -> NativeModel:
        """The weights and the vocabulary.

        Raises:
            ModelError: it is not loaded.
        """
        if self._native is None:
            raise ModelError(f"The {self._called} is not loaded.")
        return self._native

    @property
    def positions(self) -> int:
        """The longest text, in tokens, with what the model wants around it."""
        return self.record.context_length

    @property
    def waiting(self) -> int:
        """Jobs that no thread has begun, or not finished beginning."""
        return self._pool.waiting if self._pool else 0

    @property
    def busy(self) -> bool:
        """Whether anything is being computed, or waits for it."""
        return self._pool is not None and self._pool.busy

    @property
    def together(self) -> int:
        """The most texts of one batch."""
        return self._pool.texts if self._pool else 1

    @property
    def threads(self) -> int:
        """Batches that are computed at once."""
        return self._pool.threads if self._pool else 1

    def check(self) -> None:
        """Refuse now what `compute` would refuse.

        Raises:
            ModelError: it is not loaded, or closed.
        """
        _ = self.record
        if self._closing:
            raise ModelError(self._closed)

    async def compute(self, tasks: Sequence[Task], *, urgent: bool) -> Vector:
        """As `ContextPool.compute`.

        Raises:
            BusyError: too many jobs wait.
            ModelError: it is not loaded, closed, or failed.
            AppError: whatever else a task raised.
        """
        self.check()
        assert self._pool is not None
        return await self._pool.compute(tasks, urgent=urgent)

    def close(self) -> None:
        """Fail what waits, free the model. Idempotent; takes as long as the texts at hand."""
        with self._lock:
            self._closing = True
        if self._pool is not None:
            self._pool.close()

    def _open(self, native: NativeModel, contexts: Sequence[NativeContext]) -> Model:
        record = self._describe(native, contexts[0].length)
        with self._lock:
            if self._closing or self._pool:
                raise ModelError(self._closed if self._closing else "The model is loaded already.")
            self._native, self._record = native, record
            self._pool = ContextPool(
                native,
                contexts,
                name=self._kind,
                closed=self._closed,
                queue_limit=self._queue_limit,
                polite=self._polite,
            )
        return record

    def _texts(self, header: gguf.Header, positions: int) -> int:
        """How many texts a batch may have. A model that writes reads one: its memory is of one text."""
        return 1 if header.causal else math.gcd(self._together, positions)

    @property
    def _closed(self) -> str:
        return f"The {self._called} was closed."

    def _describe(self, native: NativeModel, positions: int) -> Model:
        return Model(
            name=self._name,
            kind=self._kind,
            path=str(self.path),
            size=self.path.stat().st_size,
            sha256=self._sha256 or catalogue.sha256(self.path),
            loaded=True,
            context_length=positions,
            backend="CPU",
            layers=native.layers,
            layers_offloaded=0,
        )
