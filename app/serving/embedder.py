"""Texts to vectors: the embedding model. How it is computed: context_pool.py."""

import asyncio
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import ContextOverflowError, ModelError, ModelFileError
from app.records import Model
from app.serving import packing
from app.serving.chat_model import utf8
from app.serving.native_context import NativeContext
from app.serving.native_model import NativeModel
from app.serving.pooled_model import PooledModel

LONGEST_PASSAGE = 256
"""Positions a passage may take. Sentence models are trained on no more, and blur beyond."""

TOGETHER = 8
"""The most texts of one batch: many more than that are too short to matter."""

Vectors = NDArray[np.float32]


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
        tiles: bool = False,
    ) -> None:
        """Nothing is loaded yet. Arguments as for `PooledModel`."""
        self.path = path
        self._texts = PooledModel(
            path,
            "embedding",
            called="embedding model",
            threads=threads,
            queue_limit=queue_limit,
            sha256=sha256,
            name=name,
            polite=polite,
            tiles=tiles,
            together=TOGETHER,
        )
        self._around = (0, 0)  # tokens that the model wants before a text, and after it

    def load(self) -> Model:
        """Load the model and start the threads. Blocks for as long as that takes.

        Raises:
            ModelFileError: the file is no embedding model that can be loaded; the message says why.
            ModelError: not enough memory, or the embedder was closed.
        """
        return self._texts.load(self._try_out)

    @property
    def model(self) -> Model:
        """How the file is loaded.

        Raises:
            ModelError: it is not loaded.
        """
        return self._texts.record

    @property
    def sha256(self) -> str:
        """Of the model file: vectors of different models cannot be compared."""
        return self.model.sha256

    @property
    def dimension(self) -> int:
        """Numbers in a vector."""
        return self._texts.native.dimension

    @property
    def max_tokens(self) -> int:
        """Tokens of its own that one passage may hold, so that it is read as the model was trained."""
        return min(LONGEST_PASSAGE, self._texts.positions) - sum(self._around)

    @property
    def waiting(self) -> int:
        """Jobs that are not done, nor about to be."""
        return self._texts.waiting

    @property
    def busy(self) -> bool:
        """Whether a text is being read, or waits for it."""
        return self._texts.busy

    def cut(self, text: str) -> str:
        """As much of the beginning of a text as a passage may hold."""
        while (tokens := self.count(text)) > self.max_tokens:
            text = text[: max(1, len(text) * self.max_tokens // (tokens + 1))]
        return text

    def count(self, text: str) -> int:
        """Tokens of a text, without what the model wants around it."""
        return len(self._texts.native.tokenize(utf8(text)))

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
        self._texts.check()
        if not texts:
            return np.empty((0, self.dimension), np.float32)
        tokens = await asyncio.to_thread(lambda: [self._tokens(text, may_cut=urgent) for text in texts])
        packs = packing.packs(
            [len(text) for text in tokens],
            positions=self._texts.positions,
            most=self._texts.together,
            threads=self._texts.threads,
        )
        tasks = [functools.partial(_vectors, texts=[tokens[place] for place in pack]) for pack in packs]
        made = await self._texts.compute(tasks, urgent=urgent)
        vectors = np.empty_like(made)
        vectors[[place for pack in packs for place in pack]] = made
        return vectors

    def close(self) -> None:
        """Fail what waits, free the model. Idempotent; takes as long as the texts at hand."""
        self._texts.close()

    def _tokens(self, text: str, *, may_cut: bool) -> list[int]:
        tokens = self._texts.native.tokenize(utf8(text), framed=True)
        room, after = self._texts.positions, self._around[1]
        if len(tokens) > room:
            if not may_cut:
                raise ContextOverflowError(len(tokens), room)
            tokens[room - after : len(tokens) - after] = []
        return tokens

    def _try_out(self, native: NativeModel, context: NativeContext) -> None:
        """Learn what the model wants around a text, and whether it gives a vector."""
        if context.ranks:
            raise ModelFileError(f"{self.path.name} ranks passages; it gives no vectors to search with.")
        plain, framed = native.tokenize(b"a"), native.tokenize(b"a", framed=True)
        before = next((at for at in range(len(framed)) if framed[at : at + len(plain)] == plain), 0)
        self._around = (before, len(framed) - before - len(plain))
        try:
            context.embed([framed])
        except ModelError as error:
            raise ModelFileError(f"{self.path.name} was loaded, but gives no vectors.") from error


def _vectors(context: NativeContext, *, texts: Sequence[Sequence[int]]) -> Vectors:
    """On one of the model's threads: of each text, given in tokens, a row of unit length."""
    vectors: Vectors = context.embed(texts)
    lengths: Vectors = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ModelError("The embedding model gave no usable vector.")
    vectors /= lengths
    return vectors
