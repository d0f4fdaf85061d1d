"""Files that lie in folders become documents, with no work for those that were not touched.

Used by the adding of files and by the following of folders; on the gateway's loop, and what blocks
runs on threads.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePath

from app.backend.documents import files, media_types
from app.backend.documents.folders import Found, untouched
from app.backend.documents.viewing import PageViewer
from app.backend.feed import Feed
from app.backend.finishing import to_its_end
from app.database.places import NewFile, Place, Places, Refusal, Taken
from app.errors import AppError, FileMissingError, FileUnreadableError
from app.events import DocumentChanged, DocumentRemoved
from app.records import Addition, Document

_LONGEST_NAME = 200
# Files that were looked at are stored together: as many as these, or what came within this time.
_AT_ONCE = 64
_STORE_EVERY_S = 0.25
_TOLD_AT_ONCE = 100


class Intake:
    """Brings the library into step with files, and tells the feed what that changed."""

    def __init__(
        self,
        places: Places,
        feed: Feed,
        *,
        wake: Callable[[], None],
        cancel: Callable[[str], Awaitable[None]],
        forget: Callable[[], None],
        viewer: PageViewer,
    ) -> None:
        """
        Args:
            wake: tells the queue that there is work.
            cancel: stops the reading of a document, if it is being read.
            forget: makes the models forget what they have read.
            viewer: has images of pages that go with their documents.
        """
        self.places = places
        self._feed = feed
        self._wake = wake
        self._cancel = cancel
        self._forget = forget
        self._viewer = viewer

    async def add(
        self, user_id: str, found: Sequence[Found | Path], known: Sequence[Document]
    ) -> list[Addition]:
        """The user added these files. Those that lie where they lay, untouched, are not opened.

        Args:
            known: every document of this user.
        """
        documents = {document.id: document for document in known}
        listed = [file for file in found if isinstance(file, Found)]
        places = await asyncio.to_thread(self._places_of, user_id, listed)
        additions: list[Addition | None] = []
        fresh: list[Found | Path] = []
        for file in found:
            place = places.get(_path(file))
            document = documents.get(place.document_id or "") if place is not None else None
            if place is not None and document is not None and _as_it_was(place, document, file):
                additions.append(Addition(shown(place.path), document=document, known=True))
            else:
                additions.append(None)
                fresh.append(file)
        await asyncio.to_thread(self.places.keep, list(places.values()))
        taken = iter(await self.take(user_id, fresh, by_hand=True))
        return [next(taken) if addition is None else addition for addition in additions]

    async def take(self, user_id: str, found: Sequence[Found | Path], *, by_hand: bool) -> list[Addition]:
        """Open files and take in what they hold, each soon after it was looked at; one Addition a file.

        One that was moved here is not opened. One that is gone or written to meanwhile is the user's
        problem if he added it; otherwise it is left for later: an Addition without document or problem.
        """
        batch = _Batch()
        for file in found:
            looked = await asyncio.to_thread(self._look, user_id, file, by_hand=by_hand)
            batch.put(shown(_path(file)), looked)
            if isinstance(looked, Taken):
                await self.tell(looked)
            if batch.is_due:
                await to_its_end(self._store(user_id, batch, by_hand=by_hand))
        await to_its_end(self._store(user_id, batch, by_hand=by_hand))
        return batch.additions

    async def tell(self, taken: Taken) -> None:
        """Publish what a change of places came to, and let go of what is no more."""
        for gone in taken.removed:
            await self._cancel(gone.document_id)
            self._feed.publish(DocumentRemoved(gone.document_id))
            await self._viewer.forget(gone.content_hash)
        if taken.removed:
            self._forget()
        for number, document in enumerate(taken.documents, 1):
            self._feed.publish(DocumentChanged(document))
            if number % _TOLD_AT_ONCE == 0:
                await asyncio.sleep(0)  # those who read the feed get their turn
        if any(document.status == "queued" for document in taken.documents):
            self._wake()

    async def _store(self, user_id: str, batch: "_Batch", *, by_hand: bool) -> None:
        files_taken, refused = batch.waiting()
        if refused and not by_hand:
            told = await asyncio.to_thread(self.places.refuse, user_id, [refusal for _, refusal in refused])
            for document in told.documents:
                await self._cancel(document.id)
            await self.tell(told)
        if not files_taken:
            return
        taken = await asyncio.to_thread(
            self.places.take, user_id, [file for _, file in files_taken], by_hand=by_hand
        )
        for (number, file), document, how in zip(files_taken, taken.documents, taken.how, strict=True):
            batch.additions[number] = Addition(file.name, document=document, known=how in ("known", "same"))
            if how == "edited":
                # What is being read is the earlier state.
                await self._cancel(document.id)
        news = [document for document, how in zip(taken.documents, taken.how, strict=True) if how != "same"]
        await self.tell(Taken(tuple(news), removed=taken.removed))

    # --- on threads

    def _places_of(self, user_id: str, found: Sequence[Found]) -> dict[str, Place]:
        """What is known of these files, by path."""
        if not found:
            return {}
        wanted = {file.path for file in found}
        folder = os.path.commonpath([os.path.dirname(path) for path in wanted])  # noqa: PTH120 - of many
        return {place.path: place for place in self.places.under(user_id, folder) if place.path in wanted}

    def _look(self, user_id: str, file: Found | Path, *, by_hand: bool) -> NewFile | Refusal | Taken | None:
        """Open a file; Taken: it is one that lay elsewhere. None: not now."""
        path, looked_at = _path(file), time.time()
        if isinstance(file, Found) and (moved := self._moved(user_id, file)) is not None:
            return moved
        try:
            looked = files.look(Path(path))
        except FileMissingError as error:
            return Refusal(path, shown(path), None, looked_at, error.problem) if by_hand else None
        except AppError as error:
            # What may not be read may be allowed without the file being touched.
            sure = not isinstance(error, FileUnreadableError)
            stamp = file.stamp if isinstance(file, Found) and sure else None
            return Refusal(path, shown(path), stamp, looked_at, error.problem)
        if looked.stamp is None and not by_hand:
            return None
        return NewFile(
            path,
            shown(path),
            looked.content_hash,
            looked.media_type,
            looked.size,
            media_types.is_paged(looked.media_type),
            looked.stamp,
            looked_at,
            isinstance(file, Found) and file.mounted,
        )

    def _moved(self, user_id: str, file: Found) -> Taken | None:
        for place in self.places.with_stamp(user_id, file.stamp):
            if place.path == file.path:
                return None
            if place.document_id and untouched(place, file) and not os.path.lexists(place.path):
                taken = self.places.move(user_id, place, file.path, shown(file.path))
                return taken if taken.documents else None
        return None


class _Batch:
    """Files that were looked at and are to be stored together; `additions` has one for each."""

    def __init__(self) -> None:
        self.additions: list[Addition] = []
        self._waiting: list[tuple[int, NewFile | Refusal]] = []
        self._since = time.monotonic()

    def put(self, name: str, looked: NewFile | Refusal | Taken | None) -> None:
        match looked:
            case Taken():
                self.additions.append(Addition(name, document=looked.documents[0], known=True))
            case Refusal():
                self.additions.append(Addition(name, problem=looked.problem))
            case _:
                self.additions.append(Addition(name))
        if isinstance(looked, NewFile | Refusal):
            self._waiting.append((len(self.additions) - 1, looked))

    @property
    def is_due(self) -> bool:
        return len(self._waiting) >= _AT_ONCE or time.monotonic() - self._since > _STORE_EVERY_S

    def waiting(self) -> tuple[list[tuple[int, NewFile]], list[tuple[int, Refusal]]]:
        """What is to be stored now, with the number of each; it waits no more."""
        waiting, self._waiting, self._since = self._waiting, [], time.monotonic()
        taken = [(number, file) for number, file in waiting if isinstance(file, NewFile)]
        return taken, [(number, file) for number, file in waiting if isinstance(file, Refusal)]


def shown(path: str) -> str:
    """A file's name as it is shown: its last part, printable, and not endless."""
    last = PurePath(path.replace("\\", "/")).name if os.sep == "/" else PurePath(path).name
    printable = "".join(character if character.isprintable() else "�" for character in last)
    return printable[:_LONGEST_NAME] or "(no name)"


def _path(file: Found | Path) -> str:
    return file.path if isinstance(file, Found) else os.fspath(file)


def _as_it_was(place: Place, document: Document, file: Found | Path) -> bool:
    """Whether there is nothing to do for a file: it lies where it lay, and was read or will be."""
    return (
        isinstance(file, Found)
        and place.missing_since is None
        and document.status != "failed"
        and untouched(place, file)
    )
