"""Follows one folder: hears of changes, looks what they are, and brings the library into step."""

import asyncio
import contextlib
import logging
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

from watchdog.observers.api import ObservedWatch

from app.backend.documents.folders import Listing, listing
from app.backend.documents.intake import Intake
from app.backend.documents.patterns import Patterns
from app.backend.feed import Feed
from app.backend.watching.changes import Changes
from app.backend.watching.comparing import Difference, Stillness, compare
from app.backend.watching.observing import LimitReachedError, Observers, can_watch_more, is_remote
from app.database.places import Place
from app.database.watched import Followed, WatchedFolders
from app.errors import (
    AppError,
    FileMissingError,
    FolderMissingError,
    FolderRemoteError,
    FolderUnreadableError,
    NotFoundError,
    StorageError,
    WatchLimitError,
)
from app.events import FolderChanged
from app.records import Problem, WatchedFolder, WatchState

_log = logging.getLogger(__name__)

_STORAGE_PAUSE_S = 20.0
# A folder counts as looked through only when none of its files is being written any more, or after this.
_FIRST_WAIT_S = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How often is looked, in seconds.

    A change is looked at once it was `quiet` for so long (`longest` at most), a file taken in once it
    was `still` for so long. The whole folder is looked through every `poll` where the system tells
    nothing, and every `verify` where it does. Every `look` the folder itself is looked for. A file
    that is gone for `grace` is deleted.
    """

    quiet: float = 0.4
    longest: float = 3.0
    still: float = 1.0
    poll: float = 30.0
    verify: float = 900.0
    look: float = 5.0
    grace: float = 600.0


class Follower:
    """One task on the gateway's loop, from `start` to `close`."""

    def __init__(
        self,
        folder: Followed,
        *,
        intake: Intake,
        watched: WatchedFolders,
        feed: Feed,
        observers: Observers,
        pace: Pace,
        profile: Path,
    ) -> None:
        """`profile`: the folder of what is ours, which is passed over: we write there all the time."""
        self._folder = folder
        self._intake = intake
        self._watched = watched
        self._feed = feed
        self._observers = observers
        self._pace = pace
        self._profile = profile
        self._patterns: Patterns  # both are made when the task begins
        self._changes: Changes
        self._stillness = Stillness(pace.still)
        self._watch: ObservedWatch | None = None
        self._state: WatchState | None = None
        self._problem: Problem | None = None
        self._shown: WatchedFolder | None = None
        self._task: asyncio.Task[None] | None = None
        self._whole_at = 0.0  # when all of the folder is to be looked through next (monotonic)
        self._unsettled: set[str] = set()  # folders with files that are being written
        self._first_until = 0.0  # until when the first look waits for these (monotonic)

    def start(self) -> None:
        """Begin. Call on the gateway's loop."""
        self._task = asyncio.create_task(self._run(), name=f"follower-{self._folder.id[:8]}")

    async def close(self) -> None:
        """Stop at once; nothing that was begun is left half done. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._unwatch()

    async def _run(self) -> None:
        # On a thread: a share that hangs must not keep the loop.
        without = await asyncio.to_thread(_inside, self._folder.path, self._profile)
        self._patterns = Patterns(self._folder.include, self._folder.exclude, without=without)
        self._changes = Changes(self._folder.path, self._patterns)
        while True:
            wait = self._pace.look
            try:
                wait = await self._round()
            except NotFoundError:
                return  # it is followed no more
            except StorageError:
                _log.exception("a followed folder could not be stored", extra={"folder": self._folder.id})
                self._whole_at, wait = 0.0, _STORAGE_PAUSE_S
            except Exception:
                _log.exception("a followed folder could not be looked at", extra={"folder": self._folder.id})
                self._whole_at, wait = 0.0, _STORAGE_PAUSE_S
            await self._changes.wait(wait, quiet=self._pace.quiet, longest=self._pace.longest)

    async def _round(self) -> float:
        """Look at what changed; returns the seconds after which to look again in any case."""
        there = await asyncio.to_thread(_identity, self._folder.path)
        if isinstance(there, AppError):
            await self._away(there)
            return self._pace.look
        if self._state in (None, "missing") or there != self._folder.identity:
            self._whole_at = 0.0
            await self._unwatch()
        parts = self._changes.take()
        # What is told by the system says that the folder is the one that is watched.
        told = self._watch is not None and bool(parts)
        parts |= {path: parts.get(path, False) for path in self._unsettled}
        if time.monotonic() >= self._whole_at or self._changes.burst:
            await self._watch_all()
            await self._look_through(there, told=told)
        elif parts:
            difference = await asyncio.to_thread(self._compare_parts, parts)
            await self._apply(difference)
            first = self._shown is not None and self._shown.scanned_at is None
            if difference.any or first:
                await self._tell(scanned=first)
        wait = self._pace.still if self._unsettled else self._pace.look
        return max(0.05, min(wait, self._whole_at - time.monotonic()))

    # --- the folder itself

    async def _watch_all(self) -> None:
        """Have the system tell of changes, if it does and can for all of the folder."""
        if self._watch is not None:
            if await asyncio.to_thread(can_watch_more):
                return
            # What was made since may not be watched.
            await self._unwatch()
        self._state, self._problem = "polling", None
        if await asyncio.to_thread(is_remote, self._folder.path):
            self._problem = FolderRemoteError(self._pace.poll).problem
            return
        try:
            self._watch = await asyncio.to_thread(
                self._observers.watch, self._folder.path, self._changes.heard
            )
            self._state = "watching"
        except (LimitReachedError, OSError) as error:
            _log.warning("not watched: %s", error, extra={"folder": self._folder.id})
            self._problem = WatchLimitError(self._pace.poll).problem

    async def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            await asyncio.to_thread(self._observers.unwatch, watch)

    async def _away(self, error: AppError) -> None:
        """The folder is not there: its documents are missing, and stay."""
        if self._state == "missing":
            return
        await self._unwatch()
        self._state, self._problem = "missing", error.problem
        self._changes.take()
        await self._lose_all()
        await self._tell()

    async def _lose_all(self) -> None:
        places = await asyncio.to_thread(self._places)
        left = [place for place in places if place.missing_since is None]
        if left:
            await self._intake.tell(await asyncio.to_thread(self._intake.places.lose, left, away=True))

    # --- what is in it

    async def _look_through(self, there: str, *, told: bool) -> None:
        """Compare all of the folder with what is known; `told`: the system said that something changed."""
        began = time.monotonic()
        difference, listed, known = await asyncio.to_thread(self._compare_whole)
        if there != self._folder.identity and known and not listed:
            # An empty folder where there was one with files: a disk is not mounted.
            await self._away(FolderMissingError())
            return
        self._folder = replace(self._folder, identity=there)
        self._first_until = self._first_until or began + _FIRST_WAIT_S
        self._unsettled.clear()
        # If none of the files is there that were, another disk may lie in the place of theirs.
        await self._apply(difference, away=not difference.known and not told)
        if difference.away and difference.returned:
            # The others are back: these were deleted.
            places = self._intake.places
            await asyncio.to_thread(places.lose, difference.away, anew=True)
            difference.expires_at = min(difference.expires_at, time.time() + self._pace.grace)
        took = time.monotonic() - began
        every = self._pace.verify if self._state == "watching" else max(self._pace.poll, 20 * took)
        self._whole_at = time.monotonic() + every
        self._look_again_when(difference)
        await self._tell(scanned=True)

    def _compare_whole(self) -> tuple[Difference, bool, bool]:
        """The difference, whether there are files (or may be), and whether any were known."""
        listed = listing(self._folder.path, self._patterns)
        places = self._places()
        difference = compare(self._folder.path, listed, places, self._stillness, grace=self._pace.grace)
        return difference, bool(listed.files or listed.closed), bool(places)

    def _compare_parts(self, parts: dict[str, bool]) -> Difference:
        """Compare single folders: by path, and whether with all below them."""
        difference = Difference()
        for path, deep in parts.items():
            part = Path(path)
            try:
                listed = listing(self._folder.path, self._patterns, within=part, deep=deep)
            except FileMissingError:
                listed = Listing()
            except AppError:
                continue
            places = self._intake.places.under(self._folder.user_id, part, deep=deep)
            difference.add(
                compare(self._folder.path, listed, places, self._stillness, grace=self._pace.grace)
            )
        return difference

    def _places(self) -> list[Place]:
        return self._intake.places.under(self._folder.user_id, self._folder.path)

    async def _apply(self, difference: Difference, *, away: bool = False) -> None:
        """Do what is to be done; `away`: files that are gone went with all others."""
        intake, places = self._intake, self._intake.places
        if difference.back:
            await intake.tell(await asyncio.to_thread(places.find, difference.back))
        # What was moved is found before its old place is said to be missing.
        additions = await intake.take(self._folder.user_id, difference.fresh, by_hand=False)
        later = [
            found.path
            for found, addition in zip(difference.fresh, additions, strict=True)
            if addition.document is None and addition.problem is None
        ]
        self._unsettled = {
            os.path.dirname(path)  # noqa: PTH120 - of many
            for path in (*later, *(found.path for found in difference.unsettled))
        }
        if difference.gone:
            await intake.tell(await asyncio.to_thread(places.lose, difference.gone, away=away))
        self._look_again_when(difference)
        if difference.expired:
            await intake.tell(await asyncio.to_thread(places.drop, difference.expired))

    def _look_again_when(self, difference: Difference) -> None:
        """Look through all of the folder when the next file that is gone counts as deleted."""
        self._whole_at = min(self._whole_at, time.monotonic() + difference.expires_at - time.time())

    async def _tell(self, *, scanned: bool = False) -> None:
        """Store how the folder is followed, and publish it if that is news."""
        if self._state is None:
            return
        if self._unsettled and time.monotonic() < self._first_until:
            scanned = False
        folder = await asyncio.to_thread(
            self._watched.note, self._folder, self._state, self._problem, scanned=scanned
        )
        seen, self._shown = self._shown, folder
        if seen is None or replace(seen, scanned_at=folder.scanned_at) != folder or seen.scanned_at is None:
            self._feed.publish(FolderChanged(folder))


def _inside(folder: Path, ours: Path) -> tuple[str, ...] | None:
    """The names from a folder down to another one; None if that is not in it."""
    real, ours = Path(os.path.realpath(folder)), Path(os.path.realpath(ours))
    return ours.relative_to(real).parts if ours.is_relative_to(real) else None


def _identity(folder: Path) -> str | AppError:
    """What tells a folder from another one at the same place; an error if it cannot be looked into."""
    try:
        looked = folder.stat()
        os.scandir(folder).close()
    except PermissionError:
        return FolderUnreadableError()
    except (OSError, ValueError):
        return FolderMissingError()
    return f"{looked.st_dev:x}:{looked.st_ino:x}"
