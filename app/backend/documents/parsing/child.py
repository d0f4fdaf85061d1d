"""The parsing child: one process for one file, with limits, that can do nothing but answer.

Its imports are light on purpose (no FastAPI, llama.cpp or Qt): it starts for every file.
"""

import contextlib
import os
import sys
from collections.abc import Callable
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from app import confinement
from app.backend.documents.parsing import formats, pdf, render
from app.backend.documents.parsing.messages import (
    Boxes,
    Ended,
    FromChild,
    Opened,
    Picture,
    Refused,
    Scanned,
    WantPicture,
    decode_to_child,
    encode,
)
from app.errors import (
    AppError,
    FileMissingError,
    FileUnreadableError,
    NoTextError,
    ParserLimitError,
)

if sys.platform != "win32":
    import resource

MEMORY_BYTES = 1 << 30
LEAST_CPU_SECONDS = 60
# A dense page at full resolution takes about five; a slow machine takes its time.
OCR_CPU_SECONDS = 30
# One request of a page viewer; far more than any page needs.
VIEW_CPU_SECONDS = 30
TEXT_CHARACTERS = 200_000_000
PAGE_CHARACTERS = 10_000_000
_OPEN_FILES = 64


def read(connection: Connection, path: str, media_type: str) -> None:
    """Target of a reading child: send the file's pages, ending in Ended or Refused."""
    _confine()
    _answer(connection, lambda: _read(connection, Path(path), media_type))


def view(connection: Connection, path: str) -> None:
    """Target of a viewing child: open a PDF once, then answer requests until the pipe closes."""
    _confine()
    _answer(connection, lambda: _view(connection, Path(path)))


def _read(connection: Connection, path: Path, media_type: str) -> None:
    if sys.platform != "win32":
        os.nice(5)  # somebody may be waiting for an answer meanwhile
    # Seconds of the processor in all: for the file as it seems, and for the pages that are scans.
    allowed = LEAST_CPU_SECONDS
    _limit_cpu(allowed)
    total = 0
    blank = True
    for message in formats.read(path, media_type):
        if isinstance(message, Opened):
            allowed = max(allowed, message.pages or 0)
            _limit_cpu(allowed)
        elif isinstance(message, Scanned):
            allowed += OCR_CPU_SECONDS
            _limit_cpu(allowed)
        else:
            total += len(message.text)
            blank = blank and not message.text.strip()
            if total > TEXT_CHARACTERS or len(message.text) > PAGE_CHARACTERS:
                raise ParserLimitError("The file holds more text than Carrel reads from one file.")
        _send(connection, message)
    if blank:
        if media_type in formats.PICTURED:
            raise NoTextError("There is no text in this file, not even in its images.")
        raise NoTextError("There is no text in this file, only blank space.")
    _send(connection, Ended())


def _view(connection: Connection, path: Path) -> None:
    _limit_cpu(VIEW_CPU_SECONDS)
    with closing(pdf.open_pdf(path)) as document:
        document.init_forms()
        while True:
            try:
                wanted = decode_to_child(connection.recv_bytes())
            except EOFError:
                return
            _limit_cpu(VIEW_CPU_SECONDS)
            try:
                if isinstance(wanted, WantPicture):
                    image = render.picture(document, wanted.page, wanted.width)
                    _send(connection, Picture(len(image)))
                    connection.send_bytes(image)
                else:
                    found = render.boxes(document, wanted.page, wanted.start, wanted.end)
                    _send(connection, Boxes(found))
            except AppError as error:
                _send(connection, Refused(error.code, error.message))


def _answer(connection: Connection, work: Callable[[], None]) -> None:
    """Run `work`; turn what the user can understand into Refused. A bug ends the process."""
    # The other side has gone: there is nobody to tell.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        try:
            work()
        except AppError as error:
            _refuse(connection, error)
        except RecursionError:
            _refuse(connection, ParserLimitError("The file is nested too deeply."))
        except MemoryError:
            _refuse(connection, ParserLimitError("Reading the file took too much memory (over 1 GB)."))
        except FileNotFoundError:
            _refuse(connection, FileMissingError("The file is no longer at its place."))
        except OSError as error:
            _refuse(connection, FileUnreadableError(f"The file cannot be read: {error.strerror or error}."))
    connection.close()


def _send(connection: Connection, message: FromChild) -> None:
    try:
        connection.send_bytes(encode(message))
    except OSError as error:
        # Not to be taken for a fault of the file.
        raise BrokenPipeError from error


def _refuse(connection: Connection, error: AppError) -> None:
    _send(connection, Refused(error.code, error.message))


def _confine() -> None:
    """Give up what reading a file does not need, and end with the program."""
    confinement.confine()
    # Before numpy is imported for a scan: its threads would each set memory aside.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    confinement.limit("RLIMIT_AS", MEMORY_BYTES)
    confinement.limit("RLIMIT_NOFILE", _OPEN_FILES)


def _limit_cpu(seconds: int) -> None:
    """Allow `seconds` more of processor time; then the system ends the process."""
    if sys.platform == "win32":
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    allowed = int(used.ru_utime + used.ru_stime) + 1 + seconds
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard != resource.RLIM_INFINITY:
        allowed = min(allowed, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, hard))
