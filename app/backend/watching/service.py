"""The folders that are followed: begun with, left, and said how it goes."""

import asyncio
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path

from app.backend.documents.folders import Listing
from app.backend.documents.intake import Intake
from app.backend.documents.patterns import Patterns
from app.backend.feed import Feed
from app.backend.watching.comparing import Stillness, compare
from app.backend.watching.follower import Follower, Pace
from app.backend.watching.observing import Observers
from app.database.watched import Followed, WatchedFolders
from app.errors import (
    FolderMissingError,
    FolderUnreadableError,
    InvalidRequestError,
    StorageError,
)
from app.events import FolderChanged, FolderRemoved
from app.records import WatchedFolder

_log = logging.getLogger(__name__)


class WatchService:
    """Used on the gateway's loop; what blocks runs on threads."""

    def __init__(
        self,
        watched: WatchedFolders,
        intake: Intake,
        feed: Feed,
        *,
        profile: Path,
        pace: Pace | None = None,
    ) -> None:
        """`profile`: the folder of what is ours, which is never followed."""
        self._watched = watched
        self._intake = intake
        self._feed = feed
        self._profile = profile
        self._pace = pace or Pace()
        self._observers = Observers()
        self._followers: dict[str, Follower] = {}
        self._apart: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def start(self, user_id: str) -> None:
        """Follow what was followed before; what changed while the program was closed is found.

        The files of `user_id` that lie in no followed folder are looked at now and then.
        """
        for folder in await asyncio.to_thread(self._watched.followed):
            self._follow(folder)
        self._apart = asyncio.create_task(self._look_after_those_apart(user_id), name="files-apart")

    async def close(self) -> None:
        """Follow nothing any more. Idempotent."""
        apart, self._apart = self._apart, None
        if apart is not None:
            apart.cancel()
            await asyncio.wait([apart])
        async with self._turn:
            followers, self._followers = self._followers, {}
            await asyncio.gather(*(follower.close() for follower in followers.values()))
        await asyncio.to_thread(self._observers.close)

    async def list(self, user_id: str) -> tuple[WatchedFolder, ...]:
        """The folders that this user follows, by path."""
        return await asyncio.to_thread(self._watched.list, user_id)

    async def add(
        self, user_id: str, path: str, include: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> WatchedFolder:
        """Follow a folder from now on: what is in it is taken in, in the background.

        One that is followed already is looked through anew, with these patterns; files that the user
        had removed from the library come back.

        Raises:
            InvalidRequestError: no absolute path, a file, our own folder, or patterns that say nothing.
            FolderMissingError, FolderUnreadableError: it cannot be looked into.
        """
        Patterns(include, exclude)
        folder = await asyncio.to_thread(self._checked, path)
        async with self._turn:
            await asyncio.to_thread(self._intake.places.forget_set_aside, user_id, folder)
            added = await asyncio.to_thread(self._watched.add, user_id, folder, include, exclude)
            if (before := self._followers.pop(added.id, None)) is not None:
                await before.close()
            for followed in await asyncio.to_thread(self._watched.followed):
                if followed.id == added.id:
                    self._follow(followed)
        self._feed.publish(FolderChanged(added))
        return added

    async def remove(self, user_id: str, folder_id: str, *, documents: bool = False) -> None:
        """Follow a folder no more. The files stay; the documents, too, unless they are to go.

        Args:
            documents: remove those that came by following and lie nowhere else.

        Raises:
            NotFoundError: it is not followed.
        """
        async with self._turn:
            folder = await asyncio.to_thread(self._watched.remove, user_id, folder_id)
            if (follower := self._followers.pop(folder_id, None)) is not None:
                await follower.close()
            if documents:
                await self._intake.tell(await asyncio.to_thread(self._intake.places.clear, user_id, folder))
            else:
                await asyncio.to_thread(self._intake.places.forget_set_aside, user_id, folder)
        self._feed.publish(FolderRemoved(folder_id))

    def _follow(self, folder: Followed) -> None:
        follower = Follower(
            folder,
            intake=self._intake,
            watched=self._watched,
            feed=self._feed,
            observers=self._observers,
            pace=self._pace,
            profile=self._profile,
        )
        self._followers[folder.id] = follower
        follower.start()

    async def _look_after_those_apart(self, user_id: str) -> None:
        """Find what changed of the files that the user added one by one; now, and then now and then."""
        while True:
            try:
                await self._look_at_those_apart(user_id)
            except StorageError:
                _log.exception("the files that lie in no followed folder could not be looked at")
            await asyncio.sleep(self._pace.verify)

    async def _look_at_those_apart(self, user_id: str) -> None:
        places = self._intake.places
        difference = await asyncio.to_thread(
            lambda: compare(Path(), Listing(), places.apart(user_id), Stillness(0.0), grace=math.inf)
        )
        if difference.back:
            await self._intake.tell(await asyncio.to_thread(places.find, difference.back))
        await self._intake.take(user_id, difference.fresh, by_hand=False)
        if difference.gone:
            await self._intake.tell(await asyncio.to_thread(places.lose, difference.gone))

    def _checked(self, given: str) -> Path:
        """The folder of a path that was given."""
        path = Path(os.path.normpath(given))
        if not path.is_absolute():
            raise InvalidRequestError("A path must begin at the root: it is not said where this one does.")
        try:
            if path.is_file():
                raise InvalidRequestError("This is a file; only folders can be followed. Add it instead.")
            os.scandir(path).close()
            real = path.resolve()
            if os.name == "posix" and real == real.parent:
                raise InvalidRequestError(
                    "This is the whole computer; follow the folders that hold your documents."
                )
            if real.is_relative_to(self._profile.resolve()):
                raise InvalidRequestError("This is Carrel's own folder.")
        except PermissionError:
            raise FolderUnreadableError from None
        except (OSError, ValueError):
            raise FolderMissingError("There is no such folder.") from None
        return path
