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
from app.records import Model, Problem
from app.serving.admission.breadcrumb import QUARANTINE_AFTER, Breadcrumb
from app.serving.embedders import Embedders, MadeWith
from app.serving.opening import Opening
from app.serving.register import CLOSED, Register

if TYPE_CHECKING:
    from app.serving.admission.admission import Admission
    from app.serving.drafting import Drafting
    from app.serving.embedder import Embedder
    from app.serving.engine import Engine
    from app.serving.reranker import Reranker

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


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
        fallback_embedding: Path | None = None,
        library: MadeWith | None = None,
        reranking: Path | None = None,
        on_change: Callable[[Model], None],
        on_notice: Callable[[Problem], None],
    ) -> None:
        """Nothing is loaded before `start`.

        Args:
            chat: the file to answer with.
            embedding: the file to search with.
            context_length, gpu_layers, threads: as for `Engine`.
            admission: asked before a file is loaded; closed with this.
            breadcrumb: told which models are at work; closed with this.
            states, polite, drafting: as for `Engine`.
            rests_after: seconds without a question after which the chat model is freed; the next
                question loads it again. None: never.
            fallback_chat: the bundled file, used when `chat` cannot be loaded at the start. None
                where the user asked for `chat` just now: then it must work.
            fallback_embedding: the bundled file, used when `embedding` cannot be loaded; None: nothing is.
            library: the model that made the library's vectors; None: there are none yet.
            reranking: the file to put passages in order with; None: that is not done.
            on_change: called with each model that was loaded, unloaded or failed; on any thread.
            on_notice: called with what the user should read once; on any thread.
        """
        self._context_length, self._gpu_layers, self._threads = context_length, gpu_layers, threads
        self._admission, self._breadcrumb = admission, breadcrumb
        self._states, self._rests_after, self._polite = states, rests_after, polite
        self._drafting: Drafting = drafting
        self._chat_path, self._reranking_path = chat, reranking
        self._fallback_chat, self._asked = fallback_chat, fallback_chat is None
        self._replaceable = fallback_chat not in (None, chat)
        self._on_notice = on_notice
        self._told: set[Problem] = set()
        self._lock, self._choosing = threading.Lock(), threading.Lock()
        self._register = Register((chat, embedding, fallback_chat, fallback_embedding), on_change)
        self._register.expect(chat, "chat")
        self._register.expect(embedding, "embedding")
        if reranking is not None:
            self._register.expect(reranking, "reranking")
        self._opening = Opening(self._register, admission, breadcrumb, threads=threads, polite=polite)
        self._chat: Future[Engine] = Future()
        self._embedders = Embedders(
            self._opening,
            self._register,
            wanted=embedding,
            fallback=fallback_embedding,
            library=library,
            on_notice=on_notice,
        )
        self._reranker: Future[Reranker] = Future()
        self._leaving: WeakSet[Engine] = WeakSet()  # retired ones that may still answer
        self._threads_loading: list[threading.Thread] = []

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
        loading = [(self._embedders.load, "load-embedder"), (self._load_chat, "load-chat")]
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
        """The embedder to search with; waits while it is being loaded. Ask for it anew each time.

        Raises:
            ModelError: it could not be loaded (the message says why), or Carrel is closing.
        """
        return await self._embedders.current()

    async def wanted_embedder(self) -> "Embedder | None":
        """The embedder that the library is to be read with; waits while it is being loaded.

        It is the one of `embedder`, unless that is only kept until the other has read everything. None
        where it could not be loaded.
        """
        return await self._embedders.wanted()

    def embedders(self) -> "tuple[Embedder, ...]":
        """Those that are loaded: the one to search with, then the one that is to take its place."""
        return self._embedders.loaded()

    def embedder_file(self, embedder: "Embedder") -> Path | None:
        """Where the file of one of them lies; None: it came with the program, wherever that is."""
        return self._embedders.file(embedder)

    async def promote_embedder(self) -> None:
        """Search with the wanted embedder from now on, and free the one before it."""
        await asyncio.to_thread(self._embedders.promote)

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
        return self._register.describe()

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
            opened = (*self._register.close(), *self._leaving)
            waiting: list[Future[Engine] | Future[Reranker]] = [self._chat, self._reranker]
        # First: whatever does not end in time from here on was not ended by a model.
        self._breadcrumb.close()
        self._admission.close()
        for model in opened:
            model.close()
        for thread in self._threads_loading:
            thread.join()
        self._embedders.close()
        for future in waiting:
            if not future.done():
                future.set_exception(ModelError(CLOSED))

    # Loading threads.

    def _load_chat(self) -> None:
        waiting, path = self._chat, self._chat_path
        try:
            try:
                if self._replaceable:
                    self._breadcrumb.check(path, self._register.name(path))
                engine = self._open_engine(path, asked=self._asked)
            except AppError as error:
                if not self._replaceable or self._register.closed:
                    raise
                instead = "The model that comes with Carrel answers instead."
                self._on_notice(Problem(error.code, f"{error.message} {instead}"))
                path = self._fallback_chat or path
                engine = self._open_engine(path, asked=False)
        except AppError as error:
            self._failed(path, error, waiting)
        except Exception:
            _log.exception("The chat model could not be loaded.")
            self._failed(path, ModelError("The chat model could not be loaded."), waiting)
        else:
            if waiting is self._chat:  # else another was chosen meanwhile
                self._register.changed(engine.model)
            waiting.set_result(engine)

    def _load_again(self, before: "Future[Engine]", path: Path) -> None:
        """Begin to load the model that rests, unless somebody else has."""
        with self._lock:
            if self._register.closed:
                raise ModelError(CLOSED)
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
        self._register.changed(self._register.unloaded(path, "chat"))
        try:
            engine = self._open_engine(path, asked=False)
        except Exception as error:
            if not isinstance(error, AppError):
                _log.exception("The chat model could not be loaded again.")
                error = ModelError("The chat model could not be loaded again.")
            with self._lock:
                if self._chat is waiting:
                    self._chat = before  # the next question tries once more
            self._failed(path, error, waiting)
            return
        if waiting is self._chat:  # else another was chosen meanwhile
            self._register.changed(engine.model)
        waiting.set_result(engine)

    def _rested(self, engine: "Engine") -> None:
        self._register.let_go(engine)
        with self._lock:
            chat = self._chat
        if chat.done() and chat.exception() is None and chat.result() is engine:
            self._register.changed(
                dataclasses.replace(self._register.unloaded(engine.path, "chat"), resting=True)
            )

    def _load_reranker(self) -> None:
        from app.serving.reranker import Reranker  # noqa: PLC0415 - 0.3 s that the window must not wait for

        path, waiting = self._reranking_path, self._reranker
        assert path is not None
        try:
            admitted = self._opening.admit(path, "reranking")
            model = self._opening.open(Reranker, path, "reranking", admitted)
        except AppError as error:
            self._register.failed("reranking", path, error)
            waiting.set_exception(error)
        else:
            self._register.changed(model.model)
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
            self._register.changed(engine.model)
            before.add_done_callback(self._retire)
        finally:
            self._choosing.release()
        return engine.model

    def _retire(self, before: "Future[Engine]") -> None:
        if before.exception() is None:
            engine = before.result()
            engine.retire()
            with self._lock:
                self._register.let_go(engine)
                self._leaving.add(engine)

    def _open_engine(self, path: Path, *, asked: bool) -> "Engine":
        from app.serving.engine import Engine  # noqa: PLC0415 - 0.3 s that the window must not wait for

        name = self._register.name(path)
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
        self._register.keep(engine)
        for notice in (admitted.notice, engine.notice):
            # Waking from a rest, the model would say again what was read when it was first loaded.
            if notice is not None and (asked or notice not in self._told):
                self._told.add(notice)
                self._on_notice(notice)
        return engine

    def _failed(self, path: Path, error: AppError, waiting: "Future[Engine]") -> None:
        self._register.failed("chat", path, error)
        waiting.set_exception(error)


async def _wait(model: "Future[_T]") -> _T:
    # Shielded: one caller who gives up must not cancel the load for all.
    return await asyncio.shield(asyncio.wrap_future(model))
