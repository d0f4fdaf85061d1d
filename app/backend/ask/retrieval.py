"""Finds the passages for a question: by words and by meaning at the same time, fused by rank.

Reciprocal rank fusion (Cormack, Clarke, Büttcher 2009) with the k = 60 of the paper: a passage
scores 1 / (60 + rank) in each ranking it stands in. Baselines are in tests/evaluation.
"""

import asyncio
import logging
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.backend.ask.wording import content_words
from app.cache.embeddings import EmbeddingCache
from app.database.search import Hit, Search
from app.errors import ModelError
from app.records import Passage
from app.serving.embedder import Embedder
from app.serving.models import Models

Vector = NDArray[np.float32]

FUSION_K = 60
# How deep each ranking goes before they are fused.
_DEPTH = 50
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
    r"|\b(?:it|its|they|them|their|he|she|him|her|this|that|these|those|there|the same|one)\b[^.]*\?*$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage found. `score`: fused rank score; `similarity`: cosine with the question, 0 if unknown."""

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

    def __init__(self, search: Search, cache: EmbeddingCache, models: Models) -> None:
        self._search = search
        self._cache = cache
        self._models = models
        self._log = logging.getLogger(__name__)

    async def find(
        self, user_id: str, query: str, *, k: int, document_ids: Sequence[str] | None = None
    ) -> Retrieval:
        """The best `k` passages for `query`. Without an embedding model, by words alone.

        Raises:
            StorageError: the database cannot be read.
        """
        begun = time.perf_counter()
        by_words = asyncio.create_task(
            asyncio.to_thread(self._search.full_text, user_id, query, _DEPTH, document_ids)
        )
        try:
            vector, sha256 = await self._embed_query(query)
            embedded = time.perf_counter()
            near: list[Hit] = []
            if vector is not None:
                near = await asyncio.to_thread(
                    self._search.nearest, user_id, vector, _DEPTH, document_ids, embedder=sha256
                )
            worded = await by_words
        finally:
            by_words.cancel()
        near = [hit for hit in near if hit.score >= _LEAST_COSINE]
        fused = fuse([[hit.passage_id for hit in worded], [hit.passage_id for hit in near]])
        scores = dict(fused)
        cosines = {hit.passage_id: hit.score for hit in near}
        passages = await asyncio.to_thread(self._search.passages, [number for number, _ in fused[: 3 * k]])
        candidates = [
            Candidate(passage, scores[passage.id], cosines.get(passage.id, 0.0)) for passage in passages
        ]
        return Retrieval(
            candidates=tuple(without_repeats(candidates)[:k]),
            found=len(fused),
            embed_ms=(embedded - begun) * 1000,
            search_ms=(time.perf_counter() - embedded) * 1000,
            vector=vector,
        )

    async def embed(self, texts: Sequence[str]) -> list[Vector]:
        """Unit vectors of texts a person waits for, cached ones first.

        Texts longer than the model reads are cut there: for ranking that is enough.

        Raises:
            ModelError: there is no embedding model.
        """
        embedder = await self._models.embedder()
        return await self._vectors(embedder, [_cut(text, embedder) for text in texts])

    async def _embed_query(self, query: str) -> tuple[Vector | None, str | None]:
        try:
            embedder = await self._models.embedder()
            pieces = await asyncio.to_thread(_pieces, query, embedder)
            if not pieces:
                return None, None
            vectors = await self._vectors(embedder, pieces)
        except ModelError as error:
            self._log.warning("searching by words alone", extra={"code": error.code})
            return None, None
        mean = np.mean(np.stack(vectors), axis=0)
        length = float(np.linalg.norm(mean))
        return (mean / length if length else None), embedder.sha256

    async def _vectors(self, embedder: Embedder, texts: Sequence[str]) -> list[Vector]:
        known = await asyncio.to_thread(self._cache.get, embedder.sha256, list(texts))
        missing = [text for text, vector in zip(texts, known, strict=True) if vector is None]
        if not missing:
            return [vector for vector in known if vector is not None]
        made = await embedder.embed(missing, urgent=True)
        await asyncio.to_thread(self._cache.put, embedder.sha256, missing, made)
        fresh = iter(made)
        return [next(fresh) if vector is None else vector for vector in known]


def fuse(rankings: Sequence[Sequence[int]], k: int = FUSION_K) -> list[tuple[int, float]]:
    """Reciprocal rank fusion: (id, score), best first; ties keep the order of the first ranking."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, number in enumerate(dict.fromkeys(ranking), start=1):
            scores[number] = scores.get(number, 0.0) + 1.0 / (k + rank)
    return sorted(scores.items(), key=lambda item: -item[1])


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


def with_context(question: str, earlier: Sequence[str]) -> str:
    """What to search for: a question that leans on the one before is searched together with it.

    `earlier`: the questions before it in the conversation, oldest first.
    """
    if not earlier:
        return question
    leans = len(set(content_words(question))) < _FEW_WORDS or _LEANING.search(question) is not None
    return f"{earlier[-1]} {question}" if leans else question


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
