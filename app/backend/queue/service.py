"""The queue of files to read: waiting for the next one, and stopping those at hand."""

import asyncio
from collections.abc import Coroutine

from app.database.jobs import Job, Jobs


class QueueService:
    """Between those who add work and the worker. Persisted by `Jobs`; on the gateway's loop."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken: asyncio.Event | None = None
        self._at_hand: dict[str, asyncio.Task[None]] = {}  # by document

    def wake(self) -> None:
        """There may be work: look now. Thread-safe; before `open` it does nothing."""
        if self._loop is not None and self._woken is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._woken.set)

    async def open(self) -> int:
        """Take back what a process that died had claimed; returns how many jobs that were."""
        self._loop, self._woken = asyncio.get_running_loop(), asyncio.Event()
        return await asyncio.to_thread(self._jobs.recover)

    async def take(self) -> Job:
        """Claim the next job; wait until there is one. Cancelled, it keeps none."""
        while True:
            # Whoever clears it looks afterwards: with several that take, no call is missed either.
            woken = self._woken_event()
            woken.clear()
            claiming = asyncio.ensure_future(asyncio.to_thread(self._jobs.claim))
            try:
                job = await asyncio.shield(claiming)
            except asyncio.CancelledError:
                await asyncio.wait([claiming])
                if not claiming.exception() and (job := claiming.result()) is not None:
                    await self.release(job)
                raise
            if job is not None:
                return job
            await woken.wait()

    async def run(self, job: Job, work: Coroutine[None, None, None]) -> bool:
        """Do the work of a job; False if `cancel` stopped it. Raises what the work raises."""
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._at_hand[job.document_id] = task
        try:
            await asyncio.wait([task])
            if task.cancelled():
                return False
            await task
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            raise
        finally:
            # A file that changed is queued anew: another job of its document may be at hand by now.
            if self._at_hand.get(job.document_id) is task:
                del self._at_hand[job.document_id]
            self.wake()  # another may have waited for this one to be out of the way
        return True

    async def release(self, job: Job) -> None:
        """Give a job back unharmed; does nothing if its document is gone."""
        await asyncio.to_thread(self._jobs.release, job)

    async def cancel(self, document_id: str) -> None:
        """Stop the work on a document if it is at hand; returns when it has stopped."""
        task = self._at_hand.get(document_id)
        if task is not None:
            task.cancel()
            await asyncio.wait([task])

    async def pause(self, seconds: float) -> None:
        """Wait, but no longer than until the next `wake`."""
        woken = self._woken_event()
        woken.clear()
        try:
            async with asyncio.timeout(seconds):
                await woken.wait()
        except TimeoutError:
            return

    def _woken_event(self) -> asyncio.Event:
        if self._woken is None:
            raise RuntimeError("the queue is not open")
        return self._woken
