"""The program's side of the parsing child: start it, hear it, end it.

Whatever becomes of it (killed by a limit, crashed by a broken file, hung), the caller gets a
DocumentError with a sentence, and the process is gone when the call is over.
"""

import asyncio
import multiprocessing.process
import signal
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from app.backend.documents.parsing import child
from app.backend.documents.parsing.messages import (
    Boxes,
    Ended,
    FromChild,
    Opened,
    Picture,
    ReadPage,
    Refused,
    Scanned,
    ToChild,
    WantBoxes,
    WantPicture,
    decode_from_child,
    encode,
)
from app.backend.finishing import to_its_end
from app.confinement import many, processes
from app.errors import (
    AppError,
    DamagedFileError,
    DocumentError,
    EncryptedFileError,
    FileMissingError,
    FileUnreadableError,
    NoTextError,
    NotFoundError,
    ParserLimitError,
    UnsupportedTypeError,
)
from app.records import Box

# A child may wait for the processor as long again, and once more, as it may use it.
WALL_PER_CPU = 3
VIEW_SECONDS = 60.0
# Pages that are ready together are handed over together, so that a thread is not woken for each.
_BATCH = 32
_LARGEST_MESSAGE = 1 << 27
_EXIT_SECONDS = 5.0
_children = many(child.__name__)
_NONSENSE = "The reader of this file gave an answer that makes no sense."

_REFUSALS: dict[str, type[AppError]] = {
    kind.code: kind
    for kind in (
        DamagedFileError,
        DocumentError,
        FileMissingError,
        FileUnreadableError,
        NotFoundError,
        ParserLimitError,
        UnsupportedTypeError,
    )
}


async def read_file(
    path: Path, media_type: str, *, wall_seconds: float | None = None
) -> AsyncGenerator[Opened | ReadPage, None]:
    """Read a file in a child of its own: first Opened where pages are known, then every page.

    Closing the iterator, or cancelling the task, ends the child at once.

    Args:
        wall_seconds: the longest the whole reading may take; by default three times what the
            child may use of the processor (a minute, or a second a page, and more for a scanned one).

    Raises:
        DocumentError: the file cannot be read; the kinds of it say why.
    """
    reader = Child(child.read, (str(path), media_type))
    begun = time.monotonic()
    limit = wall_seconds or WALL_PER_CPU * child.LEAST_CPU_SECONDS
    characters = 0
    await reader.start()
    try:
        while True:
            for message in await reader.receive(begun + limit - time.monotonic()):
                if isinstance(message, Ended):
                    return
                if isinstance(message, Refused):
                    raise _refusal(message)
                if isinstance(message, Opened):
                    limit = wall_seconds or max(limit, WALL_PER_CPU * (message.pages or 0))
                elif isinstance(message, Scanned):
                    limit += 0 if wall_seconds else WALL_PER_CPU * child.OCR_CPU_SECONDS
                    continue
                elif isinstance(message, ReadPage):
                    characters += len(message.text)
                    if characters > child.TEXT_CHARACTERS:
                        raise ParserLimitError("The file holds more text than Carrel reads from one file.")
                else:
                    raise DamagedFileError(_NONSENSE)
                yield message
    finally:
        await reader.end()


class Viewing:
    """One PDF held open in a child of its own, for page images and boxes. One request at a time."""

    def __init__(self, path: Path) -> None:
        self._child = Child(child.view, (str(path),))
        self._turn = asyncio.Lock()
        self._started = False
        self.ended = False

    async def picture(self, page: int, width: int) -> bytes:
        """Page `page` (1-based) as a PNG `width` pixels wide.

        Raises:
            NotFoundError: there is no such page.
            DocumentError: it cannot be drawn.
        """
        answer = await self._ask(WantPicture(page, width))
        if not isinstance(answer, bytes):
            raise DamagedFileError(_NONSENSE)
        return answer

    async def boxes(self, page: int, start: int, end: int) -> tuple[Box, ...]:
        """The boxes of text[start:end] of the page's stored text, one a line; raises as `picture`."""
        answer = await self._ask(WantBoxes(page, start, end))
        if not isinstance(answer, Boxes):
            raise DamagedFileError(_NONSENSE)
        return answer.boxes

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._turn.locked()

    async def end(self) -> None:
        """End the child. Idempotent."""
        self.ended = True
        await self._child.end()

    async def _ask(self, request: ToChild) -> bytes | Boxes:
        async with self._turn:
            try:
                if not self._started:
                    await self._child.start()
                    self._started = True
                return await self._child.ask(request, VIEW_SECONDS)
            except NotFoundError:
                raise
            except BaseException:
                # Cancelled in the middle, or broken: its next answer would be to this request.
                await self.end()
                raise


class Child:
    """One spawned process and the pipe to it. For one task at a time."""

    def __init__(self, target: Callable[..., None], arguments: tuple[str, ...]) -> None:
        self._target = target
        self._arguments = arguments
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        # Held while a thread waits at the pipe: closing it under that thread's hands could make
        # it read from whatever gets the descriptor next.
        self._at_pipe = threading.Lock()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Spawn the process; it runs when this returns. Ended again if cancelled meanwhile."""
        try:
            await to_its_end(asyncio.to_thread(self._start))
        except asyncio.CancelledError:
            await self.end()
            raise

    async def receive(self, seconds: float) -> list[FromChild]:
        """Wait for the next message, and take what else is there already.

        Raises:
            DocumentError: the child died, talked nonsense, or said nothing in time.
        """
        return await asyncio.to_thread(self._receive, seconds)

    async def ask(self, request: ToChild, seconds: float) -> bytes | Boxes:
        """Send a request and wait for its answer; raises as `receive`, or NotFoundError."""
        return await asyncio.to_thread(self._ask, request, seconds)

    async def end(self) -> None:
        """Kill the process if it still runs, and free the pipe. Idempotent, never interrupted."""
        await to_its_end(asyncio.to_thread(self._end))

    # --- on a thread of the pool

    def _start(self) -> None:
        ours, theirs = _children.Pipe()
        process = _children.Process(
            target=self._target, args=(theirs, *self._arguments), daemon=True, name="carrel-parser"
        )
        try:
            with processes:
                process.start()
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self._process, self._pipe = process, ours

    def _receive(self, seconds: float) -> list[FromChild]:
        messages = [self._next(seconds)]
        while len(messages) < _BATCH and not isinstance(messages[-1], (Ended, Refused)) and self._ready():
            messages.append(self._next(seconds))
        return messages

    def _ready(self) -> bool:
        with self._at_pipe:
            return self._pipe is not None and self._pipe.poll(0)

    def _ask(self, request: ToChild, seconds: float) -> bytes | Boxes:
        with self._at_pipe:
            if self._pipe is None:
                raise self._died()
            with suppress(OSError):  # a child that is gone has left its reason in the pipe
                self._pipe.send_bytes(encode(request))
        answer = self._next(seconds)
        if isinstance(answer, Refused):
            raise _refusal(answer)
        if isinstance(answer, Boxes):
            return answer
        if isinstance(answer, Picture):
            return self._bytes(seconds)
        raise DamagedFileError(_NONSENSE)

    def _next(self, seconds: float) -> FromChild:
        try:
            return decode_from_child(self._bytes(seconds))
        except msgspec.MsgspecError:
            raise DamagedFileError(_NONSENSE) from None

    def _bytes(self, seconds: float) -> bytes:
        with self._at_pipe:
            if self._pipe is None:
                raise self._died()
            try:
                if not self._pipe.poll(max(seconds, 0)):
                    raise ParserLimitError("Reading the file took too long and was given up.")
                return self._pipe.recv_bytes(_LARGEST_MESSAGE)
            except (EOFError, OSError):
                raise self._died() from None

    def _died(self) -> DocumentError:
        """Why the child is gone without a word; waits for its end."""
        code = None
        if self._process is not None:
            with processes:
                self._process.join(_EXIT_SECONDS)
                code = self._process.exitcode
        if code is not None and -code in _LIMIT_SIGNALS:
            return ParserLimitError("Reading the file took too much time or memory and was given up.")
        return DamagedFileError("The file stopped its reader; it is probably damaged.")

    def _end(self) -> None:
        process = self._process
        if process is None:
            return
        with processes:
            if process.exitcode is None:  # one that has ended may be gone, and its number another's
                process.kill()
        with self._at_pipe:
            if self._pipe is not None:
                self._pipe.close()
                self._pipe = None
        with processes:
            process.join(_EXIT_SECONDS)


_LIMIT_SIGNALS = {getattr(signal, name) for name in ("SIGXCPU", "SIGKILL") if hasattr(signal, name)}


def _refusal(message: Refused) -> AppError:
    if message.code == EncryptedFileError.code:
        return EncryptedFileError()
    if message.code == NoTextError.code:
        return NoTextError(message.message)
    return _REFUSALS.get(message.code, DocumentError)(message.message)
