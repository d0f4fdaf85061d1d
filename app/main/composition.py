"""Everything behind the gateway, built once and closed in reverse.

Importing this takes a while: it happens on the gateway's thread.
"""

import contextlib
import logging
import threading
from pathlib import Path
from typing import cast

import app
from app import paths
from app.backend import services
from app.backend.feed import Feed
from app.backend.services import Backend
from app.cache.embeddings import EmbeddingCache
from app.cache.notes import NoteCache
from app.cache.sessions import Sessions
from app.database.connection import Database
from app.database.renewals import Renewals
from app.events import ModelChanged, Notice
from app.paths import Profile
from app.records import Model, Problem, Style
from app.serving import catalogue, hardware
from app.serving.admission.admission import Admission
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.admission.probe import Probe
from app.serving.catalogue import Bundled
from app.serving.embedders import MadeWith
from app.serving.models import Models
from app.settings import Settings

_log = logging.getLogger(__name__)

_MODELS_CLOSE_WITHIN_S = 4.0
# Read at the same time: a child a core, as far as memory goes (100 MB each; up to 1 GB for OCR); and two
# at least, so that a note need not wait for a book.
_FEWEST_FILES, _MOST_FILES = 2, 6


class Composition:
    """The open parts of one profile. `build` and `close` are called once each, in this order."""

    def __init__(
        self, profile: Profile, settings: Settings, model: Path | None, *, polite: bool = False
    ) -> None:
        """`polite`: there is a window, which the model at work must not make stutter."""
        self._profile = profile
        self._polite = polite
        self._settings = settings
        self._model = model
        self._feed = Feed()
        self._open = contextlib.ExitStack()

    def build(self) -> Backend:
        """Open the database and the caches, begin to load the models, and build the backend.

        Raises:
            ModelFileError: the models that come with the program are not there.
            StorageError: the database cannot be opened, or is damaged or newer than this program.
        """
        bundled = catalogue.bundled(paths.resource("models"))
        database = Database(self._profile.database)
        database.open()
        try:
            library = _made_with(Renewals(database), bundled)
        except BaseException:
            database.close()
            raise
        models = self._models(bundled, library)
        # The database's fate is known: only now is it worth the memory to load models.
        models.start()
        # Last to be closed, as it may take a while: a load that has begun cannot be broken off.
        self._open.callback(_close_in_time, models)
        self._open.callback(database.close)
        embeddings = EmbeddingCache(self._profile.embeddings)
        self._open.callback(embeddings.close)
        notes = NoteCache(self._profile.notes)
        self._open.callback(notes.close)
        sessions = Sessions(self._profile.sessions)
        self._open.callback(sessions.close)
        return services.build(
            database=database,
            embeddings=embeddings,
            notes=notes,
            sessions=sessions,
            models=models,
            feed=self._feed,
            uploads=self._profile.uploads,
            profile=self._profile.root,
            version=app.__version__,
            answer_tokens=self._settings.number("answer_tokens"),
            temperature=self._settings.fraction("temperature"),
            answer_style=cast(Style, self._settings.text("answer_style")),
            files_at_once=min(max(_FEWEST_FILES, hardware.cores()), _MOST_FILES),
            aptitudes=self._profile.aptitudes,
        )

    def close(self) -> None:
        """Close what was opened, the last first; one part that fails does not keep the others open."""
        try:
            self._open.close()
        except Exception:
            _log.exception("a part did not close cleanly")

    def _models(self, bundled: Bundled, library: MadeWith | None) -> Models:
        """The bundled models; the user's own, where one was given or set.

        One that was given for this run must work: only for the one of the settings, which may be
        an old choice, does the bundled one step in.
        """
        kept, reranker = self._settings.text("chat_model"), self._settings.text("reranker")
        embedder = self._settings.text("embedder")
        chosen = self._model or (Path(kept).expanduser() if kept else bundled.chat.path)
        return Models(
            chosen,
            Path(embedder).expanduser() if embedder else bundled.embedding.path,
            context_length=self._settings.number("context_length"),
            gpu_layers=self._settings.number("gpu_layers"),
            threads=self._settings.number("threads"),
            admission=Admission(
                hashes=self._profile.hashes,
                verdicts=self._profile.verdicts,
                trusted=frozenset((bundled.chat.sha256, bundled.embedding.sha256)),
                on_notice=self._noticed,
                probe=Probe(threads=self._settings.number("threads")),
            ),
            breadcrumb=Breadcrumb(self._profile.breadcrumb),
            states=self._profile.states if self._settings.flag("keep_read") else None,
            rests_after=self._settings.number("rest_after") * 60.0 or None,
            polite=self._polite,
            drafting="off" if self._settings.text("drafting") == "off" else "automatic",
            fallback_chat=None if self._model else bundled.chat.path,
            fallback_embedding=bundled.embedding.path,
            library=library,
            reranking=Path(reranker).expanduser() if reranker else None,
            on_change=self._changed,
            on_notice=self._noticed,
        )

    def _changed(self, model: Model) -> None:
        self._feed.publish(ModelChanged(model))

    def _noticed(self, problem: Problem) -> None:
        _log.warning("%s", problem.message, extra={"code": problem.code})
        self._feed.publish(Notice(problem))


def _made_with(renewals: Renewals, bundled: Bundled) -> MadeWith | None:
    """The model that made the vectors of the library, or most of them."""
    makers = renewals.makers()
    if not makers:
        return None
    return MadeWith(makers[0].file or bundled.embedding.path, makers[0].sha256)


def _close_in_time(models: Models) -> None:
    """Free the models; one that is still being loaded is left to the end of the process."""
    closing = threading.Thread(target=models.close, name="closing-models", daemon=True)
    closing.start()
    closing.join(_MODELS_CLOSE_WITHIN_S)
    if closing.is_alive():
        _log.warning("a model was still being loaded when the program closed")
