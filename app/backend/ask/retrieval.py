"""Finds the passages for a question: by words and by meaning at the same time, ordered by `ranking`.

How good that is, is measured by tests/evaluation.
"""

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.backend.ask.ranking import Ranking, combined, with_feedback
from app.backend.ask.wording import content_words
from app.cache.embeddings import EmbeddingCache
from app.database.search import Search
from app.errors import ModelError
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
# Two passages that share this part of the shorter one are one source.
_SAME_SHARE = 0.6
# A question longer than the embedder reads is embedded in pieces, at most so many.
_MOST_PIECES = 8
# With fewer content words than this a question leans on the one before.
_FEW_WORDS = 2

_LEANING = re.compile(
    r"^\s*(?:and|or|but|so|also|then|why|how come|what about|how about|what else|anything else)\b"
    r"|\b(?:it|its|they|them|their|he|she|him|his|her|the same)\b"
    r"|\b(?:this|that|these|those)(?=\s*(?:\?|$|is\b|are\b|was\b|were\b|do(?:es)?\b|mean|appl|cost|includ))",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage found. `score`: 0 to 1, within one question; `similarity`: cosine with it, 0 if unknown."""

    passage: Passage
    score: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What was found for a question, best first, out of `found` passages; and how long it took."""

    candidates: tuple[Candidate, ...]
    found: int
    embed_ms: float
    search_ms: float
    vector: Vector | None


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
        document_ids: Sequence[str] | None = None,
        earlier: str | None = None,
    ) -> Retrieval:
        """The best `k` passages for a question. Without an embedding model, by words alone.

        Args:
            earlier: the question before, where this one leans on it: then both are searched for,
                and what fits this one as well comes first.

        Raises:
            StorageError: the database cannot be read.
        """
        begun = time.perf_counter()
        queries = [question] if earlier is None else [question, f"{earlier} {question}"]
        by_words = asyncio.gather(
            *(
                asyncio.to_thread(self._search.full_text, user_id, query, _DEPTH, document_ids)
                for query in queries
            )
        )
        near: list[dict[int, float]] = []
        try:
            vectors, sha256 = await self._embed_queries(queries)
            embedded = time.perf_counter()
            for vector in vectors:
                hits = await asyncio.to_thread(
                    self._search.nearest, user_id, vector, _DEPTH, document_ids, embedder=sha256
                )
                near.append({hit.passage_id: hit.score for hit in hits if hit.score >= _LEAST_COSINE})
            worded = [{hit.passage_id: hit.score for hit in hits} for hits in await by_words]
        finally:
            by_words.cancel()
        first = _mean_scores(
            [
                combined(words, meaning, self._ranking)
                for words, meaning in zip(worded, near or [{}] * len(worded), strict=True)
            ]
        )
        pool = first[: max(k, self._ranking.pool)]
        direction = _mean(vectors)
        ordered = await asyncio.to_thread(self._second_round, " ".join(queries), direction, pool, sha256)
        ordered = await self._reranked(question, ordered)
        cosines = {number: cosine for scores in reversed(near) for number, cosine in scores.items()}
        candidates = [Candidate(passage, score, cosines.get(passage.id, 0.0)) for passage, score in ordered]
        return Retrieval(
            candidates=tuple(without_repeats(candidates)[:k]),
            found=len(first),
            embed_ms=(embedded - begun) * 1000,
            search_ms=(time.perf_counter() - embedded) * 1000,
            vector=direction,
        )

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
        self, query: str, vector: Vector | None, pool: Sequence[tuple[int, float]], sha256: str | None
    ) -> list[tuple[Passage, float]]:
        scores = dict(pool)
        passages = self._search.passages([number for number, _ in pool])
        known = self._search.vectors([passage.id for passage in passages], embedder=sha256)
        final = with_feedback(
            query,
            vector,
            texts=[f"{passage.heading or ''} {passage.text}" for passage in passages],
            first=[scores[passage.id] for passage in passages],
            vectors=[known.get(passage.id) for passage in passages],
            ranking=self._ranking,
        )
        pairs = zip(passages, final, strict=True)
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0].id))

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Unit vectors of texts a person waits for, cached ones first.

        Texts longer than the model reads are cut there: for ranking that is enough.

        Raises:
            ModelError: there is no embedding model.
        """
        embedder = await self._models.embedder()
        return await self._vectors(embedder, [_cut(text, embedder) for text in texts])

    async def _embed_queries(self, queries: Sequence[str]) -> tuple[list[Vector], str | None]:
        """The unit vector of each query and the SHA-256 of the model; none without a model."""
        try:
            embedder = await self._models.embedder()
            pieces = await asyncio.to_thread(lambda: [_pieces(query, embedder) for query in queries])
            flat = await self._vectors(embedder, [piece for parts in pieces for piece in parts])
        except ModelError as error:
            self._log.warning("searching by words alone", extra={"code": error.code})
            return [], None
        rest = iter(flat)
        means = [_mean([next(rest) for _ in parts]) for parts in pieces]
        return [mean for mean in means if mean is not None], embedder.sha256

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


def without_repeats(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Only the first of passages that say the same: equal texts, or overlapping spans of a page."""
    kept: list[Candidate] = []
    texts: set[str] = set()
    for candidate in candidates:
        text = " ".join(candidate.passage.text.split()).casefold()
        if text in texts or any(_overlap(candidate.passage, other.passage) for other in kept):
            continue
        texts.add(text)
        kept.append(candidate)
    return kept


def leans_on(question: str, earlier: Sequence[str]) -> str | None:
    """The question before, if this one cannot be understood without it ("When is it due?").

    `earlier`: the questions before it in the conversation, oldest first.
    """
    if not earlier:
        return None
    leans = len(set(content_words(question))) < _FEW_WORDS or _LEANING.search(question) is not None
    return earlier[-1] if leans else None


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


def _overlap(one: Passage, other: Passage) -> bool:
    if (one.document_id, one.page) != (other.document_id, other.page):
        return False
    shared = min(one.end, other.end) - max(one.start, other.start)
    return shared > _SAME_SHARE * min(one.end - one.start, other.end - other.start)


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
        pieces.append(_cut(" ".join(words[first : first + size]), embedder))
        if len(pieces) == _MOST_PIECES:
            break
    return pieces


def _cut(text: str, embedder: Embedder) -> str:
    while embedder.count(text) > embedder.max_tokens:
        text = text[: max(1, len(text) * embedder.max_tokens // (embedder.count(text) + 1))]
    return text
