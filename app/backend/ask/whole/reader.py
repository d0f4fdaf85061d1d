"""Answers what is asked about whole documents: all of them is worked through before a word is said.

A plan first (which documents, all of their text), so that it can be said what is being read; then the
brief, as for any other question: lines of quotes for a small model, a prompt of notes for one that writes.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from app.backend.ask.brief import Brief, Preparation
from app.backend.ask.evidence import Evidence
from app.backend.ask.retrieval import Retriever
from app.backend.ask.whole.errand import Errand, errand
from app.backend.ask.whole.extracting import Extractor, Tell
from app.backend.ask.whole.material import Material, material
from app.database.documents import Documents
from app.database.search import Search
from app.errors import ModelError
from app.filters import Filter
from app.records import Manner
from app.serving.engine import Engine
from app.serving.models import Models


@dataclass(frozen=True, slots=True)
class Plan:
    """An errand, and all of the documents that it is about."""

    question: str
    errand: Errand
    material: Material


class WholeReader:
    """Works through whole documents. Used on the gateway's loop."""

    def __init__(
        self,
        *,
        search: Search,
        documents: Documents,
        retriever: Retriever,
        preparation: Preparation,
        models: Models,
    ) -> None:
        self._search = search
        self._documents = documents
        self._preparation = preparation
        self._models = models
        self._extractor = Extractor(retriever)

    async def plan(
        self,
        user_id: str,
        question: str,
        *,
        manner: Manner,
        limited: Filter,
        recent: Sequence[str] = (),
    ) -> Plan | None:
        """What is to be read for a question; None: it is not about whole documents.

        Args:
            limited: what it may be answered from.
            recent: those that the last answer of the conversation rests on.

        Raises:
            StorageError: the database cannot be read.
        """
        wanted = None if manner.without_documents else errand(question)
        if wanted is None:
            return None
        found = await asyncio.to_thread(
            material,
            self._search,
            user_id,
            question,
            wanted,
            limited=limited,
            recent=recent,
            newest=lambda: [document.id for document in self._documents.list(user_id)],
            embedder=await self._embedder(),
        )
        return None if found is None else Plan(question, wanted, found)

    async def brief(self, plan: Plan, engine: Engine, *, tell: Tell) -> Brief | None:
        """Work through all of it; None where nothing of it has to do with the question.

        Cancelling whoever awaits it stops it at once. `tell` is called on this loop.

        Raises:
            StorageError: the database cannot be read.
        """
        begun = time.perf_counter()
        found = await self._extractor.extraction(plan.material, plan.errand, tell)
        if found is None:
            return None
        return Brief(
            engine=engine,
            sources=found.sources,
            found=plan.material.passages,
            evidence=Evidence((), plan.question),
            generation=None,
            lines=found.lines,
            sections_ms=(time.perf_counter() - begun) * 1000,
        )

    async def _embedder(self) -> str | None:
        try:
            return (await self._models.embedder()).sha256
        except ModelError:
            return None
