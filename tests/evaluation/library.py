"""A library of texts, indexed by the program's own parts and searched by its own retriever.

Only the parsing child is left out: 1,400 of them take longer than everything else, and these texts
need no parser. Vectors are kept beside the database, so a library is embedded once.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app import paths
from app.backend.ask.ranking import Ranking
from app.backend.ask.retrieval import Retriever
from app.backend.documents.chunking import chunks, embedding_text
from app.backend.documents.parsing.messages import Heading, ReadPage
from app.backend.evaluation.shelf import vectors_of
from app.cache.embeddings import EmbeddingCache
from app.database.connection import Database
from app.database.documents import Documents, PageText
from app.database.search import Search
from app.database.users import Users
from app.serving.catalogue import bundled
from app.serving.embedder import Embedder

_YEAR_S = 365 * 86_400


@dataclass(frozen=True, slots=True)
class Text:
    """A document: its name and its pages, each with its headings."""

    name: str
    pages: tuple[ReadPage, ...]


def plain(name: str, text: str, title: str | None = None) -> Text:
    """A document of one page; `title` is a heading that stands at its beginning."""
    headings = (Heading(0, 1, title),) if title else ()
    return Text(name, (ReadPage(1, text, headings),))


class OneModel:
    """Of the models, the embedder alone."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    async def embedder(self) -> Embedder:
        return self._embedder

    async def reranker(self) -> None:
        return None


@dataclass(frozen=True, slots=True)
class Library:
    """An indexed library, open."""

    user: str
    search: Search
    documents: Documents
    embedder: Embedder
    cache: EmbeddingCache

    def retriever(self, ranking: Ranking | None = None) -> Retriever:
        """The program's own retriever over this library."""
        return Retriever(self.search, self.cache, OneModel(self.embedder), ranking)

    async def add(self, text: Text) -> None:
        """Index one document, as `Indexer` does once it has been read."""
        content = "\f".join(page.text for page in text.pages).encode()
        digest = hashlib.sha256(text.name.encode() + b"\0" + content).hexdigest()
        document, known = self.documents.add(
            self.user,
            name=text.name,
            path=text.name,
            stored=None,
            content_hash=digest,
            media_type="text/plain",
            size=len(content),
            paged=len(text.pages) > 1,
        )
        if known and document.status == "ready":
            return
        found = chunks(text.pages, self.embedder.count, self.embedder.max_tokens)
        vectors = await vectors_of(self.embedder, self.cache, [embedding_text(passage) for passage in found])
        pages = [PageText(page.number, page.text) for page in text.pages]
        self.documents.complete(document.id, pages, found, vectors, self.embedder.sha256)


@contextmanager
def opened(folder: Path) -> Iterator[Library]:
    """The library kept in `folder`, with the bundled embedder; begun where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    model = bundled(paths.resource("models")).embedding
    embedder = Embedder(model.path, sha256=model.sha256)
    embedder.load()
    cache = EmbeddingCache(folder / "vectors", lifetime=_YEAR_S)
    database = Database(folder / "library.sqlite")
    try:
        database.open()
        yield Library(
            user=Users(database).local(),
            search=Search(database),
            documents=Documents(database),
            embedder=embedder,
            cache=cache,
        )
    finally:
        database.close()
        cache.close()
        embedder.close()


async def fill(library: Library, texts: Iterable[Text]) -> None:
    """Index what the library does not hold yet."""
    for text in texts:
        await library.add(text)
