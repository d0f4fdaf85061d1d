"""A backend over the made-up documents, with the bundled models, in a folder of its own."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from app import paths
from app.backend import services
from app.backend.feed import Feed
from app.backend.services import Backend
from app.cache.embeddings import EmbeddingCache
from app.cache.sessions import Sessions
from app.database.connection import Database
from app.database.documents import Documents, NewPassage, PageText
from app.serving.admission.admission import Admission
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.admission.probe import Probe
from app.serving.catalogue import bundled
from app.serving.models import Models
from tests.evaluation.grounding.material import Page


@asynccontextmanager
async def desk(folder: Path, pages: Sequence[Page], **options: object) -> AsyncIterator[tuple[Backend, str]]:
    """The backend with every page of `pages` read, one passage each; and its user."""
    profile = paths.Profile(folder)
    profile.create()
    models = _models(folder)
    models.start()
    database = Database(profile.database)
    await asyncio.to_thread(database.open)
    embeddings, sessions = EmbeddingCache(profile.embeddings), Sessions(profile.sessions)
    backend = services.build(
        database=database,
        embeddings=embeddings,
        sessions=sessions,
        models=models,
        feed=Feed(),
        uploads=profile.uploads,
        profile=profile.root,
        version="0.0",
        **options,
    )
    user = await backend.accounts.local_user()
    embedder = await models.embedder()
    try:
        for name in dict.fromkeys(page.document for page in pages):
            texts = [page.text for page in pages if page.document == name]
            headings = [page.heading for page in pages if page.document == name]
            vectors = np.asarray(await embedder.embed(texts))
            _shelve(Documents(database), user, name, texts, headings, vectors, embedder.sha256)
        yield backend, user
    finally:
        await backend.close()
        sessions.close()
        embeddings.close()
        await asyncio.to_thread(database.close)
        await asyncio.to_thread(models.close)


def _shelve(documents, user, name, texts, headings, vectors, sha256):
    document, _ = documents.add(
        user,
        name=f"{name}.pdf",
        path=f"/somewhere/{name}.pdf",
        stored=None,
        content_hash=hashlib.sha256(name.encode()).hexdigest(),
        media_type="application/pdf",
        size=100,
        paged=True,
    )
    passages = [
        NewPassage(number, 0, len(text), heading, text, hashlib.sha256(text.encode()).hexdigest())
        for number, (text, heading) in enumerate(zip(texts, headings, strict=True), 1)
    ]
    pages = [PageText(number, text) for number, text in enumerate(texts, 1)]
    documents.complete(document.id, pages, passages, vectors, sha256)


def _models(folder: Path) -> Models:
    found = bundled(paths.resource("models"))
    return Models(
        found.chat.path,
        found.embedding.path,
        context_length=2048,
        gpu_layers=0,
        threads=0,
        admission=Admission(
            hashes=folder / "hashes.json",
            verdicts=folder / "verdicts.json",
            trusted=frozenset((found.chat.sha256, found.embedding.sha256)),
            on_notice=lambda problem: None,
            probe=Probe(),
        ),
        breadcrumb=Breadcrumb(folder / "at_work.json"),
        fallback_chat=None,
        on_change=lambda model: None,
        on_notice=lambda problem: None,
    )
