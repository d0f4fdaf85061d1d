"""Answers what is asked about whole documents: all of them is worked through before a word is said.

A plan first (which documents, all of their text), so that it can be said what is being read; then the
brief, as for any other question: lines of quotes for a small model, a prompt of notes for one that writes.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from app.backend.ask.brief import Brief, Preparation
from app.backend.ask.evidence import Evidence
from app.backend.ask.reading import is_tiny
from app.backend.ask.retrieval import Retriever
from app.backend.ask.whole.composing import from_notes, from_text
from app.backend.ask.whole.errand import errand
from app.backend.ask.whole.extracting import Extractor, Tell
from app.backend.ask.whole.material import Material, material
from app.backend.ask.whole.notes import NoteTaker
from app.cache.notes import NoteCache
from app.database.documents import Documents
from app.database.search import Search
from app.errors import ModelError
from app.filters import Filter
from app.records import Manner
from app.serving.engine import Engine
from app.serving.generation import Asker, Generation, Sampling
from app.serving.models import Models


@dataclass(frozen=True, slots=True)
class Plan:
    """A question about whole documents, and all of those."""

    question: str
    material: Material


@dataclass(frozen=True, slots=True)
class Order:
    """How an answer is wanted. `deadline`: seconds the model may take, None: as long as it takes."""

    sampling: Sampling
    answer_tokens: int
    manner: Manner = field(default_factory=Manner)
    asker: Asker = field(default_factory=Asker)
    deadline: float | None = None


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
        notes: NoteCache | None = None,
    ) -> None:
        """`notes` keeps what a model noted about sections; None: nothing is kept."""
        self._search = search
        self._documents = documents
        self._preparation = preparation
        self._models = models
        self._retriever = retriever
        self._extractor = Extractor(retriever)
        self._notes = NoteTaker(notes)

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
            newest=lambda: self._documents.list(user_id),
            embedder=await self._embedder(),
        )
        return None if found is None else Plan(question, found)

    async def brief(self, plan: Plan, engine: Engine, order: Order, *, tell: Tell) -> Brief | None:
        """Work through all of it; None where nothing of it has to do with the question.

        Cancelling whoever awaits it stops it at once. `tell` is called on this loop.

        Raises:
            StorageError: the database cannot be read.
            DeadlineError: it took longer than it may.
            AppError: the model failed over every part.
        """
        begun = time.perf_counter()
        writes = not is_tiny(engine) and self._preparation.form(order.manner.style, engine) == "write"
        made = self._written(plan, engine, order, tell) if writes else self._quoted(plan, engine, tell)
        brief = await made
        return brief and replace(brief, sections_ms=(time.perf_counter() - begun) * 1000)

    async def _quoted(self, plan: Plan, engine: Engine, tell: Tell) -> Brief | None:
        found = await self._extractor.extraction(plan.material, tell)
        if found is None:
            return None
        return Brief(
            engine=engine,
            sources=found.sources,
            found=plan.material.passages,
            evidence=Evidence((), plan.question),
            generation=None,
            lines=found.lines,
        )

    async def _written(self, plan: Plan, engine: Engine, order: Order, tell: Tell) -> Brief | None:
        """A prompt of all the text where it fits; else of notes on all parts of it."""
        material = plan.material
        said = [material.shortfall]
        passages = material.passages
        composed = await asyncio.to_thread(from_text, engine, plan.question, material, order.answer_tokens)
        if composed is None:
            notes = await self._notes.notes(
                engine, material, asker=order.asker, deadline=order.deadline, tell=tell
            )
            composed = await asyncio.to_thread(
                from_notes, engine, plan.question, notes.taken, order.answer_tokens
            )
            if composed is None:
                return None
            passages = sum(len(note.part.passages) for note in notes.taken)
            read = len(notes.taken) - composed.left_out
            if read + len(notes.unread) < notes.parts:
                said.append(f"Read {read} of {notes.parts} parts.")
            if notes.unread:
                said.append(f"Could not be read: {'; '.join(notes.unread)}.")
        room = engine.context_length - len(composed.prompt.tokens)
        return Brief(
            engine=engine,
            sources=composed.sources,
            found=passages,
            evidence=await asyncio.to_thread(Evidence, composed.sources, plan.question),
            generation=Generation(composed.prompt, max(1, min(order.answer_tokens, room)), order.sampling),
            embed=self._retriever.embed,
            closing=" ".join(filter(None, said)),
        )

    async def _embedder(self) -> str | None:
        try:
            return (await self._models.embedder()).sha256
        except ModelError:
            return None
