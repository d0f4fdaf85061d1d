"""A real library in a temporary folder, and a way to put documents into it."""

import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from app.database.connection import Database
from app.database.documents import Documents, NewPassage, PageText
from app.database.search import Search
from app.database.users import Users
from app.records import Document

DIMENSION = 8
EMBEDDER = "e" * 64


class Shelf:
    """Adds documents the way the worker does. Passages are the paragraphs of each page."""

    def __init__(self, documents: Documents, user: str) -> None:
        self.documents = documents
        self.user = user
        self._numbers = itertools.count(1)

    def add(self, name: str = "", user: str | None = None, path: str | None = None) -> Document:
        number = next(self._numbers)
        name = name or f"document {number}.txt"
        document, known = self.documents.add(
            user or self.user,
            name=name,
            path=path or f"/somewhere/{name}",
            stored=None,
            content_hash=f"{number:064x}",
            media_type="text/plain",
            size=100,
            paged=False,
        )
        assert not known
        return document

    def ready(
        self,
        *pages: str,
        vectors: np.ndarray | None = None,
        heading: str | None = None,
        user: str | None = None,
        embedder: str = EMBEDDER,
    ) -> Document:
        return self.complete(self.add(user=user), pages, vectors, heading, embedder)

    def complete(
        self,
        document: Document,
        pages: Sequence[str],
        vectors: np.ndarray | None = None,
        heading: str | None = None,
        embedder: str = EMBEDDER,
    ) -> Document:
        passages = [
            passage for number, text in enumerate(pages, 1) for passage in paragraphs(number, text, heading)
        ]
        if vectors is None:
            vectors = np.stack([vector_of(passage.text) for passage in passages])
        texts = [PageText(number, text) for number, text in enumerate(pages, 1)]
        return self.documents.complete(document.id, texts, passages, vectors, embedder)


def paragraphs(page: int, text: str, heading: str | None = None) -> list[NewPassage]:
    found = []
    start = 0
    for part in text.split("\n\n"):
        if part.strip():
            digest = hashlib.sha256(part.encode()).hexdigest()
            found.append(NewPassage(page, start, start + len(part), heading, part, digest))
        start += len(part) + 2
    return found


def vector_of(text: str, dimension: int = DIMENSION) -> np.ndarray:
    """A vector that depends on the text alone: what a model's is like, but for the meaning."""
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")
    vector = np.random.default_rng(seed).standard_normal(dimension).astype(np.float32)
    return vector / np.linalg.norm(vector)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "carrel.db")
    opened.open()
    yield opened
    opened.close()


@pytest.fixture
def user(database: Database) -> str:
    return Users(database).local()


@pytest.fixture
def another_user(database: Database, user: str) -> str:
    row = {"id": "another", "name": "another", "created_at": 2e9}
    database.write(lambda db: db["users"].insert(row) and None)
    return "another"


@pytest.fixture
def documents(database: Database) -> Documents:
    return Documents(database)


@pytest.fixture
def search(database: Database) -> Search:
    return Search(database)


@pytest.fixture
def shelf(documents: Documents, user: str) -> Shelf:
    return Shelf(documents, user)


@pytest.fixture
def meaning():
    """The vector that the shelf gives a text."""
    return vector_of
