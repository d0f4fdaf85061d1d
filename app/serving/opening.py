"""Opening models that read whole texts: let in first, marked while they load."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from app.errors import AppError, ModelError
from app.records import ModelKind
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.register import Register

if TYPE_CHECKING:
    from app.serving.admission.admission import Admission, Admitted
    from app.serving.embedder import Embedder
    from app.serving.reranker import Reranker

_log = logging.getLogger(__name__)
_Pooled = TypeVar("_Pooled", "Embedder", "Reranker")


class Opening:
    """The way in for embedding and reranking models. Thread-safe; blocks."""

    def __init__(
        self,
        register: Register,
        admission: "Admission",
        breadcrumb: Breadcrumb,
        *,
        threads: int,
        polite: bool,
    ) -> None:
        """Arguments as for `Models`."""
        self._register, self._admission, self._breadcrumb = register, admission, breadcrumb
        self._threads, self._polite = threads, polite

    def admit(self, path: Path, kind: ModelKind, *, checked: bool = False) -> "Admitted":
        """Prove a file, where that was not done before.

        Args:
            checked: refuse it, too, if Carrel ended too often while it was at work.

        Raises:
            ModelError: it may not be loaded; the kinds of it say why.
        """
        with _only_app_errors(kind):
            if checked:
                self._breadcrumb.check(path, self._register.name(path))
            return self._admission.admit(path, kind, gpu_layers=0, asked=False)

    def open(
        self, make: "Callable[..., _Pooled]", path: Path, kind: ModelKind, admitted: "Admitted"
    ) -> "_Pooled":
        """Load a file that was admitted, and have it closed with all others.

        Raises:
            ModelError: it cannot be loaded, or Carrel is closing.
        """
        name = self._register.name(path)
        with _only_app_errors(kind):
            model = make(
                path,
                threads=self._threads,
                sha256=admitted.sha256,
                name=name,
                polite=self._polite,
                tiles=admitted.tiles,
            )
            with self._breadcrumb.mark(path, name, "loading", "CPU"):
                model.load()
            self._register.keep(model)
            return model


@contextlib.contextmanager
def _only_app_errors(kind: ModelKind) -> Iterator[None]:
    try:
        yield
    except AppError:
        raise
    except Exception as error:
        _log.exception("The %s model could not be loaded.", kind)
        raise ModelError(f"The {kind} model could not be loaded.") from error
