"""The library: files come in, are listed, read, looked at, and go."""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

from app.backend.documents import files, media_types
from app.backend.documents.folders import Found, listing
from app.backend.documents.intake import Intake, shown
from app.backend.documents.patterns import Patterns
from app.backend.documents.viewing import PageViewer
from app.backend.feed import Feed
from app.backend.finishing import to_its_end
from app.database.documents import Documents
from app.errors import AppError, DocumentError, InvalidRequestError, UnsupportedTypeError
from app.events import DocumentChanged, DocumentRemoved
from app.filters import EVERYTHING, Filter
from app.records import Addition, Box, Document, Page

_log = logging.getLogger(__name__)
_PIECE = 1 << 20


class DocumentService:
    """The documents of every user. Used on the gateway's loop; what blocks runs on threads."""

    def __init__(
        self,
        documents: Documents,
        intake: Intake,
        feed: Feed,
        *,
        uploads: Path,
        wake: Callable[[], None],
        cancel: Callable[[str], Awaitable[None]],
        forget: Callable[[], None],
        viewer: PageViewer,
    ) -> None:
        """
        Args:
            intake: takes in files that lie in folders.
            uploads: the folder where uploads are kept.
            wake: tells the queue that there is work.
            cancel: stops the reading of a document, if it is being read.
            forget: makes the models forget what they have read.
        """
        self._documents = documents
        self._intake = intake
        self._feed = feed
        self._uploads = uploads
        self._wake = wake
        self._cancel = cancel
        self._forget = forget
        self._viewer = viewer
        # An upload must not be taken in while a document with the same content is taken out.
        self._uploads_turn = asyncio.Lock()

    # --- taking in

    async def add_paths(self, user_id: str, paths: Sequence[str | os.PathLike[str]]) -> tuple[Addition, ...]:
        """Add files where they lie; folders with all in them that can be read.

        Each file is queued soon after it was looked at; one that was known and not touched since is
        not opened. One that cannot be taken in is an Addition with its problem and stops nothing.
        In folders, hidden files, unfinished ones and those of other types are passed over.
        """
        plan: list[Addition | Found | Path] = []
        for given in paths:
            path = Path(os.path.normpath(given))
            try:
                if not path.is_absolute():
                    raise InvalidRequestError(
                        "A path must begin at the root: it is not said where this one does."
                    )
                if not await asyncio.to_thread(_is_folder, path):
                    plan.append(path)
                    continue
                found = (await asyncio.to_thread(listing, path, Patterns())).files
                if not found:
                    raise UnsupportedTypeError(
                        "There is no file in this folder that Carrel reads (documents, mail, scans)."
                    )
                plan += found
            except AppError as error:
                plan.append(Addition(shown(path.name or str(path)), problem=error.problem))
        files_found = [item for item in plan if not isinstance(item, Addition)]
        known = await self.list(user_id) if any(isinstance(item, Found) for item in plan) else ()
        additions = iter(await self._intake.add(user_id, files_found, known))
        return tuple(item if isinstance(item, Addition) else next(additions) for item in plan)

    async def add_upload(self, user_id: str, name: str, chunks: AsyncIterator[bytes], limit: int) -> Addition:
        """Add a file that comes over the wire; its bytes are kept in the folder of uploads.

        Args:
            name: as the sender calls it; only its last part counts, and only to be shown.
            limit: in bytes.

        Raises:
            TooLargeError: more than `limit` bytes came; nothing is kept.
            StorageError: the disk is full or refuses; nothing is kept.
        """
        name = shown(name)
        with await asyncio.to_thread(files.Incoming, self._uploads, name, limit) as incoming:
            waiting = bytearray()
            async for chunk in chunks:
                waiting += chunk
                if len(waiting) >= _PIECE:
                    await asyncio.to_thread(incoming.write, bytes(waiting))
                    waiting.clear()
            await asyncio.to_thread(incoming.write, bytes(waiting))
            try:
                looked = await asyncio.to_thread(incoming.finish)
            except DocumentError as error:
                return Addition(name, problem=error.problem)
            async with self._uploads_turn:
                return await to_its_end(asyncio.to_thread(self._keep, user_id, name, incoming, looked))

    async def sweep(self, user_id: str) -> None:
        """At start: remove what uploads that were cut short, or deletions, have left."""
        documents = await asyncio.to_thread(self._documents.list, user_id)
        needed = {document.content_hash for document in documents if document.path is None}
        removed = await asyncio.to_thread(files.sweep, self._uploads, needed)
        if removed:
            _log.info("orphaned uploads removed", extra={"files": removed})

    # --- what is there

    async def list(self, user_id: str, limited: Filter = EVERYTHING) -> tuple[Document, ...]:
        """Every document of this user within the filter, newest first."""
        return await asyncio.to_thread(self._documents.list, user_id, limited)

    async def get(self, user_id: str, document_id: str) -> Document:
        """One document; raises NotFoundError."""
        return await asyncio.to_thread(self._documents.get, user_id, document_id)

    async def page(self, user_id: str, document_id: str, number: int, start: int = 0, end: int = 0) -> Page:
        """The text of a page, and where text[start:end] stands on it.

        Boxes are only there for pages of an original that is still at its place, and unchanged.

        Raises:
            NotFoundError: no such document or page, or it is not read yet.
        """
        document = await self.get(user_id, document_id)
        text = (await asyncio.to_thread(self._documents.page, document_id, number)).text
        boxes: tuple[Box, ...] = ()
        if document.paged and end > start and not document.changed:
            location = await asyncio.to_thread(self._documents.location, document_id)
            # The text can be read without its original; the image will say what is wrong.
            with contextlib.suppress(DocumentError):
                boxes = await self._viewer.boxes(document, location, number, start, end)
        return Page(document_id, number, document.pages or number, text, document.paged, boxes)

    async def page_image(self, user_id: str, document_id: str, number: int, width: int) -> bytes:
        """A page as a PNG, `width` pixels wide (100 to 4,000; others are brought within).

        Raises:
            NotFoundError: no such document or page.
            FileMissingError: the original is gone, or another file is in its place.
            InvalidRequestError: the document has no pages of its own.
            DocumentError: the page cannot be drawn.
        """
        document = await self.get(user_id, document_id)
        if not document.paged:
            raise InvalidRequestError("This document is a text; it has no page images.")
        location = await asyncio.to_thread(self._documents.location, document_id)
        return await self._viewer.picture(document, location, number, width)

    # --- changing

    async def retry(self, user_id: str, document_id: str) -> Document:
        """Read a failed document again; one that has not failed stays as it is.

        Raises:
            NotFoundError: it is not in the library.
        """
        document = await self.get(user_id, document_id)
        if document.status != "failed":
            return document
        document = await asyncio.to_thread(self._documents.requeue, document_id)
        self._feed.publish(DocumentChanged(document))
        self._wake()
        return document

    async def delete(self, user_id: str, document_id: str) -> None:
        """Remove a document and all that was made from it; a reading under way is stopped.

        The user's own file stays where it is; an upload is removed. What models remember of their
        reading goes, too: nothing of a document that was deleted stays in the profile.

        Raises:
            NotFoundError: it is not in the library.
        """
        document = await self.get(user_id, document_id)
        async with self._uploads_turn:
            upload = await asyncio.to_thread(self._documents.delete, user_id, document_id)
            await self._cancel(document_id)
            if upload is not None:
                await asyncio.to_thread(upload.unlink, missing_ok=True)
        self._feed.publish(DocumentRemoved(document_id))
        self._forget()
        await self._viewer.forget(document.content_hash)

    async def close(self) -> None:
        """End the children that draw pages. Idempotent."""
        await self._viewer.close()

    # --- on threads

    def _keep(self, user_id: str, name: str, incoming: files.Incoming, looked: files.Looked) -> Addition:
        place = incoming.keep(looked.content_hash)
        try:
            document, known = self._insert(user_id, name, looked, place)
            needed = not known or self._documents.location(document.id) == place
        except AppError:
            place.unlink(missing_ok=True)
            raise
        if not needed:
            place.unlink(missing_ok=True)
        return self._added(name, document, known)

    def _insert(self, user_id: str, name: str, looked: files.Looked, place: Path) -> tuple[Document, bool]:
        return self._documents.add(
            user_id,
            name=name,
            path=None,
            stored=str(place),
            content_hash=looked.content_hash,
            media_type=looked.media_type,
            size=looked.size,
            paged=media_types.is_paged(looked.media_type),
        )

    def _added(self, name: str, document: Document, known: bool) -> Addition:
        if document.status == "queued":
            self._feed.publish(DocumentChanged(document))
            self._wake()
        return Addition(name, document=document, known=known)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # looking at it as a file will say why
