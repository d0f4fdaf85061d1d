"""One question from the words of the user to the stored answer, as a stream of events.

The answer is written by a task of its own: whoever reads the events may go away at any moment,
and the message is still ended and stored. Exactly one Finished or Failed ends every stream that
began.
"""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass

from app.backend.ask.absence import nothing_found
from app.backend.ask.brief import Brief, Preparation
from app.backend.ask.prompt import Turn
from app.backend.ask.retrieval import Retriever
from app.backend.ask.title import title
from app.backend.ask.writing import Writing
from app.backend.feed import Feed
from app.database.documents import Documents
from app.database.messages import Conversations, Messages
from app.errors import AppError, InvalidRequestError, NotFoundError
from app.events import AskEvent, ConversationChanged, Delta, Failed, Finished, Retrieved
from app.records import (
    Conversation,
    ConversationDetail,
    Message,
    MessageState,
    Problem,
    SearchResult,
    Source,
    Timings,
    Usage,
)
from app.serving.engine import Engine
from app.serving.generation import Generation, Sampling
from app.serving.models import Models

_BETWEEN_SAVES = 1.0
_LONGEST_HISTORY = 6
INTERNAL = Problem(
    "internal_error", "Something went wrong inside Carrel; the log of this profile has the details."
)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question that was stored, and what it takes to answer it."""

    user_id: str
    conversation: Conversation
    question: Message
    engine: Engine
    turns: tuple[Turn, ...]
    document_ids: tuple[str, ...] | None
    sampling: Sampling
    answer_tokens: int
    trace_id: str
    begun: float


class AskService:
    """Answers questions from the documents. Used on the gateway's loop."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        preparation: Preparation,
        models: Models,
        documents: Documents,
        conversations: Conversations,
        messages: Messages,
        feed: Feed,
        answer_tokens: int = 400,
        temperature: float = 0.0,
    ) -> None:
        """`answer_tokens` and `temperature` hold where a question does not say otherwise."""
        self._retriever = retriever
        self._preparation = preparation
        self._models = models
        self._documents = documents
        self._conversations = conversations
        self._messages = messages
        self._feed = feed
        self._answer_tokens = answer_tokens
        self._sampling = Sampling(temperature=temperature)
        self._answers: dict[str, _Answer] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._log = logging.getLogger(__name__)

    async def ask(
        self,
        user_id: str,
        question: str,
        *,
        conversation_id: str | None = None,
        document_ids: Sequence[str] | None = None,
        trace_id: str,
        sampling: Sampling | None = None,
        max_tokens: int | None = None,
    ) -> AsyncGenerator[AskEvent, None]:
        """Answer a question in a conversation (a new one if none is given).

        Retrieved comes first, then Delta and Checked, and at last one Finished or Failed. Closing
        the iterator stops the answer; what was written of it is kept and marked.

        Args:
            document_ids: answer only from these; None or empty: from all.
            max_tokens: of the answer.

        Raises (before the first event, and before anything is stored):
            InvalidRequestError: the question is blank.
            NotFoundError: no such conversation or document.
            ModelError: there is no chat model.
            ContextOverflowError: the question does not fit in the model's context window.
            StorageError: the question cannot be stored.
        """
        begun = time.perf_counter()
        question = question.strip()
        if not question:
            raise InvalidRequestError("The question is empty.")
        limited = tuple(dict.fromkeys(document_ids or ())) or None
        detail = None
        if conversation_id is not None:
            detail = await asyncio.to_thread(self._conversations.get, user_id, conversation_id)
        await asyncio.to_thread(self._known, user_id, limited)
        engine = await self._models.chat()
        await self._preparation.check(engine, question)

        conversation, stored = await asyncio.to_thread(
            self._store, user_id, question, detail, limited, trace_id
        )
        self._feed.publish(ConversationChanged(conversation))
        asked = _Asked(
            user_id=user_id,
            conversation=conversation,
            question=stored,
            engine=engine,
            turns=_turns(detail),
            document_ids=limited,
            sampling=sampling or self._sampling,
            answer_tokens=max_tokens or self._answer_tokens,
            trace_id=trace_id,
            begun=begun,
        )
        answer = _Answer()
        task = asyncio.create_task(self._answer(asked, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            while True:
                event = await answer.events.get()
                yield event
                if isinstance(event, (Finished, Failed)):
                    return
        finally:
            # Left early: the task ends by itself and stores what there is.
            answer.stop()
            await asyncio.shield(asyncio.wait([task]))

    async def stop(self, user_id: str, answer_id: str) -> bool:
        """Stop an answer that is being written; its stream ends in Finished. False: there is none."""
        answer = self._answers.get(answer_id)
        if answer is None or answer.user_id != user_id or answer.stopped:
            return False
        answer.stop()
        return True

    async def search(
        self, user_id: str, query: str, *, k: int = 10, document_ids: Sequence[str] | None = None
    ) -> SearchResult:
        """The best passages for a query, without an answer.

        Raises:
            NotFoundError: no such document.
        """
        begun = time.perf_counter()
        limited = tuple(dict.fromkeys(document_ids or ())) or None
        await asyncio.to_thread(self._known, user_id, limited)
        found = await self._retriever.find(user_id, query, k=k, document_ids=limited)
        sources = tuple(
            Source(number, candidate.passage, candidate.score, read=False)
            for number, candidate in enumerate(found.candidates, start=1)
        )
        timings = Timings(
            embed_ms=found.embed_ms,
            search_ms=found.search_ms,
            total_ms=(time.perf_counter() - begun) * 1000,
        )
        return SearchResult(sources, found.found, timings)

    async def start(self) -> int:
        """Mark the answers that a crash cut off; return how many."""
        return await asyncio.to_thread(self._messages.interrupt_running)

    async def finish(self) -> None:
        """Wait until no answer is being written any more."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """Stop every answer and wait until all are stored."""
        for answer in list(self._answers.values()):
            answer.stop()
        await self.finish()

    def _known(self, user_id: str, document_ids: Sequence[str] | None) -> None:
        for document_id in document_ids or ():
            self._documents.get(user_id, document_id)

    def _store(
        self,
        user_id: str,
        question: str,
        detail: ConversationDetail | None,
        document_ids: Sequence[str] | None,
        trace_id: str,
    ) -> tuple[Conversation, Message]:
        if detail is None:
            conversation = self._conversations.create(user_id, title(question))
            parent = None
        else:
            conversation = detail.conversation
            parent = detail.messages[-1].id if detail.messages else None
        stored = self._messages.add_question(
            user_id,
            conversation.id,
            question,
            parent_id=parent,
            trace_id=trace_id,
            document_ids=document_ids,
        )
        return conversation, stored

    async def _answer(self, asked: _Asked, answer: "_Answer") -> None:
        """Write one answer, to its end in every case."""
        ended: Finished | Failed
        try:
            ended = await self._written(asked, answer)
        except AppError as error:
            ended = Failed(error.problem, asked.trace_id, await self._kept(answer, error.problem))
        except Exception:
            self._log.exception("an answer broke off", extra={"answer": answer.id})
            ended = Failed(INTERNAL, asked.trace_id, await self._kept(answer, INTERNAL))
        finally:
            if answer.id is not None:
                self._answers.pop(answer.id, None)
        self._log.info(
            "answered",
            extra={
                "answer": answer.id,
                "state": ended.message.state if ended.message else "failed",
                "tokens": answer.usage.completion_tokens if answer.usage else 0,
                "total_ms": round((time.perf_counter() - asked.begun) * 1000),
            },
        )
        answer.events.put_nowait(ended)

    async def _written(self, asked: _Asked, answer: "_Answer") -> Finished:
        brief = await self._preparation.brief(
            asked.engine,
            asked.user_id,
            asked.question.text,
            turns=asked.turns,
            document_ids=asked.document_ids,
            sampling=asked.sampling,
            answer_tokens=asked.answer_tokens,
        )
        started = await asyncio.to_thread(self._start, asked, brief)
        answer.begin(started.id, asked.user_id)
        self._answers[started.id] = answer
        answer.events.put_nowait(
            Retrieved(asked.conversation, asked.question, started.id, brief.sources, brief.found)
        )
        if brief.generation is None:
            return await self._absent(asked, answer, brief)
        writing = answer.writing = Writing(brief, brief.generation)
        if answer.stopped:
            writing.stop()
        try:
            saved = time.monotonic()
            async with aclosing(writing.events()) as events:
                async for event in events:
                    answer.events.put_nowait(event)
                    if time.monotonic() - saved >= _BETWEEN_SAVES:
                        await self._save(answer)
                        saved = time.monotonic()
        finally:
            answer.usage = writing.usage
            answer.timings = _timings(asked, brief, writing)
        if writing.end is not None:
            computed = writing.usage.prompt_tokens - writing.usage.cached_tokens
            self._preparation.pace.measured(asked.engine.model.sha256, computed, writing.end.prefill_ms)
        message = await self._finish(answer, "stopped" if writing.stopped else "complete")
        return Finished(message)

    async def _absent(self, asked: _Asked, answer: "_Answer", brief: Brief) -> Finished:
        """Nothing was found: say so, and why, without asking the model."""
        documents = await asyncio.to_thread(self._documents.list, asked.user_id)
        if asked.document_ids is not None:
            documents = tuple(document for document in documents if document.id in asked.document_ids)
        text = nothing_found(documents, limited=asked.document_ids is not None)
        answer.events.put_nowait(Delta(text))
        total = (time.perf_counter() - asked.begun) * 1000
        answer.timings = Timings(embed_ms=brief.embed_ms, search_ms=brief.search_ms, total_ms=total)
        message = await asyncio.to_thread(
            self._messages.finish, answer.known_id, state="complete", text=text, timings=answer.timings
        )
        return Finished(message)

    def _start(self, asked: _Asked, brief: Brief) -> Message:
        generation: Generation | None = brief.generation
        model = asked.engine.model
        return self._messages.start_answer(
            asked.user_id,
            asked.conversation.id,
            parent_id=asked.question.id,
            sources=brief.sources,
            found=brief.found,
            rendered_prompt=generation.prompt.text if generation else None,
            model=model.name if generation else None,
            model_sha256=model.sha256 if generation else None,
            sampling={**asdict(generation.sampling), "max_tokens": generation.max_tokens}
            if generation
            else None,
            trace_id=asked.trace_id,
        )

    async def _save(self, answer: "_Answer") -> None:
        """Keep the text so far, in case the program dies over the answer."""
        text = answer.text
        await asyncio.to_thread(self._messages.append_text, answer.known_id, text[answer.saved :])
        answer.saved = len(text)

    async def _finish(
        self, answer: "_Answer", state: MessageState, problem: Problem | None = None
    ) -> Message:
        writing = answer.writing
        return await asyncio.to_thread(
            self._messages.finish,
            answer.known_id,
            state=state,
            text=answer.text,
            citations=tuple(writing.citations) if writing else (),
            usage=answer.usage,
            timings=answer.timings,
            error=problem,
            raw_response=writing.raw if writing else None,
        )

    async def _kept(self, answer: "_Answer", problem: Problem) -> Message | None:
        """What is left of an answer that failed, as stored; None if it cannot be stored."""
        if answer.id is None:
            return None
        try:
            return await self._finish(answer, "failed", problem)
        except NotFoundError:
            return None  # its conversation was deleted meanwhile
        except AppError as error:
            self._log.error("a failed answer could not be stored", extra={"code": error.code})
            return None


class _Answer:
    """The state of one answer between the task that writes it and whoever reads or stops it."""

    def __init__(self) -> None:
        self.id: str | None = None
        self.user_id: str | None = None
        self.events: asyncio.Queue[AskEvent] = asyncio.Queue()
        self.writing: Writing | None = None
        self.usage: Usage | None = None
        self.timings: Timings | None = None
        self.saved = 0
        self.stopped = False

    @property
    def known_id(self) -> str:
        assert self.id is not None
        return self.id

    @property
    def text(self) -> str:
        return self.writing.text if self.writing else ""

    def begin(self, answer_id: str, user_id: str) -> None:
        self.id = answer_id
        self.user_id = user_id

    def stop(self) -> None:
        self.stopped = True
        if self.writing is not None:
            self.writing.stop()


def _turns(detail: ConversationDetail | None) -> tuple[Turn, ...]:
    """The latest questions of a conversation that have an answer, oldest first."""
    if detail is None:
        return ()
    questions = {message.id: message.text for message in detail.messages if message.role == "user"}
    turns = [
        Turn(questions[message.parent_id], message.text)
        for message in detail.messages
        if message.role == "assistant" and message.text and message.parent_id in questions
    ]
    return tuple(turns[-_LONGEST_HISTORY:])


def _timings(asked: _Asked, brief: Brief, writing: Writing) -> Timings:
    now = time.perf_counter()
    first = writing.first_token
    return Timings(
        embed_ms=brief.embed_ms,
        search_ms=brief.search_ms,
        prompt_ms=brief.prompt_ms,
        prefill_ms=writing.prefill_ms,
        decode_ms=writing.decode_ms,
        first_token_ms=(first - asked.begun) * 1000 if first is not None else 0.0,
        total_ms=(now - asked.begun) * 1000,
    )
