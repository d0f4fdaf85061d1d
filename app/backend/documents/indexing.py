"""From a queued file to a document that can be asked: read, cut, embed, store at once.

Everything is written under the content that was read: where the file changes meanwhile, nothing is.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.backend.documents.chunking import Chunker, embedding_text
from app.backend.documents.files import check_unchanged
from app.backend.documents.parsing.isolation import read_file
from app.backend.documents.parsing.messages import Opened
from app.backend.feed import Feed
from app.backend.finishing import to_its_end
from app.cache.embeddings import EmbeddingCache
from app.database.documents import Documents, NewPassage, PageText, Reading
from app.database.journal import Journal, text_key
from app.errors import BusyError, DocumentError, EmptyFileError, FileMissingError, ModelError
from app.events import DocumentChanged
from app.records import Document, DocumentStatus

# What a kill costs at most: about half a second's work. A question does not wait for it, but goes in
# between; and the fewer the batches, the less often a thread waits for the last text of one.
BATCH_PASSAGES = 32
_PUBLISH_SECONDS = 0.1
_STORE_SECONDS = 0.5


class PassageEmbedder(Protocol):
    """What of the embedder is used here; see `app.serving.embedder`."""

    @property
    def sha256(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def max_tokens(self) -> int: ...
    def count(self, text: str) -> int: ...
    def cut(self, text: str) -> str: ...
    async def embed(self, texts: Sequence[str], *, urgent: bool = False) -> NDArray[np.float32]: ...


class Indexer:
    """Reads one document after the other; whoever calls decides which, and what a failure means."""

    def __init__(
        self,
        documents: Documents,
        journal: Journal,
        cache: EmbeddingCache,
        embedder: Callable[[], Awaitable[PassageEmbedder]],
        feed: Feed,
    ) -> None:
        self._documents = documents
        self._journal = journal
        self._cache = cache
        self._embedder = embedder
        self._feed = feed

    async def index(self, document_id: str) -> None:
        """Read a document and make it `ready`. Cancelled, it leaves all of it or nothing.

        Raises:
            DocumentError: the file cannot be read; the document is left to the caller.
            NotFoundError: the document was deleted meanwhile, or its file changed.
            ModelError: there is no embedder.
            StorageError: what was made could not be stored.
        """
        progress = _Progress(self._documents, self._feed, document_id)
        document = await progress.note(status="reading", pages_read=0, passages=0, passages_embedded=0)
        if document.size == 0:
            raise EmptyFileError
        embedder = await self._embedder()
        begun = time.monotonic()
        pages, passages, by_ocr = await self._read_where_it_lies(document, embedder, progress)
        read = time.monotonic()
        await progress.note(
            status="embedding", pages=len(pages), pages_read=len(pages), passages=len(passages)
        )
        texts = [embedding_text(passage) for passage in passages]
        keys = await asyncio.to_thread(lambda: [text_key(text) for text in texts])
        vectors, embedder = await self._embed_all(document_id, texts, keys, embedder, progress)
        reading = Reading(
            pages_empty=sum(not page.text.strip() for page in pages),
            pages_by_ocr=by_ocr,
            read_s=read - begun,
            embed_s=time.monotonic() - read,
        )
        await to_its_end(
            asyncio.to_thread(
                self._complete,
                document,
                pages,
                passages,
                vectors,
                embedder=embedder.sha256,
                keys=keys,
                reading=reading,
            )
        )

    def _complete(
        self,
        document: Document,
        pages: Sequence[PageText],
        passages: Sequence[NewPassage],
        vectors: NDArray[np.float32],
        *,
        embedder: str,
        keys: Sequence[bytes],
        reading: Reading,
    ) -> None:
        ready = self._documents.complete(
            document.id,
            pages,
            passages,
            vectors,
            embedder,
            made_from=keys,
            content_hash=document.content_hash,
            reading=reading,
        )
        self._feed.publish(DocumentChanged(ready))

    async def _read_where_it_lies(
        self, document: Document, embedder: PassageEmbedder, progress: "_Progress"
    ) -> tuple[list[PageText], list[NewPassage], int]:
        """Read the document's file, and nothing else that may come to lie at its place meanwhile."""
        while True:
            location = await asyncio.to_thread(self._documents.location, document.id)

            async def check(location: Path = location) -> None:
                await asyncio.to_thread(check_unchanged, location, document.size, document.content_hash)

            try:
                await check()
                try:
                    found = await self._read(location, document.media_type, embedder, progress)
                except DocumentError:
                    await check()  # or is it another file's fault?
                    raise
                await check()
            except FileMissingError:
                # It may lie elsewhere by now.
                if await asyncio.to_thread(self._documents.location, document.id) == location:
                    raise
            else:
                return found

    async def _read(
        self, location: Path, media_type: str, embedder: PassageEmbedder, progress: "_Progress"
    ) -> tuple[list[PageText], list[NewPassage], int]:
        """The pages, the passages, and how many of the pages were read by OCR."""
        pages: list[PageText] = []
        passages: list[NewPassage] = []
        by_ocr = 0
        chunker = Chunker(embedder.count, embedder.max_tokens)
        async with aclosing(read_file(location, media_type)) as messages:
            async for message in messages:
                if isinstance(message, Opened):
                    await progress.note(pages=message.pages)
                    continue
                # Page by page on a thread: the loop and the window get their turn in between.
                passages += await asyncio.to_thread(chunker.page, message)
                pages.append(PageText(message.number, message.text))
                by_ocr += message.by_ocr
                await progress.maybe(pages_read=len(pages), passages=len(passages))
        return pages, passages, by_ocr

    async def _embed_all(
        self,
        document_id: str,
        texts: Sequence[str],
        keys: Sequence[bytes],
        embedder: PassageEmbedder,
        progress: "_Progress",
    ) -> tuple[NDArray[np.float32], PassageEmbedder]:
        """The vector of each text, and who made them: another model may take over meanwhile."""
        while True:
            try:
                return await self._embed(document_id, texts, keys, embedder, progress), embedder
            except ModelError:
                before, embedder = embedder, await self._embedder()
                if embedder is before:
                    raise
                # The passages were cut for the model before; this one may read less of them.
                texts = [embedder.cut(text) for text in texts]

    async def _embed(
        self,
        document_id: str,
        texts: Sequence[str],
        keys: Sequence[bytes],
        embedder: PassageEmbedder,
        progress: "_Progress",
    ) -> NDArray[np.float32]:
        """The vector of each text: those that any document has from this embedder, then the rest."""
        vectors = np.empty((len(texts), embedder.dimension), np.float32)
        known = await asyncio.to_thread(self._journal.known, embedder.sha256, keys)
        places: dict[bytes, list[int]] = {}  # a text may stand in a document more than once
        for place, key in enumerate(keys):
            if key in known:
                vectors[place] = known[key]
            else:
                places.setdefault(key, []).append(place)
        missing = list(places)
        done = len(texts) - sum(map(len, places.values()))
        for start in range(0, len(missing), BATCH_PASSAGES):
            batch = missing[start : start + BATCH_PASSAGES]
            made = await self._make([texts[places[key][0]] for key in batch], embedder)
            await asyncio.to_thread(self._journal.note, document_id, embedder.sha256, batch, made)
            for key, vector in zip(batch, made, strict=True):
                vectors[places[key]] = vector
                done += len(places[key])
            await progress.maybe(passages_embedded=done)
        return vectors

    async def _make(self, texts: Sequence[str], embedder: PassageEmbedder) -> NDArray[np.float32]:
        """The vectors of a batch: from the cache of what was embedded a moment ago, or computed."""
        vectors = np.empty((len(texts), embedder.dimension), np.float32)
        missing = []
        for place, vector in enumerate(await asyncio.to_thread(self._cache.get, embedder.sha256, texts)):
            if vector is not None and vector.shape == (embedder.dimension,):
                vectors[place] = vector
            else:
                missing.append(place)
        if missing:
            wanted = [texts[place] for place in missing]
            made = await patiently(embedder, wanted)
            await asyncio.to_thread(self._cache.put, embedder.sha256, wanted, made)
            vectors[missing] = made
        return vectors


async def patiently(embedder: PassageEmbedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """The vectors of texts that nobody waits for; where too many jobs wait, once they are fewer."""
    while True:
        try:
            return await embedder.embed(texts)
        except BusyError as busy:
            await asyncio.sleep(busy.retry_after)


class _Progress:
    """Tells the feed and the database how far one document is, neither of them too often."""

    def __init__(self, documents: Documents, feed: Feed, document_id: str) -> None:
        self._documents = documents
        self._feed = feed
        self._document_id = document_id
        self._document: Document | None = None
        self._published = 0.0
        self._stored = 0.0

    async def note(
        self,
        *,
        status: DocumentStatus | None = None,
        pages: int | None = None,
        pages_read: int | None = None,
        passages: int | None = None,
        passages_embedded: int | None = None,
    ) -> Document:
        """Store and publish at once. Raises NotFoundError if the document is gone, or its file changed."""
        self._document = await asyncio.to_thread(
            self._documents.progress,
            self._document_id,
            status=status,
            pages=pages,
            pages_read=pages_read,
            passages=passages,
            passages_embedded=passages_embedded,
            content_hash=None if self._document is None else self._document.content_hash,
        )
        self._published = self._stored = time.monotonic()
        self._feed.publish(DocumentChanged(self._document))
        return self._document

    async def maybe(
        self,
        *,
        pages_read: int | None = None,
        passages: int | None = None,
        passages_embedded: int | None = None,
    ) -> None:
        """Publish about ten times a second, store about twice; the counts only grow."""
        now = time.monotonic()
        if now - self._stored >= _STORE_SECONDS:
            await self.note(pages_read=pages_read, passages=passages, passages_embedded=passages_embedded)
        elif now - self._published >= _PUBLISH_SECONDS and self._document is not None:
            shown = self._document
            self._document = replace(
                shown,
                pages_read=shown.pages_read if pages_read is None else pages_read,
                passages=shown.passages if passages is None else passages,
                passages_embedded=shown.passages_embedded if passages_embedded is None else passages_embedded,
            )
            self._published = now
            self._feed.publish(DocumentChanged(self._document))
