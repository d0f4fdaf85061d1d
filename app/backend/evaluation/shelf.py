"""A library of texts for the time of a measurement, in a folder that is gone afterwards.

Indexed by the program's own parts and searched by its own retriever; only the parsing child is left
out, as these texts need none.
"""

import asyncio
import hashlib
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.backend.ask.retrieval import Retriever
from app.backend.documents.chunking import chunks, embedding_text
from app.backend.documents.parsing.messages import Heading, ReadPage
from app.backend.evaluation.public_sets import Text
from app.cache.embeddings import EmbeddingCache
from app.database.connection import Database
from app.database.documents import Documents, PageText
from app.database.passages import NewPassage
from app.database.search import Search
from app.database.users import Users
from app.serving.embedder import Embedder
from app.serving.models import Models

_YEAR_S = 365 * 86_400
_BATCH = 64


class Shelf:
    """An open library of texts, of one user, and how many passages it holds. Used on one loop."""

    def __init__(self, database: Database, cache: EmbeddingCache, models: Models) -> None:
        self._documents = Documents(database)
        self._cache = cache
        self._models = models
        self.passages = 0
        self.user_id = Users(database).local()
        self.retriever = Retriever(Search(database), cache, models)

    async def add(self, text: Text) -> None:
        """Index one text.

        Raises:
            ModelError: there is no embedding model.
        """
        embedder = await self._models.embedder()
        headings = (Heading(0, 1, text.title),) if text.title else ()
        page = ReadPage(1, text.text, headings)
        found = await asyncio.to_thread(chunks, (page,), embedder.count, embedder.max_tokens)
        vectors = await vectors_of(embedder, self._cache, [embedding_text(passage) for passage in found])
        await asyncio.to_thread(self._store, text, page, found, vectors, embedder.sha256)
        self.passages += len(found)

    def _store(
        self,
        text: Text,
        page: ReadPage,
        found: Sequence[NewPassage],
        vectors: NDArray[np.float32],
        sha256: str,
    ) -> None:
        content = text.text.encode("utf-8", "replace")
        document, _ = self._documents.add(
            self.user_id,
            name=text.name,
            path=text.name,
            stored=None,
            content_hash=hashlib.sha256(text.name.encode() + b"\0" + content).hexdigest(),
            media_type="text/plain",
            size=len(content),
            paged=False,
        )
        if document.status != "ready":
            self._documents.complete(document.id, [PageText(1, page.text)], found, vectors, sha256)


@asynccontextmanager
async def opened(models: Models) -> AsyncIterator[Shelf]:
    """An empty library; everything of it is removed at the end."""
    with ExitStack() as stack:
        folder = Path(
            stack.enter_context(tempfile.TemporaryDirectory(prefix="carrel-", ignore_cleanup_errors=True))
        )
        database = Database(folder / "library.sqlite")
        await asyncio.to_thread(database.open)
        stack.callback(database.close)
        cache = EmbeddingCache(folder / "vectors", lifetime=_YEAR_S)
        stack.callback(cache.close)
        yield Shelf(database, cache, models)


async def vectors_of(embedder: Embedder, cache: EmbeddingCache, texts: Sequence[str]) -> NDArray[np.float32]:
    """Unit vectors of texts, shape (texts, dimension); those that are known are not computed again."""
    rows = np.zeros((len(texts), embedder.dimension), np.float32)
    known = cache.get(embedder.sha256, list(texts))
    missing = [place for place, vector in enumerate(known) if vector is None]
    for start in range(0, len(missing), _BATCH):
        wanted = [texts[place] for place in missing[start : start + _BATCH]]
        made = await embedder.embed(wanted)
        cache.put(embedder.sha256, wanted, made)
        rows[missing[start : start + _BATCH]] = made
    for place, vector in enumerate(known):
        if vector is not None:
            rows[place] = vector
    return rows
