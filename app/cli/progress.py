"""Waiting for documents to be read, with progress bars on stderr."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.output import Output, plain
from app.cli.program import Desk
from app.errors import AppError, ConnectionLostError
from app.events import DocumentChanged, DocumentRemoved
from app.records import Addition, Document, Problem

if TYPE_CHECKING:
    from rich.progress import TaskID

    from app.client.client import Client

# The feed tells of every change from when it stands; looking once then misses nothing, and
# looking again now and then costs nothing.
_LOOK_EVERY_S = 2.0
_ROWS = 8
_STEPS = 1_000


def add(desk: Desk, files: Iterable[Path], output: Output) -> tuple[Addition, ...]:
    """Add `files` and wait until each is ready or failed; returns how each of them ended."""
    paths = [str(file.expanduser().absolute()) for file in files]
    with output.console.status("Looking at the files…"):
        additions = desk.run(desk.client.add_paths(paths))
    return wait(desk, additions, output)


def wait(desk: Desk, additions: Sequence[Addition], output: Output) -> tuple[Addition, ...]:
    """Wait until each added document is ready or failed; returns the additions as they ended."""
    ended: dict[str, Document] = {a.document.id: a.document for a in additions if a.document}
    waiting = {known for known, document in ended.items() if document.status not in ("ready", "failed")}
    if waiting:
        try:
            with _Bars(len(ended), len(ended) - len(waiting), output) as bars:
                for document in desk.stream(follow(desk.client, waiting)):
                    ended[document.id] = document
                    bars.show(document)
        except KeyboardInterrupt:
            when = "when Carrel runs again" if desk.owner else "by the Carrel that is running"
            output.remark(f"Nothing is lost: what is not read yet is read {when}.")
            raise
    return tuple(_ended(addition, ended) for addition in additions)


async def follow(client: "Client", ids: Iterable[str]) -> AsyncIterator[Document]:
    """Yield every change of the documents, until each of them is ready, failed or removed.

    Raises:
        AppError: the other side is gone.
    """
    waiting = set(ids)
    news: asyncio.Queue[Document | str | AppError] = asyncio.Queue()
    following = asyncio.Event()
    tasks = (
        asyncio.create_task(_listen(client, following, news)),
        asyncio.create_task(_look(client, following, waiting, news)),
    )
    try:
        while waiting:
            item = await news.get()
            if isinstance(item, AppError):
                raise item
            if isinstance(item, str):
                waiting.discard(item)
            elif item.id in waiting:
                if item.status in ("ready", "failed"):
                    waiting.discard(item.id)
                yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _listen(
    client: "Client", following: asyncio.Event, news: "asyncio.Queue[Document | str | AppError]"
) -> None:
    try:
        async for event in client.feed(on_open=following.set):
            if isinstance(event, DocumentChanged):
                news.put_nowait(event.document)
            elif isinstance(event, DocumentRemoved):
                news.put_nowait(event.document_id)
        news.put_nowait(ConnectionLostError("Carrel ended while the documents were being read."))
    except AppError as error:
        news.put_nowait(error)


async def _look(
    client: "Client",
    following: asyncio.Event,
    waiting: set[str],
    news: "asyncio.Queue[Document | str | AppError]",
) -> None:
    try:
        await following.wait()
        while True:
            found = {document.id: document for document in await client.documents()}
            for known in tuple(waiting):
                news.put_nowait(found.get(known, known))
            await asyncio.sleep(_LOOK_EVERY_S)
    except AppError as error:
        news.put_nowait(error)


def _ended(addition: Addition, ended: dict[str, Document]) -> Addition:
    if addition.document is None:
        return addition
    document = ended[addition.document.id]
    problem = document.error if document.status == "failed" else None
    if document.status not in ("ready", "failed"):
        problem = Problem("not_found", "The document was removed before it was read.")
    return dataclasses.replace(addition, document=document, problem=problem)


class _Bars:
    """One bar over all files, and one for each file that is being read now."""

    def __init__(self, total: int, done: int, output: Output) -> None:
        from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415 - 130 ms

        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=output.console,
            transient=True,
            disable=not output.console.is_terminal,
        )
        self._total = total
        self._done = done
        self._all: TaskID | None = None
        self._rows: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bars":
        self._progress.start()
        if self._total > 1:
            self._all = self._progress.add_task("All files", total=self._total, state="")
            self._count()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, document: Document) -> None:
        if document.status in ("ready", "failed"):
            self._done += 1
            if (row := self._rows.pop(document.id, None)) is not None:
                self._progress.remove_task(row)
            self._count()
            return
        if document.status == "queued" and self._total > _ROWS:
            return
        if document.id not in self._rows and len(self._rows) < _ROWS:
            self._rows[document.id] = self._progress.add_task(
                plain(document.name), total=_STEPS, state="waiting"
            )
        if (row := self._rows.get(document.id)) is not None:
            state, part = _state(document)
            self._progress.update(row, completed=part * _STEPS, state=state)

    def _count(self) -> None:
        if self._all is not None:
            self._progress.update(
                self._all, completed=self._done, state=f"{self._done} of {self._total} files"
            )


def _state(document: Document) -> tuple[str, float]:
    """What is being done, and how far: reading is the first half of the way, embedding the second."""
    if document.status == "reading":
        of = f" of {document.pages:,}" if document.pages else ""
        return f"reading page {document.pages_read:,}{of}", document.pages_read / (document.pages or 1) / 2
    if document.status == "embedding":
        done, total = document.passages_embedded, document.passages
        return f"indexing passage {done:,} of {total:,}", 0.5 + done / (total or 1) / 2
    return "waiting", 0.0
