"""The models at work: loaded in the background, described, and swapped.

Cheap to import: llama.cpp and numpy come in on the threads that load.
"""

import asyncio
import dataclasses
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakSet

from app.errors import AppError, ModelError
from app.records import Model, ModelKind, Problem
from app.serving import catalogue
from app.serving.admission.breadcrumb import QUARANTINE_AFTER, Breadcrumb

if TYPE_CHECKING:
    from app.serving.admission.admission import Admission
    from app.serving.drafting import Drafting
    from app.serving.embedder import Embedder
    from app.serving.engine import Engine
    from app.serving.reranker import Reranker

_log = logging.getLogger(__name__)
_CLOSED = "Carrel is closing."
_T = TypeVar("_T")
_Pooled = TypeVar("_Pooled", "Embedder", "Reranker")


class Models:
    """One chat model, one embedding model, and a reranking model if there is one. Thread-safe."""

    def __init__(
        self,
        chat: Path,
        embedding: Path,
        *,
        context_length: int,
        gpu_layers: int,
        threads: int,
        admission: "Admission",
        breadcrumb: Breadcrumb,
        states: Path | None = None,
        rests_after: float | None = None,
        polite: bool = False,
        drafting: "Drafting" = "automatic",
        fallback_chat: Path | None,
        reranking: Path | None = None,
        on_change: Callable[[Model], None],
        on_notice: Callable[[Problem], None],
    ) -> None:
        """Nothing is loaded before `start`.

        Args:
            chat: the file to answer with.
            context_length, gpu_layers, threads: as for `Engine`.
            admission: asked before a file is loaded; closed with this.
            breadcrumb: told which models are at work; closed with this.
            states, polite, drafting: as for `Engine`.
            rests_after: seconds without a question after which the chat model is freed; the next
                question loads it again. None: never.
            fallback_chat: the bundled file, used when `chat` cannot be loaded at the start. None
                where the user asked for `chat` just now: then it must work.
            reranking: the file to put passages in order with; None: that is not done.
            on_change: called with each model that was loaded, unloaded or failed; on any thread.
            on_notice: called with what the user should read once; on any thread.
        """
        self._context_length, self._gpu_layers, self._threads = context_length, gpu_layers, threads
        self._admission, self._breadcrumb = admission, breadcrumb
        self._states, self._rests_after, self._polite = states, rests_after, polite
        self._drafting: Drafting = drafting
        self._chat_path, self._embedding_path, self._reranking_path = chat, embedding, reranking
        self._fallback_chat, self._asked = fallback_chat, fallback_chat is None
        self._replaceable = fallback_chat not in (None, chat)
        self._on_change, self._on_notice = on_change, on_notice
        self._told: set[Problem] = set()
        self._names = _names(chat, embedding, fallback_chat)
        self._lock, self._choosing = threading.Lock(), threading.Lock()
        self._chat: Future[Engine] = Future()
        self._embedder: Future[Embedder] = Future()
        self._reranker: Future[Reranker] = Future()
        self._records: dict[ModelKind, Model] = {
            "chat": self._unloaded(chat, "chat"),
            "embedding": self._unloaded(embedding, "embedding"),
        }
        if reranking is not None:
            self._records["reranking"] = self._unloaded(reranking, "reranking")
        self._open: list[Engine | Embedder | Reranker] = []
        self._leaving: WeakSet[Engine] = WeakSet()  # retired ones that may still answer
        self._threads_loading: list[threading.Thread] = []
        self._closed = False

    def start(self) -> None:
        """Begin to load both models, each on a thread of its own. Returns at once.

        Where the process before this one ended while a model was at work, the user is told.
        """
        left = self._breadcrumb.pick_up()
        if self._asked:
            self._breadcrumb.trust(self._chat_path)
        for one in left:
            # Of one that is not loaded any more, the loading thread tells more.
            if one.times < QUARANTINE_AFTER or one.path != self._chat_path or not self._replaceable:
                self._on_notice(one.notice)
        loading = [(self._load_embedder, "load-embedder"), (self._load_chat, "load-chat")]
        if self._reranking_path is not None:
            loading.append((self._load_reranker, "load-reranker"))
        for target, name in loading:
            # No daemons: the interpreter must not go while they are inside native code.
            thread = threading.Thread(target=target, name=name)
            self._threads_loading.append(thread)
            thread.start()

    async def chat(self) -> "Engine":
        """The engine to answer with; waits while it is being loaded. Ask for it anew each time.

        Raises:
            ModelError: it could not be loaded (the message says why), or Carrel is closing.
        """
        while True:
            waiting = self._chat
            engine = await _wait(waiting)
            if engine.touch() or not engine.rests:
                return engine
            self._load_again(waiting, engine.path)

    async def embedder(self) -> "Embedder":
        """The embedder; waits while it is being loaded.

        Raises:
            ModelError: it could not be loaded (the message says why), or Carrel is closing.
        """
        return await _wait(self._embedder)

    async def reranker(self) -> "Reranker | None":
        """The reranker, if there is one that works; waits while it is being loaded."""
        if self._reranking_path is None:
            return None
        try:
            return await _wait(self._reranker)
        except ModelError:  # told when it happened, and in what describes it
            return None

    def describe(self) -> tuple[Model, ...]:
        """All models as they are now, the chat model first, then the embedding model."""
        with self._lock:
            return tuple(self._records.values())

    async def choose_chat(self, path: Path) -> Model:
        """Load another chat model and answer with it from now on.

        The old one stays until the new one is ready, finishes the answers it has begun, and is
        freed then.

        Raises:
            ModelError: the new one cannot be loaded (the kinds of it say why), another choice is
                being loaded, or Carrel is closing; the old one stays.
        """
        return await asyncio.to_thread(self._choose_chat, path)

    def forget(self) -> None:
        """Forget what was read for answers: in memory, and on disk for every model."""

        def tell(chat: "Future[Engine]") -> None:
            told = chat.exception() is None and chat.result().forget()
            if not told and self._states is not None:
                from app.serving import states  # noqa: PLC0415 - numpy comes in on threads that load

                states.clear(self._states)

        with self._lock:
            chat, leaving = self._chat, tuple(self._leaving)
        for engine in leaving:
            engine.forget()
        chat.add_done_callback(tell)

    def close(self) -> None:
        """Free all models; running answers end as cancelled. Idempotent; waits for loads to end."""
        with self._lock:
            self._closed = True
            waiting: list[Future[Engine] | Future[Embedder] | Future[Reranker]]
            waiting = [self._chat, self._embedder, self._reranker]
            opened, self._open = [*self._open, *self._leaving], []
        # First: whatever does not end in time from here on was not ended by a model.
        self._breadcrumb.close()
        self._admission.close()
        for model in opened:
            model.close()
        for thread in self._threads_loading:
            thread.join()
        for future in waiting:
            if not future.done():
                future.set_exception(ModelError(_CLOSED))

    # Loading threads.

    def _load_chat(self) -> None:
        waiting, path = self._chat, self._chat_path
        try:
            try:
                if self._replaceable:
                    self._breadcrumb.check(path, self._name(path))
                engine = self._open_engine(path, asked=self._asked)
            except AppError as error:
                if not self._replaceable or self._closed:
                    raise
                instead = "The model that comes with Carrel answers instead."
                self._on_notice(Problem(error.code, f"{error.message} {instead}"))
                path = self._fallback_chat or path
                engine = self._open_engine(path, asked=False)
        except AppError as error:
            self._failed("chat", path, error, waiting)
        except Exception:
            _log.exception("The chat model could not be loaded.")
            self._failed("chat", path, ModelError("The chat model could not be loaded."), waiting)
        else:
            if waiting is self._chat:  # else another was chosen meanwhile
                self._changed(engine.model)
            waiting.set_result(engine)

    def _load_again(self, before: "Future[Engine]", path: Path) -> None:
        """Begin to load the model that rests, unless somebody else has."""
        with self._lock:
            if self._closed:
                raise ModelError(_CLOSED)
            if self._chat is not before:
                return
            waiting: Future[Engine] = Future()
            self._chat = waiting
            loading = threading.Thread(
                target=self._load_rested, args=(path, before, waiting), name="load-chat"
            )
            self._threads_loading.append(loading)
        loading.start()

    def _load_rested(self, path: Path, before: "Future[Engine]", waiting: "Future[Engine]") -> None:
        self._changed(self._unloaded(path, "chat"))
        try:
            engine = self._open_engine(path, asked=False)
        except Exception as error:
            if not isinstance(error, AppError):
                _log.exception("The chat model could not be loaded again.")
                error = ModelError("The chat model could not be loaded again.")
            with self._lock:
                if self._chat is waiting:
                    self._chat = before  # the next question tries once more
            self._failed("chat", path, error, waiting)
            return
        if waiting is self._chat:  # else another was chosen meanwhile
            self._changed(engine.model)
        waiting.set_result(engine)

    def _rested(self, engine: "Engine") -> None:
        with self._lock:
            self._open = [model for model in self._open if model is not engine]
            chat = self._chat
        if chat.done() and chat.exception() is None and chat.result() is engine:
            self._changed(dataclasses.replace(self._unloaded(engine.path, "chat"), resting=True))

    def _load_embedder(self) -> None:
        from app.serving.embedder import Embedder  # noqa: PLC0415 - 0.3 s that the window must not wait for

        self._load_pooled(Embedder, self._embedding_path, "embedding", self._embedder)

    def _load_reranker(self) -> None:
        from app.serving.reranker import Reranker  # noqa: PLC0415 - 0.3 s that the window must not wait for

        assert self._reranking_path is not None
        self._load_pooled(Reranker, self._reranking_path, "reranking", self._reranker)

    def _load_pooled(
        self, make: "Callable[..., _Pooled]", path: Path, kind: ModelKind, waiting: "Future[_Pooled]"
    ) -> None:
        name = self._name(path)
        try:
            admitted = self._admission.admit(path, kind, gpu_layers=0, asked=False)
            model = make(path, threads=self._threads, sha256=admitted.sha256, name=name, polite=self._polite)
            with self._breadcrumb.mark(path, name, "loading", admitted.device):
                model.load()
            self._keep(model)
        except AppError as error:
            self._failed(kind, path, error, waiting)
        except Exception:
            _log.exception("The %s model could not be loaded.", kind)
            self._failed(kind, path, ModelError(f"The {kind} model could not be loaded."), waiting)
        else:
            self._changed(model.model)
            waiting.set_result(model)

    def _choose_chat(self, path: Path) -> Model:
        if not self._choosing.acquire(blocking=False):
            raise ModelError("Another model is being loaded; wait for it.")
        try:
            self._breadcrumb.trust(path)
            engine = self._open_engine(path, asked=True)
            with self._lock:
                before, self._chat = self._chat, Future()
                self._chat.set_result(engine)
            self._changed(engine.model)
            before.add_done_callback(self._retire)
        finally:
            self._choosing.release()
        return engine.model

    def _retire(self, before: "Future[Engine]") -> None:
        if before.exception() is None:
            engine = before.result()
            engine.retire()
            with self._lock:
                self._open = [model for model in self._open if model is not engine]
                self._leaving.add(engine)

    def _open_engine(self, path: Path, *, asked: bool) -> "Engine":
        from app.serving.engine import Engine  # noqa: PLC0415 - 0.3 s that the window must not wait for

        name = self._name(path)
        admitted = self._admission.admit(path, "chat", gpu_layers=self._gpu_layers, asked=asked)
        engine = Engine(
            path,
            context_length=self._context_length,
            gpu_layers=admitted.gpu_layers,
            threads=self._threads,
            states=self._states,
            sha256=admitted.sha256,
            name=name,
            at_work=self._breadcrumb.mark(path, name, "answering", admitted.device).show,
            rests_after=self._rests_after,
            on_rest=lambda: self._rested(engine),
            polite=self._polite,
            drafting=self._drafting,
        )
        with self._breadcrumb.mark(path, name, "loading", admitted.device):
            engine.load()
        self._keep(engine)
        for notice in (admitted.notice, engine.notice):
            # Waking from a rest, the model would say again what was read when it was first loaded.
            if notice is not None and (asked or notice not in self._told):
                self._told.add(notice)
                self._on_notice(notice)
        return engine

    def _keep(self, model: "Engine | Embedder | Reranker") -> None:
        with self._lock:
            if not self._closed:
                self._open.append(model)
                return
        model.close()
        raise ModelError(_CLOSED)

    def _failed(self, kind: ModelKind, path: Path, error: AppError, waiting: "Future[_T]") -> None:
        self._changed(dataclasses.replace(self._unloaded(path, kind), problem=error.problem))
        waiting.set_exception(error)

    def _changed(self, record: Model) -> None:
        with self._lock:
            self._records[record.kind] = record
            closed = self._closed
        if not closed:
            try:
                self._on_change(record)
            except Exception:  # whoever listens must not keep others waiting for the model
                _log.exception("A change of the models could not be reported.")

    def _name(self, path: Path) -> str:
        return self._names.get(path, path.stem)

    def _unloaded(self, path: Path, kind: ModelKind) -> Model:
        return Model(
            name=self._name(path),
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


async def _wait(model: "Future[_T]") -> _T:
    # Shielded: one caller who gives up must not cancel the load for all.
    return await asyncio.shield(asyncio.wrap_future(model))


def _names(*paths: Path | None) -> dict[Path, str]:
    """The catalogue's names of bundled files among `paths`."""
    names: dict[Path, str] = {}
    for folder in {path.parent for path in paths if path is not None}:
        try:
            bundled = catalogue.bundled(folder)
        except AppError:
            continue
        names.update({file.path: file.name for file in (bundled.chat, bundled.embedding)})
    return names
