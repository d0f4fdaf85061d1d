"""The volumes on a shelf: printed as PDFs, read as the program reads them, indexed and embedded."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from app.backend.documents.parsing.isolation import read_file
from app.backend.documents.parsing.messages import ReadPage
from tests.evaluation.library import Library, Text
from tests.evaluation.pages.press import printed
from tests.evaluation.pages.volumes import Volume


async def fill(shelf: Library, volumes: Sequence[Volume]) -> dict[str, Sequence[ReadPage]]:
    """Index each volume that the library does not hold yet; return the pages of each by its title."""
    read = {}
    with tempfile.TemporaryDirectory() as folder:
        for volume in volumes:
            path = await asyncio.to_thread(printed, volume, Path(folder))
            pages = [page async for page in read_file(path, "application/pdf") if isinstance(page, ReadPage)]
            await shelf.add(Text(volume.name, tuple(pages)))
            read[volume.title] = pages
    return read
