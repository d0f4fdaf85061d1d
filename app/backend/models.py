"""The models as the gateway shows, changes and uses them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidRequestError, NotFoundError
from app.records import Model
from app.serving.embedder import Embedder
from app.serving.models import Models


@dataclass(frozen=True, slots=True)
class Embedded:
    """Vectors of texts, shape (texts, dimension), unit length; `tokens` that were read for them."""

    vectors: NDArray[np.float32]
    tokens: int
    model: str


class ModelService:
    """Which models are loaded, choosing another, and vectors for other tools."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def describe(self) -> tuple[Model, ...]:
        """The chat and the embedding model, loaded or not."""
        return self._models.describe()

    async def choose_chat(self, path: str) -> Model:
        """Answer with another GGUF file. On failure the old model stays.

        Raises:
            ModelFileError: it is not a model that can be loaded.
        """
        return await self._models.choose_chat(Path(path).expanduser())

    async def embed(self, texts: Sequence[str], model: str) -> Embedded:
        """Vectors of `texts`, one a row.

        Raises:
            NotFoundError: `model` is not the embedding model's name (or "carrel").
            InvalidRequestError: a text is longer than the model reads.
            ModelError: there is no embedding model.
        """
        embedder = await self._models.embedder()
        if model not in (embedder.model.name, "carrel"):
            raise NotFoundError(f"There is no embedding model called {model[:100]!r}.")
        tokens = await asyncio.to_thread(_count, embedder, texts)
        vectors = await embedder.embed(texts)
        return Embedded(vectors, tokens, embedder.model.name)


def _count(embedder: Embedder, texts: Sequence[str]) -> int:
    sizes = [embedder.count(text) for text in texts]
    for number, size in enumerate(sizes):
        if size > embedder.max_tokens:
            raise InvalidRequestError(
                f"input[{number}] has {size:,} tokens; this model reads {embedder.max_tokens:,}."
            )
    return sum(sizes)
