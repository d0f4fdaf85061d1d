"""Another embedding model takes over: all passages are read with it in the background first.

Search answers from the vectors there are until every document has new ones, which then take their
place in one transaction. Where the model that made the old ones is gone, search has only words
until then: so each document gets its new vectors as soon as they are made.

It is nobody's turn before it is quiet: files that are to be read and questions go first.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextlib import suppress

from app.backend.documents.chunking import embedding_text
from app.backend.documents.indexing import patiently
from app.backend.feed import Feed
from app.backend.finishing import to_its_end
from app.database.jobs import Jobs
from app.database.journal import Journal, text_key
from app.database.renewals import Renewals, StoredPassage
from app.errors import ModelError, StorageError
from app.events import DocumentChanged, Notice, RenewalChanged
from app.records import Problem, Renewal
from app.serving.embedder import Embedder
from app.serving.models import Models

_log = logging.getLogger(__name__)

# Before each batch questions and new files go first: about a tenth of a second's work.
BATCH_PASSAGES = 8
_LOOK_SECONDS = 0.1  # is it quiet by now?
_TELL_SECONDS = 0.25
_STORAGE_PAUSE_SECONDS = 20.0  # the disk may be full for long


class Renewer:
    """One task on the gateway's loop. What it made survives a kill, and is not made again."""

    def __init__(
        self,
        renewals: Renewals,
        journal: Journal,
        jobs: Jobs,
        models: Models,
        feed: Feed,
        *,
        storage_pause: float = _STORAGE_PAUSE_SECONDS,
    ) -> None:
        """`storage_pause`: seconds until the storage, where it failed, is tried again."""
        self._renewals, self._journal, self._jobs = renewals, journal, jobs
        self._models, self._feed = models, feed
        self._storage_pause = storage_pause
        self._storage_told = False
        self._state: Renewal | None = None
        self._told = 0.0
        self._task: asyncio.Task[None] | None = None

    def state(self) -> Renewal | None:
        """How far it is; None: all vectors are of the model that the user wants, or cannot be."""
        return self._state

    def start(self) -> None:
        """Begin, or go on where an earlier process was ended. Call on the gateway's loop."""
        self._task = asyncio.create_task(self._run(), name="renewer")

    async def close(self) -> None:
        """Stop at once; what was made is kept. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            try:
                await self._keep_up()
            except StorageError as error:
                _log.exception("the new vectors could not be stored")
                if not self._storage_told:
                    self._storage_told = True
                    self._feed.publish(Notice(error.problem))
                await asyncio.sleep(self._storage_pause)
            except ModelError as error:
                _log.warning("the library is not read with another model", extra={"code": error.code})
                if self._state is not None:
                    self._tell(None)
                    self._feed.publish(Notice(_broken_off(error)))
                return
            except Exception:
                _log.exception("reading the library with another model met an unexpected error")
                self._tell(None)
                return
            else:
                return

    async def _keep_up(self) -> None:
        current = await self._models.embedder()
        await self._remember(current)
        wanted = await self._models.wanted_embedder()
        if wanted is None:
            return
        await self._catch_up(wanted)
        if wanted is current:
            return
        # A file that was being read when the model changed may still come with old vectors.
        async with self._feed.subscribe() as changes:
            while await asyncio.to_thread(self._jobs.waiting):
                change = await anext(changes, None)
                if change is None:
                    break
                if isinstance(change, DocumentChanged) and change.document.status == "ready":
                    await self._catch_up(wanted)
        await self._catch_up(wanted)

    async def _catch_up(self, wanted: Embedder) -> None:
        """Return when every vector is the wanted model's."""
        done: set[str] = set()  # documents whose new vectors are all known
        while behind := await asyncio.to_thread(self._renewals.behind, wanted.sha256):
            current = await self._models.embedder()
            if wanted is current:
                done.difference_update(behind)
            await self._remember(wanted)
            await asyncio.to_thread(self._renewals.begin, wanted.sha256)
            for document_id in behind:
                if document_id in done:
                    continue
                self._progress(wanted, current, len(done), max(len(behind), len(done)))
                await self._read(document_id, wanted)
                done.add(document_id)
                if wanted is current:
                    done.difference_update(await self._replace(wanted, [document_id]))
            if wanted is not current:
                lacking = await self._replace(wanted, None)
                done.difference_update(lacking)
                if not lacking:
                    await self._models.promote_embedder()
        if self._state is not None:
            self._tell(None)
            self._feed.publish(Notice(_finished(wanted)))
        await asyncio.to_thread(self._renewals.end)

    async def _read(self, document_id: str, wanted: Embedder) -> None:
        """Have a vector of every passage in the journal; one that is known is not made again."""
        passages = await asyncio.to_thread(self._renewals.passages, document_id)
        texts = dict(await asyncio.to_thread(self._keyed, passages))
        known = await asyncio.to_thread(self._journal.known, wanted.sha256, texts)
        missing = [key for key in texts if key not in known]
        for start in range(0, len(missing), BATCH_PASSAGES):
            batch = missing[start : start + BATCH_PASSAGES]
            await self._quiet()
            cut = await asyncio.to_thread(list, map(wanted.cut, [texts[key] for key in batch]))
            vectors = await patiently(wanted, cut)
            await asyncio.to_thread(self._journal.note, document_id, wanted.sha256, batch, vectors)

    def _keyed(self, passages: Sequence[StoredPassage]) -> list[tuple[bytes, str]]:
        """What each passage's vector is made from, by its key; the database learns keys that it lacks."""
        texts = [embedding_text(passage) for passage in passages]
        keys = [passage.made_from or text_key(text) for passage, text in zip(passages, texts, strict=True)]
        unnamed = [
            (passage.id, key)
            for passage, key in zip(passages, keys, strict=True)
            if passage.made_from is None
        ]
        if unnamed:
            self._renewals.name_sources(unnamed)
        return list(zip(keys, texts, strict=True))

    async def _replace(self, wanted: Embedder, document_ids: Sequence[str] | None) -> tuple[str, ...]:
        return await to_its_end(asyncio.to_thread(self._renewals.replace, wanted.sha256, document_ids))

    async def _quiet(self) -> None:
        """Wait until no question is being embedded and no file waits to be read."""
        while True:
            asking = any(embedder.busy for embedder in self._models.embedders())
            if not asking and not await asyncio.to_thread(self._jobs.waiting):
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _remember(self, embedder: Embedder) -> None:
        await asyncio.to_thread(
            self._renewals.remember, embedder.sha256, embedder.dimension, self._models.embedder_file(embedder)
        )

    def _progress(self, wanted: Embedder, current: Embedder, read: int, documents: int) -> None:
        before = None if wanted is current else current.model.name
        self._state = Renewal(wanted.model.name, documents, read, before)
        if time.monotonic() - self._told >= _TELL_SECONDS:
            self._tell(self._state)

    def _tell(self, state: Renewal | None) -> None:
        self._state, self._told = state, time.monotonic()
        self._feed.publish(RenewalChanged(state))


def _finished(wanted: Embedder) -> Problem:
    return Problem("library_renewed", f"The library has been read with {wanted.model.name}; it searches now.")


def _broken_off(error: ModelError) -> Problem:
    return Problem(
        error.code,
        f"{error.message} So the library could not be read with the new model; the old one goes on"
        " answering. It is tried again at the next start.",
    )
