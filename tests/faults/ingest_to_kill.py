"""A library that takes a folder in until it is killed; says on stdout what was acknowledged.

Run as: python ingest_to_kill.py PROFILE FOLDER. Lines: "open", "added ID" for each file, "done" once
every document of the library is ready or failed; then it ends.
"""

import asyncio
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.backend.documents.indexing import Indexer
from app.backend.documents.intake import Intake
from app.backend.documents.service import DocumentService
from app.backend.documents.viewing import PageViewer
from app.backend.feed import Feed
from app.backend.queue.service import QueueService
from app.backend.queue.worker import Worker
from app.cache.embeddings import EmbeddingCache
from app.database.connection import Database
from app.database.documents import Documents
from app.database.jobs import Jobs
from app.database.journal import Journal
from app.database.places import Places
from app.database.users import Users
from app.paths import Profile

_DIMENSION = 16


class LetterEmbedder:
    """Stands in for the model, whose speed would only make the kills fewer: what is tried is the storing."""

    sha256 = "e" * 64
    dimension = _DIMENSION
    max_tokens = 120

    def count(self, text: str) -> int:
        return len(text.split())

    def cut(self, text: str) -> str:
        return text

    async def embed(self, texts: Sequence[str], *, urgent: bool = False) -> NDArray[np.float32]:
        digests = [hashlib.sha256(text.encode()).digest()[:_DIMENSION] for text in texts]
        return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIMENSION).astype(np.float32) + 1


async def main(profile: Profile, folder: Path) -> None:
    profile.create()
    database = Database(profile.database)
    database.open()
    cache = EmbeddingCache(profile.embeddings)
    documents, feed, embedder = Documents(database), Feed(), LetterEmbedder()

    async def embedding() -> LetterEmbedder:
        return embedder

    queue = QueueService(Jobs(database))
    worker = Worker(queue, Indexer(documents, Journal(database), cache, embedding, feed), documents, feed)
    viewer = PageViewer()
    intake = Intake(
        Places(database),
        feed,
        wake=queue.wake,
        cancel=queue.cancel,
        forget=lambda: None,
        viewer=viewer,
    )
    service = DocumentService(
        documents,
        intake,
        feed,
        uploads=profile.uploads,
        wake=queue.wake,
        cancel=queue.cancel,
        forget=lambda: None,
        viewer=viewer,
    )
    user = Users(database).local()
    async with feed.subscribe() as changes:
        print("open", flush=True)
        await worker.start()
        for file in sorted(folder.iterdir()):
            (addition,) = await service.add_paths(user, [file])
            assert addition.document is not None, addition.problem
            print("added", addition.document.id, flush=True)
        while any(document.status not in ("ready", "failed") for document in documents.list(user)):
            await anext(changes)
    await worker.close()
    await service.close()
    cache.close()
    database.close()
    print("done", flush=True)


if __name__ == "__main__":
    asyncio.run(main(Profile(Path(sys.argv[1])), Path(sys.argv[2])))
