"""Measures a library, or a public set, from the questions to one page of numbers.

Nothing of it is stored: questions are asked without a conversation, and a public set lies in a
folder of its own that is gone afterwards.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from app.backend.ask.candidates import Candidate
from app.backend.ask.retrieval import Retriever
from app.backend.evaluation import cases, public_sets, shelf
from app.backend.evaluation.answers import Answers, Asking
from app.backend.evaluation.checks import Checks
from app.backend.evaluation.choosing import chosen
from app.backend.evaluation.finding import Finding
from app.backend.evaluation.public_sets import PublicSet, SetName
from app.backend.evaluation.questions import Question
from app.database.documents import Documents
from app.errors import InvalidRequestError, ModelError
from app.evaluation import Case, Evaluation, Measure
from app.events import Evaluated, EvaluationProgress
from app.filters import Filter
from app.records import Document
from app.serving.models import Models

# So many passages are asked for; measures look at the first ten.
_DEPTH = 50
# A check is made against so many passages, as of a short prompt.
_CHECKED_AGAINST = 4
_LOADS = "loading the models"


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is asked. `seconds`: after so many no further answer is begun; None: all of them."""

    questions: int
    answered: int
    unanswerable: int
    seconds: float | None


FULL = Extent(questions=300, answered=100, unanswerable=50, seconds=None)
QUICK = Extent(questions=60, answered=16, unanswerable=8, seconds=35.0)

Event = EvaluationProgress | Evaluated
# A question, and the documents it is asked within.
_Asked = tuple[Question, Sequence[str]]

_WANTED = "wanted"


class EvaluationService:
    """Used on the gateway's loop."""

    def __init__(
        self,
        *,
        documents: Documents,
        retriever: Retriever,
        models: Models,
        asking: Asking,
        settings: dict[str, str],
        version: str,
    ) -> None:
        """`settings`: what numbers depend on, in words, to be told beside them."""
        self._documents = documents
        self._retriever = retriever
        self._models = models
        self._asking = asking
        self._settings = settings
        self._version = version
        self._log = logging.getLogger(__name__)

    async def library(
        self, user_id: str, *, quick: bool = False, document_ids: Sequence[str] | None = None
    ) -> AsyncGenerator[Event, None]:
        """Measure the user's documents, or some of them: progress, and at last Evaluated.

        Closing the iterator stops it.

        Raises:
            NotFoundError: no such document.
            InvalidRequestError: no document is ready, or none of them has a sentence to ask about.
            StorageError: the database cannot be read.
        """
        begun = time.monotonic()
        extent = QUICK if quick else FULL
        ready = await asyncio.to_thread(self._ready, user_id, document_ids)
        yield EvaluationProgress("looking for questions", 0, len(ready))
        asked = await asyncio.to_thread(chosen, self._documents, ready, extent.questions)
        if not asked:
            raise InvalidRequestError(
                "There is nothing to ask about: no sentence with a number, a date, a sum or a name was found."
            )
        scope = [document.id for document in ready]
        finding, checks, answers = Finding(), Checks(), Answers()
        async with aclosing(
            self._find(user_id, asked, Filter(documents=tuple(scope)), finding, checks)
        ) as found:
            async for step in found:
                yield step
        note = ""
        try:
            until = None if extent.seconds is None else begun + extent.seconds
            plan = _plan(asked, scope, extent)
            async with aclosing(self._answer(user_id, plan, answers, until)) as answered:
                async for event in answered:
                    yield event
        except ModelError as error:
            # What was measured stays measured.
            note = error.message
        yield self._evaluated(
            "your documents",
            (*finding.measures(), *answers.measures(), *checks.measures()),
            begun,
            quick=quick,
            documents=len(ready),
            passages=sum(document.passages for document in ready),
            note=note,
            # What "auto" came to with this model.
            settings={"answered_in": ", ".join(answers.styles)} if answers.styles else {},
            cases=cases.of_library(
                asked, finding, answers, {document.id: document.name for document in ready}
            ),
        )

    async def public_set(
        self, name: SetName, folder: str, *, quick: bool = False
    ) -> AsyncGenerator[Event, None]:
        """Measure how well a public set is found: progress, and at last Evaluated.

        Args:
            quick: every third query only; all texts are searched.

        Raises:
            InvalidRequestError: the folder does not hold the set.
            ModelError: there is no embedding model.
        """
        begun = time.monotonic()
        whole = await asyncio.to_thread(public_sets.read, name, Path(folder).expanduser())
        finding = Finding()
        async with shelf.opened(self._models) as library:
            for number, text in enumerate(whole.texts):
                if number % 20 == 0:
                    yield EvaluationProgress("reading the texts", number, len(whole.texts))
                await library.add(text)
            queries = _part(whole, quick=quick)
            for number, query in enumerate(queries):
                yield EvaluationProgress("asking for passages", number, len(queries))
                result = await library.retriever.find(library.user_id, query.text, k=_DEPTH)
                names = dict.fromkeys(candidate.passage.document_name for candidate in result.candidates)
                finding.add(list(names), query.relevant, result.embed_ms + result.search_ms)
        yield self._evaluated(
            name,
            finding.measures(),
            begun,
            quick=quick,
            documents=len(whole.texts),
            passages=library.passages,
            cases=cases.of_set(queries, finding),
        )

    async def _find(
        self, user_id: str, asked: Sequence[Question], scope: Filter, finding: Finding, checks: Checks
    ) -> AsyncGenerator[EvaluationProgress, None]:
        for number, question in enumerate(asked):
            yield EvaluationProgress("asking for passages", number, len(asked))
            result = await self._retriever.find(user_id, question.made.text, k=_DEPTH, limited=scope)
            finding.add(
                _names(question, result.candidates), {_WANTED: 1.0}, result.embed_ms + result.search_ms
            )
            near = [candidate.passage for candidate in result.candidates[:_CHECKED_AGAINST]]
            if any(question.made.sentence in " ".join(passage.text.split()) for passage in near):
                await asyncio.to_thread(checks.add, question, near)

    async def _answer(
        self,
        user_id: str,
        plan: Sequence[_Asked],
        answers: Answers,
        until: float | None,
    ) -> AsyncGenerator[EvaluationProgress, None]:
        """Ask; none is begun after `until` (on the monotonic clock)."""
        yield EvaluationProgress(_LOADS, 0, 1)
        engine = await self._models.chat()
        for number, (question, within) in enumerate(plan):
            if until is not None and time.monotonic() > until:
                return
            yield EvaluationProgress("asking for answers", number, len(plan))
            answered = await self._asking.answer(engine, user_id, question.made.text, within)
            if question.document_id in within:
                answers.answerable.append((question, answered))
            elif not any(question.answered_by(source.passage) for source in answered.sources):
                # Where another document says the same, the question is answered all the same.
                answers.unanswerable.append((question, answered))

    def _ready(self, user_id: str, document_ids: Sequence[str] | None) -> list[Document]:
        if document_ids:
            library = [self._documents.get(user_id, known) for known in dict.fromkeys(document_ids)]
        else:
            library = list(self._documents.list(user_id))
        ready = [document for document in library if document.status == "ready"]
        if not ready:
            raise InvalidRequestError("No document is ready: add some, then measure.")
        return ready

    def _evaluated(
        self,
        of: str,
        measures: tuple[Measure, ...],
        begun: float,
        *,
        quick: bool,
        documents: int,
        passages: int,
        cases: tuple[Case, ...],
        settings: dict[str, str] | None = None,
        note: str = "",
    ) -> Evaluated:
        models = {model.kind: model for model in self._models.describe()}
        evaluation = Evaluation(
            made_at=time.time(),
            version=self._version,
            of=of,
            quick=quick,
            documents=documents,
            passages=passages,
            models=tuple(models.values()),
            settings=self._settings | (settings or {}),
            measures=measures,
            seconds=time.monotonic() - begun,
            note=note,
            cases=cases,
        )
        self._log.info("evaluated", extra={"of": of, "seconds": round(evaluation.seconds)})
        return Evaluated(evaluation)


def _names(question: Question, candidates: Sequence[Candidate]) -> list[str]:
    """The ranking by name: every passage that holds the sentence is the one that is wanted."""
    names = [
        _WANTED if question.answered_by(candidate.passage) else str(candidate.passage.id)
        for candidate in candidates
    ]
    return list(dict.fromkeys(names))


def _plan(asked: Sequence[Question], scope: Sequence[str], extent: Extent) -> list[_Asked]:
    """What is asked within which documents: two that can be answered, then one that cannot.

    In turns, so that each kind has its share where time runs out.
    """
    within: list[_Asked] = [(question, scope) for question in asked[: extent.answered]]
    # About a document that is left out; other questions than those above, where there are enough.
    rest = [*asked[extent.answered :], *asked]
    without: list[_Asked] = [
        (question, [known for known in scope if known != question.document_id])
        for question in rest[: extent.unanswerable]
        if len(scope) > 1
    ]
    plan: list[_Asked] = []
    while within or without:
        plan += [*within[:2], *without[:1]]
        within, without = within[2:], without[1:]
    return plan


def _part(whole: PublicSet, *, quick: bool) -> Sequence[public_sets.Query]:
    return whole.queries[::3] if quick else whole.queries
