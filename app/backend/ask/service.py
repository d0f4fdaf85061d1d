"""Questions in, events out: what can be refused is refused first, then the answer is written.

Exactly one Finished or Failed ends every stream that began.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence

from app.backend.ask.answering import Answer, Answering, Asked
from app.backend.ask.brief import Preparation
from app.backend.ask.limits import Limits
from app.backend.ask.reading import is_tiny
from app.backend.ask.retrieval import Retriever
from app.backend.ask.standing import Standings, answered
from app.backend.ask.title import title
from app.backend.ask.whole.reader import WholeReader
from app.backend.feed import Feed
from app.database.messages import Conversations, Messages
from app.errors import InvalidRequestError
from app.events import AskEvent, ConversationChanged, Failed, Finished
from app.filters import EVERYTHING, Filter
from app.records import Conversation, ConversationDetail, Manner, Message, SearchResult, Source, Timings
from app.serving.generation import Asker, Sampling
from app.serving.models import Models

# Earlier questions and answers that a model may see again.
_LONGEST_HISTORY = 6


class AskService:
    """Answers questions from the documents. Used on the gateway's loop."""

    def __init__(
        self,
        *,
        retriever: Retriever,
        preparation: Preparation,
        whole: WholeReader,
        models: Models,
        limits: Limits,
        conversations: Conversations,
        messages: Messages,
        standings: Standings,
        feed: Feed,
        answer_tokens: int = 400,
        temperature: float = 0.0,
    ) -> None:
        """`answer_tokens` and `temperature` hold where a question does not say otherwise."""
        self._retriever = retriever
        self._preparation = preparation
        self._models = models
        self._limits = limits
        self._conversations = conversations
        self._messages = messages
        self._standings = standings
        self._feed = feed
        self._answer_tokens = answer_tokens
        self._sampling = Sampling(temperature=temperature)
        self._answering = Answering(
            preparation=preparation,
            whole=whole,
            limits=limits,
            messages=messages,
            started=self._register,
        )
        self._answers: dict[str, Answer] = {}
        self._tasks: dict[asyncio.Task[None], Answer] = {}
        self._closed = False

    async def ask(
        self,
        user_id: str,
        question: str,
        *,
        conversation_id: str | None = None,
        limited: Filter = EVERYTHING,
        trace_id: str,
        sampling: Sampling | None = None,
        max_tokens: int | None = None,
        client: str | None = None,
        urgent: bool = False,
        deadline: float | None = None,
        manner: Manner | None = None,
    ) -> AsyncGenerator[AskEvent, None]:
        """Answer a question in a conversation (a new one if none is given).

        Retrieved comes first, then Delta and Checked, and at last one Finished or Failed. Where whole
        documents are worked through, Progress comes behind it, and then Retrieved again, with the sources.
        Closing the iterator stops the answer; what was written of it is kept and marked.

        Args:
            limited: answer only from what is within it.
            max_tokens: of the answer.
            client: which of those who ask it is, where a busy model is shared; None: the user.
            urgent: a person waits for it at the window, so it goes before others.
            deadline: seconds the model may take, waiting for it included; None: as long as it takes.
            manner: how it is to be answered; None: as the settings have it.

        Raises (before the first event, and before anything is stored):
            InvalidRequestError: the question is blank.
            FilterError: its limits contradict each other.
            NotFoundError: no such conversation, document or collection.
            BusyError: too many wait for the model, and this is not urgent.
            ModelError: there is no chat model.
            ContextOverflowError: the question does not fit in the model's context window.
            StorageError: the question cannot be stored.
        """
        begun = time.perf_counter()
        question = question.strip()
        if not question:
            raise InvalidRequestError("The question is empty.")
        limited = await self._limits.settle(user_id, limited)
        detail = None
        if conversation_id is not None:
            detail = await asyncio.to_thread(self._conversations.get, user_id, conversation_id)
        engine = await self._models.chat()
        if not urgent:
            engine.check_queue()
        await self._preparation.check(engine, question)
        earlier = detail.messages if detail else ()
        standing = None
        if earlier and not is_tiny(engine):
            standing = await asyncio.to_thread(self._standings.of, user_id, earlier, limited)

        conversation, stored = await asyncio.to_thread(
            self._store, user_id, question, detail, limited, trace_id
        )
        self._feed.publish(ConversationChanged(conversation))
        answer = Answer(
            Asked(
                user_id=user_id,
                conversation=conversation,
                question=stored,
                engine=engine,
                turns=answered(earlier)[-_LONGEST_HISTORY:],
                standing=standing,
                limited=limited,
                sampling=sampling or self._sampling,
                answer_tokens=max_tokens or self._answer_tokens,
                asker=Asker(client or user_id, urgent),
                deadline=deadline,
                trace_id=trace_id,
                begun=begun,
                manner=manner or Manner(),
                recent=() if detail is None else _cited_last(detail.messages),
            )
        )
        if self._closed:
            answer.stop()
        task = asyncio.create_task(self._answering.run(answer))
        self._tasks[task] = answer
        task.add_done_callback(self._forget)
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
        if answer is None or answer.asked.user_id != user_id or answer.stopped:
            return False
        answer.stop()
        return True

    async def search(
        self, user_id: str, query: str, *, k: int = 10, limited: Filter = EVERYTHING
    ) -> SearchResult:
        """The best passages for a query, without an answer.

        Raises:
            FilterError, NotFoundError: as for `ask`.
        """
        begun = time.perf_counter()
        limited = await self._limits.settle(user_id, limited)
        found = await self._retriever.find(user_id, query, k=k, limited=limited)
        sources = tuple(
            Source(number, candidate.passage, candidate.score, read=False, also=candidate.also)
            for number, candidate in enumerate(found.candidates, start=1)
        )
        timings = Timings(
            embed_ms=found.embed_ms,
            search_ms=found.search_ms,
            total_ms=(time.perf_counter() - begun) * 1000,
        )
        remark = "" if sources else await self._limits.nothing_found(user_id, limited)
        return SearchResult(sources, found.found, timings, remark)

    async def start(self) -> int:
        """Mark the answers that a crash cut off; return how many."""
        return await asyncio.to_thread(self._messages.interrupt_running)

    async def finish(self) -> None:
        """Wait until no answer is being written (main calls this before it leaves others without it)."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def close(self) -> None:
        """Stop every answer and wait until all are stored. Idempotent."""
        self._closed = True
        while self._tasks:
            for answer in self._tasks.values():
                answer.stop()
            await asyncio.wait(list(self._tasks))

    def _register(self, answer: Answer) -> None:
        if answer.id is not None:
            self._answers[answer.id] = answer

    def _forget(self, task: "asyncio.Task[None]") -> None:
        answer = self._tasks.pop(task)
        if answer.id is not None:
            self._answers.pop(answer.id, None)

    def _store(
        self,
        user_id: str,
        question: str,
        detail: ConversationDetail | None,
        limited: Filter,
        trace_id: str,
    ) -> tuple[Conversation, Message]:
        parent = None
        if detail is None:
            conversation = self._conversations.create(user_id, title(question))
        else:
            conversation = detail.conversation
            parent = detail.messages[-1].id if detail.messages else None
        stored = self._messages.add_question(
            user_id,
            conversation.id,
            question,
            parent_id=parent,
            trace_id=trace_id,
            limited=limited,
        )
        return conversation, stored


def _cited_last(messages: Sequence[Message]) -> tuple[str, ...]:
    """The documents that the last answer rests on: what "this" in the next question means."""
    for message in reversed(messages):
        cited = {citation.source for citation in message.citations}
        found = [source.passage.document_id for source in message.sources if source.number in cited]
        if found:
            return tuple(dict.fromkeys(found))
    return ()
