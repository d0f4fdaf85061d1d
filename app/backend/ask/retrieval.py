"""Finds the passages for a question: by words and by meaning at the same time, ordered by `ranking`.

How good that is, is measured by tests/evaluation.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.backend.ask.candidates import Candidate, fair, joined, without_repeats
from app.backend.ask.followup import elliptic
from app.backend.ask.ranking import Ranking, combined, with_feedback
from app.backend.ask.scope import Scope, scope
from app.cache.embeddings import EmbeddingCache
from app.database.search import Search
from app.errors import ModelError
from app.filters import EVERYTHING, Filter
from app.records import Passage
from app.serving.embedder import Embedder
from app.serving.models import Models

Vector = NDArray[np.float32]

# How deep each search goes.
_DEPTH = 200
# A reranking model reads each passage with the question: only so many, as it takes its time.
_RERANKED = 20
# Below this cosine a passage has nothing to do with the question (all-MiniLM-L6-v2: unrelated
# texts stay under 0.15, see tests/backend/ask/test_retrieval.py).
_LEAST_COSINE = 0.2
# What a passage of a document that the question names in passing is ahead by.
_LIKELY = 0.3
# A question longer than the embedder reads is embedded in pieces, at most so many.
_MOST_PIECES = 8


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What was found for a question, best first, out of `found` passages; and how long it took.

    `unmet` is what the question limits itself to and no document has ("page 99", "spreadsheets"); `asked`
    is the question without the limits that are met, and `limited` all that held. `vector` is the
    question's, by the model with the SHA-256 `embedder`; None without one. `further` are the best of
    those that are no sources, where they were asked for.
    """

    candidates: tuple[Candidate, ...]
    found: int
    embed_ms: float
    search_ms: float
    vector: Vector | None
    unmet: tuple[str, ...] = ()
    embedder: str | None = None
    further: tuple[Candidate, ...] = ()
    asked: str = ""
    limited: Filter = EVERYTHING


NOTHING = Retrieval((), found=0, embed_ms=0.0, search_ms=0.0, vector=None)


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What queries are near to: for each the cosines of passages; `embedder`: the model's SHA-256."""

    vectors: Sequence[Vector] = ()
    near: Sequence[dict[int, float]] = ()
    embedder: str | None = None
    embedded_at: float = 0.0  # perf_counter


class Retriever:
    """Searches the passages of one profile."""

    def __init__(
        self, search: Search, cache: EmbeddingCache, models: Models, ranking: Ranking | None = None
    ) -> None:
        self._ranking = ranking or Ranking()
        self._search = search
        self._cache = cache
        self._models = models
        self._log = logging.getLogger(__name__)

    async def find(
        self,
        user_id: str,
        question: str,
        *,
        k: int,
        beyond: int = 0,
        limited: Filter = EVERYTHING,
        earlier: str | None = None,
    ) -> Retrieval:
        """The best `k` passages for a question. Without an embedding model, by words alone.

        Args:
            beyond: how many of those that come after them are wanted, too.
            earlier: the question before, where this one leans on it: then both are searched for,
                and what fits this one as well comes first.

        Raises:
            StorageError: the database cannot be read.
        """
        begun = time.perf_counter()
        where = await asyncio.to_thread(scope, self._search, user_id, question, limited)
        queries = _queries(where.text, earlier)
        by_words = asyncio.gather(
            *(asyncio.to_thread(self._worded, user_id, query, where) for query in queries)
        )
        try:
            meaning = await self._by_meaning(user_id, queries, where)
            worded = await by_words
        finally:
            by_words.cancel()
        first = _mean_scores(
            [
                combined(words, near, self._ranking)
                for words, near in zip(worded, meaning.near or [{}] * len(worded), strict=True)
            ]
        )
        pool = first[: max(k, self._ranking.pool)]
        direction = _mean(meaning.vectors)
        ordered = await asyncio.to_thread(
            self._second_round, " ".join(queries), direction, pool, meaning.embedder, where
        )
        ordered = await self._reranked(question, ordered)
        cosines = {number: cosine for scores in reversed(meaning.near) for number, cosine in scores.items()}
        found = [Candidate(passage, score, cosines.get(passage.id, 0.0)) for passage, score in ordered]
        kept = without_repeats(found)
        sources = fair(kept, k, where.likely.union(where.limited.documents))
        taken = {candidate.passage.id for candidate in sources}
        further = [candidate for candidate in kept if candidate.passage.id not in taken]
        return Retrieval(
            candidates=tuple(joined(sources)),
            further=tuple(joined(further[:beyond])),
            found=len(first),
            embed_ms=(meaning.embedded_at - begun) * 1000,
            search_ms=(time.perf_counter() - meaning.embedded_at) * 1000,
            vector=direction,
            unmet=where.unmet,
            asked=where.asked,
            limited=where.limited,
            embedder=meaning.embedder,
        )

    def _worded(self, user_id: str, query: str, where: Scope) -> dict[int, float]:
        """BM25 of the passages that hold its words; all that a named place has are there."""
        scores = dict.fromkeys(where.passages or (), 0.0)
        for limited in where.limits():
            hits = self._search.full_text(
                user_id,
                query,
                _DEPTH,
                limited,
                spellings=where.spellings,
                among=where.passages,
            )
            scores |= {hit.passage_id: hit.score for hit in hits}
        return scores

    def _near(self, user_id: str, vector: Vector, where: Scope, sha256: str | None) -> dict[int, float]:
        """The cosine of the passages that have to do with it; of all that a named place has."""
        least = _LEAST_COSINE if where.passages is None else 0.0
        scores: dict[int, float] = {}
        for limited in where.limits():
            hits = self._search.nearest(
                user_id,
                vector,
                _DEPTH,
                limited,
                embedder=sha256,
                among=where.passages,
            )
            scores |= {hit.passage_id: hit.score for hit in hits if hit.score >= least}
        return scores

    async def _by_meaning(self, user_id: str, queries: Sequence[str], where: Scope) -> _Meaning:
        """What is near to the queries; nothing where there is no embedding model.

        Another model may take over at any moment: its vectors are there in one instant, it is the one
        to search with in the next. A question that falls between is searched for with the other.
        """
        try:
            embedder = await self._models.embedder()
        except ModelError as error:
            self._log.warning("searching by words alone", extra={"code": error.code})
            return _Meaning(embedded_at=time.perf_counter())
        meaning = await self._meaning(embedder, user_id, queries, where)
        if any(meaning.near):
            return meaning
        others = [other for other in self._models.embedders() if other.sha256 != embedder.sha256]
        if others:
            makers = await asyncio.to_thread(self._search.makers)
            for other in others:
                if other.sha256 in makers:
                    return await self._meaning(other, user_id, queries, where)
        return meaning

    async def _meaning(
        self,
        embedder: Embedder,
        user_id: str,
        queries: Sequence[str],
        where: Scope,
    ) -> _Meaning:
        try:
            vectors = await self._embed_queries(queries, embedder)
        except ModelError as error:
            self._log.warning("searching by words alone", extra={"code": error.code})
            return _Meaning(embedded_at=time.perf_counter())
        embedded_at = time.perf_counter()
        near = [
            await asyncio.to_thread(self._near, user_id, vector, where, embedder.sha256) for vector in vectors
        ]
        return _Meaning(vectors, near, embedder.sha256, embedded_at)

    async def _reranked(
        self, question: str, ordered: list[tuple[Passage, float]]
    ) -> list[tuple[Passage, float]]:
        """The first of them as the reranking model orders them, where there is one; scores stay in order."""
        reranker = await self._models.reranker()
        first = ordered[:_RERANKED]
        if reranker is None or not first:
            return ordered
        texts = [f"{passage.heading or ''}\n{passage.text}".strip() for passage, _ in first]
        try:
            scores = await reranker.score(question, texts)
        except ModelError as error:
            self._log.warning("the order stays as it was found", extra={"code": error.code})
            return ordered
        places = np.argsort(-scores, kind="stable")
        again = [(first[place][0], score) for place, (_, score) in zip(places, first, strict=True)]
        return [*again, *ordered[_RERANKED:]]

    def _second_round(
        self,
        query: str,
        vector: Vector | None,
        pool: Sequence[tuple[int, float]],
        sha256: str | None,
        where: Scope,
    ) -> list[tuple[Passage, float]]:
        scores = dict(pool)
        passages = self._search.passages([number for number, _ in pool])
        ahead = [
            (passage, scores[passage.id] + _LIKELY * (passage.document_id in where.likely))
            for passage in passages
        ]
        ahead.sort(key=lambda pair: -pair[1])
        passages = tuple(passage for passage, _ in ahead)
        known = self._search.vectors([passage.id for passage in passages], embedder=sha256)
        order = with_feedback(
            query,
            vector,
            texts=[f"{passage.heading or ''} {passage.text}" for passage in passages],
            scores=[score for _, score in ahead],
            vectors=[known.get(passage.id) for passage in passages],
            ranking=self._ranking,
        )
        return [(passages[place], score) for place, (_, score) in zip(order, ahead, strict=True)]

    async def embed(self, texts: Sequence[str], sha256: str | None = None) -> list[Vector]:
        """Unit vectors of texts a person waits for, cached ones first.

        Texts longer than the model reads are cut there: for ranking that is enough.

        Args:
            sha256: of the model whose vectors they are compared with; None: with each other only.

        Raises:
            ModelError: there is no embedding model, or it is another one by now.
        """
        embedder = await self._models.embedder()
        if sha256 is not None and embedder.sha256 != sha256:
            raise ModelError("Another embedding model has taken over.")
        return await self._vectors(embedder, [embedder.cut(text) for text in texts])

    async def _embed_queries(self, queries: Sequence[str], embedder: Embedder) -> list[Vector]:
        """The unit vector of each query."""
        pieces = await asyncio.to_thread(lambda: [_pieces(query, embedder) for query in queries])
        flat = await self._vectors(embedder, [piece for parts in pieces for piece in parts])
        rest = iter(flat)
        means = [_mean([next(rest) for _ in parts]) for parts in pieces]
        return [mean for mean in means if mean is not None]

    async def _vectors(self, embedder: Embedder, texts: Sequence[str]) -> list[Vector]:
        if not texts:
            return []
        known = await asyncio.to_thread(self._cache.get, embedder.sha256, list(texts))
        missing = [text for text, vector in zip(texts, known, strict=True) if vector is None]
        if not missing:
            return [vector for vector in known if vector is not None]
        made = await embedder.embed(missing, urgent=True)
        await asyncio.to_thread(self._cache.put, embedder.sha256, missing, made)
        fresh = iter(made)
        return [next(fresh) if vector is None else vector for vector in known]


def _queries(text: str, earlier: str | None) -> list[str]:
    """What is searched for: the question, and as it reads behind what was said before."""
    if earlier is None:
        return [text]
    whole = f"{earlier} {text}"
    return [whole] if elliptic(text) else [text, whole]


def _mean_scores(rankings: Sequence[Sequence[tuple[int, float]]]) -> list[tuple[int, float]]:
    """One ranking of several, a passage that one of them lacks scoring 0 there; best first."""
    total: dict[int, float] = {}
    for ranking in rankings:
        for number, score in ranking:
            total[number] = total.get(number, 0.0) + score / len(rankings)
    return sorted(total.items(), key=lambda item: (-item[1], item[0]))


def _mean(vectors: Sequence[Vector]) -> Vector | None:
    """The direction between the vectors, of unit length."""
    if not vectors:
        return None
    mean: Vector = np.mean(np.stack(vectors), axis=0)
    length = float(np.linalg.norm(mean))
    return mean / length if length else None


def _pieces(text: str, embedder: Embedder) -> list[str]:
    """The text in pieces that the embedder can read whole."""
    if not text.strip():
        return []
    if embedder.count(text) <= embedder.max_tokens:
        return [text]
    words = text.split()
    pieces: list[str] = []
    # A word piece is rarely shorter than three characters, so this never cuts far too late.
    size = max(1, embedder.max_tokens // 2)
    for first in range(0, len(words), size):
        pieces.append(embedder.cut(" ".join(words[first : first + size])))
        if len(pieces) == _MOST_PIECES:
            break
    return pieces
