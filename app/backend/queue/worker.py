"""The worker: reads the queued files, a few at a time, whatever becomes of each."""

import asyncio
import logging
from contextlib import suppress

from app.backend.documents.indexing import Indexer
from app.backend.feed import Feed
from app.backend.queue.service import QueueService
from app.database.documents import Documents
from app.database.jobs import Job
from app.errors import AppError, NotFoundError, StorageError
from app.events import DocumentChanged, Notice
from app.records import Problem

_log = logging.getLogger(__name__)
_INTERNAL = Problem(
    "internal", "Something unexpected went wrong while reading this file; the log has the details."
)
# The disk may be full for long; looking again is cheap.
_STORAGE_PAUSE_SECONDS = 20.0


class Worker:
    """A few tasks on the gateway's loop. A job ends with its document ready, failed, or gone.

    While one file is parsed in its child, the passages of another are embedded; and a short one
    need not wait for the long one that was begun before it.

    Where the storage fails (disk full) a job does not end: it is tried again until it works,
    or at the next start.
    """

    def __init__(
        self,
        queue: QueueService,
        indexer: Indexer,
        documents: Documents,
        feed: Feed,
        *,
        lanes: int = 2,
        storage_pause: float = _STORAGE_PAUSE_SECONDS,
    ) -> None:
        """`lanes`: files that are read at the same time."""
        self._queue = queue
        self._indexer = indexer
        self._documents = documents
        self._feed = feed
        self._storage_pause = storage_pause
        self._lanes = lanes
        self._tasks: list[asyncio.Task[None]] = []
        self._storage_told = False

    async def start(self) -> None:
        """Take up what an earlier process left, and begin. Call on the gateway's loop."""
        recovered = await self._queue.open()
        if recovered:
            _log.info("jobs recovered", extra={"jobs": recovered})
        self._tasks = [
            asyncio.create_task(self._run(), name=f"worker-{number}") for number in range(self._lanes)
        ]

    async def close(self) -> None:
        """Stop at once; the jobs at hand go back to the queue unharmed. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            try:
                job = await self._queue.take()
            except StorageError:
                _log.exception("no job could be claimed")
                await self._queue.pause(self._storage_pause)
                continue
            try:
                await self._one(job)
            except asyncio.CancelledError:
                await self._give_back(job)
                raise
            except StorageError as error:
                _log.exception("a document could not be stored", extra={"document": job.document_id})
                if not self._storage_told:
                    self._storage_told = True
                    self._feed.publish(Notice(error.problem))
                await self._retry_later(job)
            except Exception:
                _log.exception("the worker met an unexpected error", extra={"document": job.document_id})
                await self._retry_later(job)

    async def _one(self, job: Job) -> None:
        _log.info("reading begins", extra={"document": job.document_id, "attempt": job.attempts})
        try:
            if await self._queue.run(job, self._indexer.index(job.document_id)):
                self._storage_told = False
                _log.info("reading ended", extra={"document": job.document_id})
            else:
                await self._queue.release(job)
        except NotFoundError:
            _log.info("deleted or changed while it was read", extra={"document": job.document_id})
        except StorageError:
            raise
        except AppError as error:
            _log.warning("reading failed", extra={"document": job.document_id, "code": error.code})
            await self._fail(job, error.problem)
        except Exception:
            _log.exception("unexpected error", extra={"document": job.document_id})
            await self._fail(job, _INTERNAL)

    async def _fail(self, job: Job, problem: Problem) -> None:
        with suppress(NotFoundError):
            document = await asyncio.to_thread(self._documents.fail, job.document_id, problem, job=job.id)
            self._feed.publish(DocumentChanged(document))

    async def _give_back(self, job: Job) -> None:
        try:
            await self._queue.release(job)
            document = await asyncio.to_thread(self._documents.progress, job.document_id)
            if document.status in ("ready", "failed"):
                return  # it came to its end just before
            document = await asyncio.to_thread(
                self._documents.progress, job.document_id, status="queued", pages_read=0, passages_embedded=0
            )
        except NotFoundError:
            return
        except StorageError:
            # It stays claimed by this process; the next start takes it back.
            _log.exception("a job could not be given back", extra={"document": job.document_id})
            return
        self._feed.publish(DocumentChanged(document))

    async def _retry_later(self, job: Job) -> None:
        while True:
            await self._queue.pause(self._storage_pause)
            try:
                await self._queue.release(job)
            except StorageError:
                continue
            return
