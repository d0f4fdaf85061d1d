"""What `main` lends the command line: a program that can be opened, and a desk to work at.

The command line is written against these two and the client, so it neither knows nor cares
whether the work is done in this process or in a Carrel that was there first.
"""

import asyncio
import concurrent.futures
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from app.paths import Profile

if TYPE_CHECKING:
    from app.client.client import Client

T = TypeVar("T")

Submit = Callable[[Coroutine[Any, Any, Any]], "concurrent.futures.Future[Any]"]

# A wait without a limit cannot be interrupted by Ctrl-C on every system; waits in slices can.
_SLICE_S = 0.5
_EVENTS_AHEAD = 64


class Desk:
    """An open Carrel. All its methods are called from one thread, not the loop's.

    `owner` says whether this process holds the profile; if not, another Carrel does the work.
    """

    def __init__(self, client: "Client", submit: Submit, *, owner: bool) -> None:
        self.client = client
        self.owner = owner
        self._submit = submit

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do `work` on the client's loop and wait for it; an interruption cancels it."""
        future: concurrent.futures.Future[T] = self._submit(work)
        try:
            return _result(future)
        finally:
            future.cancel()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Begin `work` on the client's loop without waiting; safe inside a signal handler."""
        self._submit(work)

    def stream(self, items: AsyncIterator[T]) -> Iterator[T]:
        """Iterate here over what arrives on the client's loop.

        The stream is closed on the loop as soon as this iterator ends or is left.
        """
        inbox: asyncio.Queue[T | _End] = asyncio.Queue(_EVENTS_AHEAD)
        pump = self._submit(_pump(items, inbox))
        try:
            while True:
                item = self.run(inbox.get())
                if not isinstance(item, _End):
                    yield item
                elif item.error is None:
                    return
                else:
                    raise item.error
        finally:
            pump.cancel()


class Program(Protocol):
    """The program as the command line starts it."""

    def open(self, profile: Profile, *, model: Path | None, verbose: bool) -> AbstractContextManager[Desk]:
        """Open `profile`: build everything here, or reach the Carrel that holds it.

        Args:
            model: a GGUF file to answer with in this run, instead of the one in the settings.
        Raises:
            AppError: it cannot be opened; the sentence says why.
        """

    def window(self, profile: Profile, *, model: Path | None, verbose: bool) -> int:
        """Show the window until it is closed; return the exit code.

        Raises:
            AppError: there is no display, or the profile cannot be opened.
        """


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None


async def _pump(items: AsyncIterator[T], inbox: "asyncio.Queue[T | _End]") -> None:
    error: BaseException | None = None
    try:
        async with contextlib.AsyncExitStack() as stack:
            if isinstance(items, AsyncGenerator):
                stack.push_async_callback(items.aclose)
            async for item in items:
                await inbox.put(item)
    except Exception as raised:  # it is raised again in the thread that reads the stream
        error = raised
    await inbox.put(_End(error))


def _result(future: "concurrent.futures.Future[T]") -> T:
    while True:
        done, _ = concurrent.futures.wait((future,), timeout=_SLICE_S)
        if done:
            return future.result()
