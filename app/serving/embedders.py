"""Which embedding model searches, and which one is to take its place.

Vectors of different models cannot be compared. So the model that made those of the library goes on
searching until another one has read everything; both are loaded until then.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from app.errors import AppError, ModelError
from app.records import Problem
from app.serving.opening import Opening
from app.serving.register import CLOSED, Register

if TYPE_CHECKING:
    from app.serving.admission.admission import Admitted
    from app.serving.embedder import Embedder

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class MadeWith:
    """The model that made the library's vectors, and where its file lay then."""

    path: Path
    sha256: str


class Embedders:
    """One embedding model, or two while a library is read anew. Thread-safe."""

    def __init__(
        self,
        opening: Opening,
        register: Register,
        *,
        wanted: Path,
        fallback: Path | None,
        library: MadeWith | None,
        on_notice: Callable[[Problem], None],
    ) -> None:
        """Nothing is loaded before `load`.

        Args:
            wanted: the file that the user wants to search with.
            fallback: the bundled file, used when that cannot be loaded.
            library: None where there are no vectors yet.
            on_notice: called with what the user should read once.
        """
        self._opening, self._register = opening, register
        self._path, self._fallback, self._library = wanted, fallback, library
        self._on_notice = on_notice
        self._lock = threading.Lock()
        self._current: Future[Embedder] = Future()
        self._wanted: Future[Embedder | None] = Future()

    async def current(self) -> "Embedder":
        """The one to search with, and to read new files with; waits while it is being loaded.

        Raises:
            ModelError: there is none that can be loaded, or Carrel is closing.
        """
        return await _wait(self._current)

    async def wanted(self) -> "Embedder | None":
        """The one that is to have made all vectors; None: it cannot be loaded. Waits as `current` does.

        Raises:
            ModelError: Carrel is closing.
        """
        return await _wait(self._wanted)

    def loaded(self) -> "tuple[Embedder, ...]":
        """The current one, then the wanted one if it is another; those that are loaded by now."""
        with self._lock:
            futures = (self._current, self._wanted)
        done = [future.result() for future in futures if future.done() and future.exception() is None]
        return tuple(dict.fromkeys(embedder for embedder in done if embedder is not None))

    def file(self, embedder: "Embedder") -> Path | None:
        """Where the file of one of them lies; None: it came with the program."""
        return None if embedder.path == self._fallback else embedder.path

    def promote(self) -> None:
        """Make the wanted one the current one and free the other. Blocks for the text at hand."""
        wanted = self._wanted.result(timeout=0)
        assert wanted is not None
        with self._lock:
            before = self._current.result(timeout=0)
            if before is wanted:
                return
            self._current = Future()
            self._current.set_result(wanted)
        self._register.changed(wanted.model)
        self._register.let_go(before)
        before.close()

    def load(self) -> None:
        """Load what is needed. Blocks; on a thread of its own."""
        old = self._open_old()
        if old is not None:
            self._take(old)
        try:
            self._load_wanted(old)
        except AppError as error:
            self._do_without(old, error)

    def close(self) -> None:
        """Tell whoever still waits that nothing comes."""
        for future in (self._current, self._wanted):
            if not future.done():
                future.set_exception(ModelError(CLOSED))

    def _open_old(self) -> "Embedder | None":
        """The model of the library's vectors, where another one is wanted and its file is still there."""
        library = self._library
        if library is None or library.path == self._path:
            return None
        try:
            admitted = self._admit(library.path)
            if admitted.sha256 != library.sha256:
                raise ModelError(f"{library.path.name} holds another model than it did.")
            return self._open(library.path, admitted)
        except AppError as error:
            _log.warning("the library's embedding model is gone", extra={"code": error.code})
            return None

    def _load_wanted(self, old: "Embedder | None") -> None:
        admitted = self._admit(self._path)
        if old is not None and admitted.sha256 == old.sha256:  # a copy of the same file
            self._wanted.set_result(old)
            return
        wanted = self._open(self._path, admitted)
        if old is None:
            self._take(wanted)
            if self._library is not None and self._library.sha256 != admitted.sha256:
                self._on_notice(_gone(wanted.model.name))
        self._wanted.set_result(wanted)

    def _do_without(self, old: "Embedder | None", error: AppError) -> None:
        """The wanted one cannot be loaded: the old one stays, or the bundled one stands in."""
        instead, fallback = old, self._fallback
        if instead is None and fallback is not None and fallback != self._path:
            try:
                instead = self._open(fallback, self._admit(fallback))
            except AppError as second:
                _log.warning("nor can the bundled embedding model be loaded", extra={"code": second.code})
            else:
                self._take(instead)
        if instead is None:
            self._register.failed("embedding", self._path, error)
            self._current.set_exception(error)
        elif not self._register.closed:
            known = self._library is None or self._library.sha256 == instead.sha256
            others = "" if known else " What another model has read is found by its words only."
            message = f"{error.message} Search goes on with {instead.model.name}.{others}"
            self._on_notice(Problem(error.code, message))
        self._wanted.set_result(None)

    def _admit(self, path: Path) -> "Admitted":
        return self._opening.admit(path, "embedding", checked=path != self._fallback)

    def _open(self, path: Path, admitted: "Admitted") -> "Embedder":
        from app.serving.embedder import Embedder  # noqa: PLC0415 - 0.3 s that the window must not wait for

        return self._opening.open(Embedder, path, "embedding", admitted)

    def _take(self, embedder: "Embedder") -> None:
        self._register.changed(embedder.model)
        self._current.set_result(embedder)


def _gone(name: str) -> Problem:
    return Problem(
        "embedder_gone",
        "The embedding model that your library was read with is gone. It is read again with"
        f" {name}; what is not read yet is found by its words only.",
    )


async def _wait(model: "Future[_T]") -> _T:
    # Shielded: one caller who gives up must not cancel the load for all.
    return await asyncio.shield(asyncio.wrap_future(model))
