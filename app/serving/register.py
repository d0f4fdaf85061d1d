"""The models of one profile: how each is loaded, and which of them are open."""

import dataclasses
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import AppError, ModelError
from app.records import Model, ModelKind
from app.serving import catalogue

if TYPE_CHECKING:
    from app.serving.embedder import Embedder
    from app.serving.engine import Engine
    from app.serving.reranker import Reranker

    Opened = Engine | Embedder | Reranker

_log = logging.getLogger(__name__)

CLOSED = "Carrel is closing."


class Register:
    """Describes the models, one of each kind, and keeps those that are to be closed. Thread-safe."""

    def __init__(self, paths: tuple[Path | None, ...], on_change: Callable[[Model], None]) -> None:
        """
        Args:
            paths: of model files, among which those that come with the program have their own names.
            on_change: called with each model that was loaded, unloaded or failed; on any thread.
        """
        self._names = _names(paths)
        self._on_change = on_change
        self._lock = threading.Lock()
        self._records: dict[ModelKind, Model] = {}
        self._open: list[Opened] = []
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether Carrel is closing: nothing is kept or told any more."""
        return self._closed

    def expect(self, path: Path, kind: ModelKind) -> None:
        """There is to be a model of this kind; nobody is told yet."""
        self._records[kind] = self.unloaded(path, kind)

    def describe(self) -> tuple[Model, ...]:
        """All models as they are now, in the order in which they were expected."""
        with self._lock:
            return tuple(self._records.values())

    def changed(self, record: Model) -> None:
        """Describe a model anew, and tell whoever listens."""
        with self._lock:
            self._records[record.kind] = record
            closed = self._closed
        if not closed:
            try:
                self._on_change(record)
            except Exception:  # whoever listens must not keep others waiting for the model
                _log.exception("A change of the models could not be reported.")

    def failed(self, kind: ModelKind, path: Path, error: AppError) -> None:
        """A model could not be loaded; `error` says why."""
        self.changed(dataclasses.replace(self.unloaded(path, kind), problem=error.problem))

    def keep(self, model: "Opened") -> None:
        """Have an open model closed with all others.

        Raises:
            ModelError: Carrel is closing; the model is closed now.
        """
        with self._lock:
            if not self._closed:
                self._open.append(model)
                return
        model.close()
        raise ModelError(CLOSED)

    def let_go(self, model: "Opened") -> None:
        """Somebody else closes this one."""
        with self._lock:
            self._open = [other for other in self._open if other is not model]

    def close(self) -> "tuple[Opened, ...]":
        """Keep and tell nothing any more; returns the models that are open, for the caller to close."""
        with self._lock:
            self._closed = True
            opened, self._open = tuple(self._open), []
        return opened

    def name(self, path: Path) -> str:
        """What people call the model of a file."""
        return self._names.get(path, path.stem)

    def unloaded(self, path: Path, kind: ModelKind) -> Model:
        """How a file is described that is not loaded."""
        return Model(
            name=self.name(path),
            kind=kind,
            path=str(path),
            size=path.stat().st_size if path.is_file() else 0,
            sha256="",
            loaded=False,
            context_length=0,
            backend="",
            layers=0,
            layers_offloaded=0,
        )


def _names(paths: tuple[Path | None, ...]) -> dict[Path, str]:
    """The catalogue's names of bundled files among `paths`."""
    names: dict[Path, str] = {}
    for folder in {path.parent for path in paths if path is not None}:
        try:
            bundled = catalogue.bundled(folder)
        except AppError:
            continue
        names.update({file.path: file.name for file in (bundled.chat, bundled.embedding)})
    return names
