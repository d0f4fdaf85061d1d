"""Pages of PDFs as they look: images and boxes, drawn in a child that is kept warm for a while."""

import asyncio
from collections import OrderedDict
from pathlib import Path

from app.backend.documents.files import check_unchanged
from app.backend.documents.parsing.isolation import Viewing
from app.records import Box, Document

# Leafing through a document should not start a process for every page.
_IDLE_SECONDS = 30.0
_OPEN_AT_ONCE = 2
_IMAGE_BYTES_KEPT = 48 << 20

_ImageKey = tuple[str, int, int]


class PageViewer:
    """Draws pages. Two documents are held open, each in a child; images drawn last are kept."""

    def __init__(self, *, idle_seconds: float = _IDLE_SECONDS, image_bytes: int = _IMAGE_BYTES_KEPT) -> None:
        self._idle_seconds = idle_seconds
        self._image_bytes = image_bytes
        self._images: OrderedDict[_ImageKey, bytes] = OrderedDict()
        self._kept = 0
        self._open: OrderedDict[str, _Warm] = OrderedDict()
        self._opening = asyncio.Lock()

    async def picture(self, document: Document, location: Path, page: int, width: int) -> bytes:
        """Page `page` (1-based) as a PNG, `width` pixels wide.

        Raises:
            FileMissingError: the file is gone or changed.
            NotFoundError: there is no such page.
            DocumentError: it cannot be drawn.
        """
        key = (document.content_hash, page, width)
        if (image := self._images.get(key)) is not None:
            self._images.move_to_end(key)
            return image
        warm = await self._warm(document, location)
        image = await warm.viewing.picture(page, width)
        self._keep(key, image)
        return image

    async def boxes(
        self, document: Document, location: Path, page: int, start: int, end: int
    ) -> tuple[Box, ...]:
        """Where text[start:end] of the page's stored text stands; raises as `picture`."""
        warm = await self._warm(document, location)
        return await warm.viewing.boxes(page, start, end)

    async def forget(self, content_hash: str) -> None:
        """Let go of a document that was deleted."""
        for key in [key for key in self._images if key[0] == content_hash]:
            self._kept -= len(self._images.pop(key))
        warm = self._open.pop(content_hash, None)
        if warm is not None:
            await warm.end()

    async def close(self) -> None:
        """End every child. Idempotent."""
        while self._open:
            _, warm = self._open.popitem()
            await warm.end()

    async def _warm(self, document: Document, location: Path) -> "_Warm":
        key = document.content_hash
        async with self._opening:
            warm = self._open.get(key)
            if warm is None or warm.viewing.ended:
                await asyncio.to_thread(check_unchanged, location, document.size, document.content_hash)
                warm = self._open[key] = _Warm(Viewing(location), self._idle_seconds)
            self._open.move_to_end(key)
            idle = [other for other, held in self._open.items() if other != key and not held.viewing.busy]
            for other in idle[: max(len(self._open) - _OPEN_AT_ONCE, 0)]:
                await self._open.pop(other).end()
        warm.used()
        return warm

    def _keep(self, key: _ImageKey, image: bytes) -> None:
        if key in self._images or len(image) > self._image_bytes // 2:
            return
        self._images[key] = image
        self._kept += len(image)
        while self._kept > self._image_bytes:
            _, oldest = self._images.popitem(last=False)
            self._kept -= len(oldest)


class _Warm:
    """A viewing child with the clock that ends it when nobody has used it for a while."""

    def __init__(self, viewing: Viewing, idle_seconds: float) -> None:
        self.viewing = viewing
        self._idle_seconds = idle_seconds
        self._clock: asyncio.TimerHandle | None = None
        self._ending: asyncio.Task[None] | None = None

    def used(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = asyncio.get_running_loop().call_later(self._idle_seconds, self._end_later)

    async def end(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        await self.viewing.end()

    def _end_later(self) -> None:
        if self.viewing.busy:
            self.used()
            return
        # Marked at once, so that nobody takes it up while it ends.
        self.viewing.ended = True
        self._ending = asyncio.ensure_future(self.viewing.end())
