"""The probe's child: loads model files as the program would, and may die of it.

A verdict is sent when the model was freed again, so that damage that shows late still shows here.
"""

import asyncio
import contextlib
import os
import sys
from multiprocessing.connection import Connection
from pathlib import Path

import msgspec

from app import confinement
from app.errors import AppError, ModelError, ModelFileError, ModelTooLargeError
from app.records import ModelKind
from app.serving import placement
from app.serving.embedder import Embedder
from app.serving.engine import Engine
from app.serving.generation import ChatMessage, Generation, Prompt
from app.serving.reranker import Reranker

if sys.platform != "win32":
    import resource

READY = b"ready"
"""What the child says first: from here on, what ends it is the file it tries out."""

OUTPUT_BYTES = 1 << 18
"""What libraries may write to stdout and stderr; the reason of an abort is at the end of it."""

# Beyond the file's own size, which llama.cpp may hold once more in another order.
_MEMORY_BYTES = 4 << 30
_NICE = 10  # the window and whatever else is open go first
# Every byte that UTF-8 has: a vocabulary without one of them crashes at the first text that needs it.
_TEXT = "".join(map(chr, (*range(0x800), *range(0x1000, 0xD800, 0x1000), *range(0xE000, 0x10FFFF, 0x1000))))


class Wanted(msgspec.Struct, frozen=True):
    """Asks for one file to be tried out; arguments as for `Engine` and `NativeModel`.

    `on_gpu`: layers may go there.
    """

    path: str
    kind: ModelKind
    gpu_layers: int
    threads: int
    on_gpu: bool
    tiles: bool = False


class Proven(msgspec.Struct, frozen=True, tag="proven"):
    """It was loaded and gave a token, a vector or a score."""


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """It is no model that can be loaded: the sentence of a ModelFileError."""

    message: str


class TooLarge(msgspec.Struct, frozen=True, tag="too_large"):
    """There is not enough memory for it now: the sentence of a ModelTooLargeError."""

    message: str


class Undecided(msgspec.Struct, frozen=True, tag="undecided"):
    """Something other than the file was in the way: the sentence of a ModelError."""

    message: str


Found = Proven | Refused | TooLarge | Undecided

encode = msgspec.json.Encoder().encode
_wanted = msgspec.json.Decoder(Wanted)
_found: msgspec.json.Decoder[Found] = msgspec.json.Decoder(Found)
decode_found = _found.decode


def serve(connection: Connection, output: str) -> None:
    """Target of the child: try out one file after the other, until the pipe closes.

    Args:
        output: a file that takes what libraries write to stdout and stderr.
    """
    if sys.platform != "win32":
        os.setsid()  # a group of its own, that is ended as a whole
        os.nice(_NICE)
    confinement.confine(output=output, written=OUTPUT_BYTES)
    _go_first_when_memory_is_short()
    connection.send_bytes(READY)
    while True:
        try:
            wanted = _wanted.decode(connection.recv_bytes())
        except EOFError:
            return
        connection.send_bytes(encode(_try(wanted)))


def _try(wanted: Wanted) -> Found:
    path = Path(wanted.path)
    try:
        if not wanted.on_gpu:  # drivers of graphics cards reserve more than any sensible limit
            _limit_memory(path.stat().st_size + _MEMORY_BYTES)
        if wanted.kind == "chat":
            _try_chat(path, wanted)
        elif wanted.kind == "embedding":
            _try_embedding(path, tiles=wanted.tiles)
        else:
            _try_reranking(path, tiles=wanted.tiles)
    except ModelFileError as refusal:
        return Refused(refusal.message)
    except ModelTooLargeError as refusal:
        return TooLarge(refusal.message)
    except ModelError as error:
        return Undecided(error.message)
    except OSError as error:
        return Undecided(f"{path.name} cannot be read: {error.strerror}.")
    except MemoryError:
        return Undecided(f"There is not enough memory to try {path.name} out.")
    return Proven()


def _try_chat(path: Path, wanted: Wanted) -> None:
    engine = Engine(
        path,
        context_length=placement.SHORTEST_CONTEXT,
        gpu_layers=wanted.gpu_layers,
        threads=wanted.threads,
        sha256="-",
    )
    try:
        engine.load()
        # A template that fails, or a context too short for it, is said by the program as well.
        with contextlib.suppress(AppError):
            engine.count(_TEXT)
            asyncio.run(_answer(engine))
    finally:
        engine.close()


async def _answer(engine: Engine) -> None:
    """One token after one: a large model needs the time that a whole question takes for nothing new."""
    prompt = engine.encode([ChatMessage("user", "What is this?")])
    last = Prompt("", prompt.tokens[-1:])
    async for _ in engine.generate(Generation(last, max_tokens=1)):
        pass
    await engine.score(last, ("a", "b"))


def _try_embedding(path: Path, *, tiles: bool) -> None:
    embedder = Embedder(path, threads=1, sha256="-", tiles=tiles)
    try:
        embedder.load()
        with contextlib.suppress(AppError):
            embedder.count(_TEXT)
            asyncio.run(embedder.embed(["What is this?"], urgent=True))
    finally:
        embedder.close()


def _try_reranking(path: Path, *, tiles: bool) -> None:
    reranker = Reranker(path, threads=1, sha256="-", tiles=tiles)
    try:
        reranker.load()
        with contextlib.suppress(AppError):
            asyncio.run(reranker.score("What is this?", [_TEXT, "A desk."]))
    finally:
        reranker.close()


def _limit_memory(size: int) -> None:
    """Bound what this process may allocate; mapped files do not count."""
    if sys.platform != "win32":
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        if hard == resource.RLIM_INFINITY or size <= hard:
            resource.setrlimit(resource.RLIMIT_DATA, (size, hard))


def _go_first_when_memory_is_short() -> None:
    """Linux ends the process with the highest score: not the window, then."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
