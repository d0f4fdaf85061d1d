"""A gateway over a real backend: real storage, a real queue; models only where a test asks for them."""

import asyncio
import dataclasses
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest

from app.backend import services
from app.backend.feed import Feed
from app.backend.services import Backend
from app.cache.embeddings import EmbeddingCache
from app.cache.sessions import Sessions
from app.client.client import Client
from app.client.transport import InProcessTransport, local_socket_transport
from app.database.connection import Database
from app.events import ModelChanged
from app.gateway.limits import Limits
from app.gateway.server import Server
from app.paths import Profile
from app.serving import catalogue
from app.serving.admission.admission import Admission
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.admission.probe import Probe
from app.serving.models import Models

Result = TypeVar("Result")
PATIENCE = 60.0  # seconds; the machine may be busy


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Site:
    """A running gateway, and the ways to it. `client` is in process."""

    server: Server
    backend: Backend
    profile: Profile
    client: Client

    def do(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine on the gateway's loop."""
        return self.server.submit(work).result(PATIENCE)

    @cached_property
    def token(self) -> str:
        return self.do(self.client.new_session()).token

    @cached_property
    def address(self) -> str:
        return self.server.listen(0)

    @cached_property
    def tcp(self) -> httpx2.Client:
        """Plain HTTP over the port, with a token."""
        headers = {"authorization": f"Bearer {self.token}"}
        return httpx2.Client(base_url=self.address, headers=headers, trust_env=False, timeout=PATIENCE)

    @cached_property
    def stranger(self) -> httpx2.Client:
        """Plain HTTP over the port, without a token."""
        return httpx2.Client(base_url=self.address, trust_env=False, timeout=PATIENCE)

    @cached_property
    def local(self) -> Client:
        """The typed client over the local socket."""
        self.server.listen_local(self.profile.socket)
        return Client(local_socket_transport(self.profile.socket))

    def close(self) -> None:
        for name in ("tcp", "stranger"):
            if name in vars(self):
                getattr(self, name).close()
        if self.server.loop.is_closed():
            return
        for client in [self.client, *([self.local] if "local" in vars(self) else [])]:
            self.do(client.close())
        self.server.close()


@contextmanager
def opened(
    profile: Profile,
    models_folder: Path | None = None,
    *,
    limits: Limits | None = None,
    change: Callable[[Backend], Backend] = lambda backend: backend,
) -> Iterator[Site]:
    """A site on `profile`. Without `models_folder` both models are missing, as after a bad install."""
    feed = Feed()
    with ExitStack() as stack:
        profile.create()
        if models_folder is not None:
            bundled = catalogue.bundled(models_folder)
            chat, embedding = bundled.chat.path, bundled.embedding.path
            trusted = frozenset((bundled.chat.sha256, bundled.embedding.sha256))
        else:
            chat, embedding = profile.models / "chat.gguf", profile.models / "embedding.gguf"
            trusted = frozenset()
        models = Models(
            chat,
            embedding,
            context_length=0,
            gpu_layers=0,
            threads=0,
            admission=Admission(
                hashes=profile.hashes,
                verdicts=profile.verdicts,
                trusted=trusted,
                on_notice=lambda problem: None,
                probe=Probe(),
            ),
            breadcrumb=Breadcrumb(profile.breadcrumb),
            fallback_chat=None,
            on_change=lambda model: feed.publish(ModelChanged(model)),
            on_notice=lambda problem: None,
        )
        database = Database(profile.database)
        database.open()
        stack.callback(database.close)
        models.start()
        stack.callback(models.close)
        embeddings, sessions = EmbeddingCache(profile.embeddings), Sessions(profile.sessions)
        stack.callback(embeddings.close)
        stack.callback(sessions.close)
        backend = change(
            services.build(
                database=database,
                embeddings=embeddings,
                sessions=sessions,
                models=models,
                feed=feed,
                uploads=profile.uploads,
                profile=profile.root,
                version="0.0.0",
                answer_tokens=60,
                answer_style="write",
            )
        )
        server = Server(lambda: backend, limits=limits)
        server.start().result(PATIENCE)
        site = Site(server, backend, profile, Client(InProcessTransport(server.in_process)))
        try:
            yield site
        finally:
            site.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway that the tests of one module share; without models."""
    with opened(Profile(tmp_path_factory.mktemp("profile"))) as running:
        yield running


@pytest.fixture
def open_site(tmp_path: Path) -> Iterator[Callable[..., Site]]:
    """Opens a gateway of the test's own; `limits`, and parts of the backend by name."""
    with ExitStack() as stack:

        def open_it(*, limits: Limits | None = None, **parts: object) -> Site:
            profile = Profile(tmp_path / "profile")
            return stack.enter_context(
                opened(profile, limits=limits, change=lambda backend: dataclasses.replace(backend, **parts))
            )

        yield open_it


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory, bundled_models: Path, sample: Any) -> Iterator[Site]:
    """A gateway with the bundled models that has read the sample document."""
    with opened(Profile(tmp_path_factory.mktemp("profile")), bundled_models) as running:
        running.do(_read(running, sample.document))
        yield running


async def _read(site: Site, document: Path) -> None:
    async with site.backend.feed.subscribe() as changes:
        (addition,) = await site.client.add_paths([str(document)])
        assert addition.document is not None
        while (await site.client.document(addition.document.id)).status != "ready":
            await anext(changes)


@pytest.fixture
def answer(site):
    """An answer in the store; the site has no models, so it is put there as Answering does."""
    conversations, messages = site.backend.ask._conversations, site.backend.ask._messages

    async def store():
        user = await site.backend.accounts.local_user()
        made = await asyncio.to_thread(conversations.create, user, "The rent")
        question = await asyncio.to_thread(messages.add_question, user, made.id, "How much?")
        started = await asyncio.to_thread(messages.start_answer, user, made.id, parent_id=question.id)
        return await asyncio.to_thread(messages.finish, started.id, state="complete", text="900 euros.")

    return site.do(store())
