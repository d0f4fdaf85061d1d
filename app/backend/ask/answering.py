"""Writes one stored answer, to its end in every case.

It runs as a task of its own: whoever reads the events may go away at any moment, and the message
is still ended and stored.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace

from app.audit import PromptMessage
from app.backend.ask.brief import Brief, Preparation
from app.backend.ask.limits import Limits
from app.backend.ask.prompt import Turn
from app.backend.ask.quoting import Quoting
from app.backend.ask.reciting import Reciting
from app.backend.ask.standing import Standing
from app.backend.ask.whole.reader import Order, WholeReader
from app.backend.ask.writing import Writing, writing_of
from app.database.basis import Basis
from app.database.messages import Messages
from app.errors import AppError, NotFoundError
from app.events import AskEvent, Delta, Failed, Finished, Retrieved
from app.filters import Filter
from app.records import (
    AnswerStyle,
    Conversation,
    Manner,
    Message,
    MessageState,
    Problem,
    Source,
    Timings,
    Usage,
)
from app.serving.engine import Engine
from app.serving.generation import Asker, Sampling

# A kill costs at most so much of an answer, in seconds.
_BETWEEN_SAVES = 1.0
INTERNAL = Problem("internal", "Something went wrong inside Carrel; the log of this profile has the details.")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was stored, and what it takes to answer it. `begun`: `time.perf_counter()`.

    `recent` are the documents that the last answer of the conversation rests on.
    """

    user_id: str
    conversation: Conversation
    question: Message
    engine: Engine
    turns: tuple[Turn, ...]
    standing: Standing | None
    limited: Filter
    sampling: Sampling
    answer_tokens: int
    asker: Asker
    deadline: float | None
    trace_id: str
    begun: float
    manner: Manner
    recent: tuple[str, ...] = ()


class Answer:
    """One answer between the task that writes it and whoever reads its events or stops it."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.events: asyncio.Queue[AskEvent] = asyncio.Queue()
        self.id: str | None = None
        self.reading: asyncio.Task[Brief | None] | None = None
        self.writing: Writing | Reciting | None = None
        self.usage: Usage | None = None
        self.timings: Timings | None = None
        self.saved = 0
        self.stopped = False

    @property
    def text(self) -> str:
        """What was shown so far."""
        return self.writing.text if self.writing else ""

    def stop(self) -> None:
        """End it as soon as can be; what was shown is kept."""
        self.stopped = True
        if self.reading is not None:
            self.reading.cancel()
        if self.writing is not None:
            self.writing.stop()


class Answering:
    """Finds, writes and stores. `started` is called with each answer once it has an id."""

    def __init__(
        self,
        *,
        preparation: Preparation,
        limits: Limits,
        whole: WholeReader,
        messages: Messages,
        started: Callable[[Answer], None],
    ) -> None:
        self._preparation = preparation
        self._limits = limits
        self._whole = whole
        self._messages = messages
        self._started = started
        self._log = logging.getLogger(__name__)

    async def run(self, answer: Answer) -> None:
        """Write one answer; its last event is one Finished or Failed. Raises nothing."""
        ended: Finished | Failed
        try:
            ended = await self._written(answer)
        except AppError as error:
            ended = await self._failed(answer, error.problem)
        except Exception:
            self._log.exception("an answer broke off", extra={"answer": answer.id})
            ended = await self._failed(answer, INTERNAL)
        self._log.info(
            "answered",
            extra={
                "answer": answer.id,
                "state": ended.message.state if ended.message else "failed",
                "tokens": answer.usage.completion_tokens if answer.usage else 0,
                "total_ms": round((time.perf_counter() - answer.asked.begun) * 1000),
            },
        )
        answer.events.put_nowait(ended)

    async def _written(self, answer: Answer) -> Finished:
        asked = answer.asked
        brief = await self._worked_through(answer)
        if brief is None and answer.stopped and answer.id is not None:
            answer.timings = _timings(asked, None, None)
            return Finished(await self._finish(answer, answer.id, "stopped"))
        if brief is None:
            brief = await self._preparation.brief(
                asked.engine,
                asked.user_id,
                asked.question.text,
                turns=asked.turns,
                standing=asked.standing,
                limited=asked.limited,
                sampling=asked.sampling,
                answer_tokens=asked.answer_tokens,
                manner=asked.manner,
            )
        answer_id = await self._begin(answer, brief)
        generation = brief.generation and replace(
            brief.generation, asker=asked.asker, deadline=asked.deadline
        )
        writing = writing_of(brief, asked.question.text, generation)
        if writing is None:
            return await self._without_model(answer, answer_id, brief)
        answer.writing = writing
        if answer.stopped:
            writing.stop()
        try:
            saved = time.monotonic()
            async with aclosing(writing.events()) as events:
                async for event in events:
                    answer.events.put_nowait(event)
                    if time.monotonic() - saved >= _BETWEEN_SAVES:
                        await self._save(answer, answer_id)
                        saved = time.monotonic()
        finally:
            answer.usage = writing.usage
            answer.timings = _timings(asked, brief, writing)
        self._preparation.learn(asked.engine, writing.end)
        return Finished(await self._finish(answer, answer_id, "stopped" if writing.stopped else "complete"))

    async def _without_model(self, answer: Answer, answer_id: str, brief: Brief) -> Finished:
        """What is said without the model: the fixed reply, or that nothing was found, and why."""
        asked = answer.asked
        text = await self._limits.instead(brief, asked.user_id, asked.limited)
        answer.events.put_nowait(Delta(text))
        answer.timings = _timings(asked, brief, None)
        return Finished(
            await asyncio.to_thread(
                self._messages.finish, answer_id, state="complete", text=text, timings=answer.timings
            )
        )

    async def _worked_through(self, answer: Answer) -> Brief | None:
        """All of the documents is worked through, where the question is about them as a whole.

        None: it is not, or nothing of them has to do with it, or it was stopped.
        """
        asked = answer.asked
        plan = await self._whole.plan(
            asked.user_id,
            asked.question.text,
            manner=asked.manner,
            limited=asked.limited,
            recent=asked.recent,
        )
        if plan is None:
            return None
        nothing_yet = Basis(style="fixed", found=plan.material.passages)
        message = await asyncio.to_thread(self._start, asked, nothing_yet)
        answer.id = message.id
        self._started(answer)
        self._tell_sources(answer, message.id, (), plan.material.passages, whole=True)
        if answer.stopped:
            return None
        answer.reading = asyncio.create_task(
            self._whole.brief(plan, asked.engine, _order(asked), tell=answer.events.put_nowait)
        )
        try:
            await asyncio.wait([answer.reading])
            return None if answer.reading.cancelled() else answer.reading.result()
        finally:
            answer.reading.cancel()
            answer.reading = None

    async def _begin(self, answer: Answer, brief: Brief) -> str:
        """Store what the answer rests on, and say it; returns the answer's id."""
        if answer.id is None:
            message = await asyncio.to_thread(self._start, answer.asked, _basis(answer.asked, brief))
            answer.id = message.id
            self._started(answer)
        else:
            await asyncio.to_thread(self._messages.rest, answer.id, **_basis(answer.asked, brief))
        self._tell_sources(answer, answer.id, brief.sources, brief.found, whole=brief.sections_ms > 0)
        return answer.id

    def _tell_sources(
        self, answer: Answer, answer_id: str, sources: tuple[Source, ...], found: int, *, whole: bool
    ) -> None:
        asked = answer.asked
        answer.events.put_nowait(
            Retrieved(asked.conversation, asked.question, answer_id, sources, found, whole)
        )

    def _start(self, asked: Asked, basis: Basis) -> Message:
        return self._messages.start_answer(
            asked.user_id,
            asked.conversation.id,
            parent_id=asked.question.id,
            trace_id=asked.trace_id,
            **basis,
        )

    async def _save(self, answer: Answer, answer_id: str) -> None:
        """Keep the text so far, in case the program dies over the answer."""
        text = answer.text
        await asyncio.to_thread(self._messages.append_text, answer_id, text[answer.saved :])
        answer.saved = len(text)

    async def _finish(
        self, answer: Answer, answer_id: str, state: MessageState, problem: Problem | None = None
    ) -> Message:
        writing = answer.writing
        return await asyncio.to_thread(
            self._messages.finish,
            answer_id,
            state=state,
            text=answer.text,
            citations=tuple(writing.citations) if writing else (),
            usage=answer.usage,
            timings=answer.timings,
            error=problem,
            raw_response=writing.raw if writing else None,
            rendered_prompt=writing.judged if isinstance(writing, Quoting) else None,
        )

    async def _failed(self, answer: Answer, problem: Problem) -> Failed:
        """The end of an answer that broke off, with what is left of it as stored."""
        message = None
        if answer.id is not None:
            try:
                message = await self._finish(answer, answer.id, "failed", problem)
            except NotFoundError:
                pass  # its conversation was deleted meanwhile
            except Exception:
                self._log.exception("a failed answer could not be stored", extra={"answer": answer.id})
        return Failed(problem, answer.asked.trace_id, message)


def _order(asked: Asked) -> Order:
    return Order(
        sampling=asked.sampling,
        answer_tokens=asked.answer_tokens,
        manner=asked.manner,
        asker=asked.asker,
        deadline=asked.deadline,
    )


def _basis(asked: Asked, brief: Brief) -> Basis:
    """What is stored of how the answer came to be."""
    generation = brief.generation
    if generation is None and not brief.quotes:
        style: AnswerStyle = "quote" if brief.lines else "fixed"
        return Basis(sources=brief.sources, found=brief.found, style=style)
    # An answer in quotes has no prompt, but a model that may have judged its sentences.
    basis = Basis(
        sources=brief.sources,
        found=brief.found,
        style="write" if generation else "quote",
        model=asked.engine.model.name,
        model_sha256=asked.engine.model.sha256,
    )
    if generation is not None:
        basis["prompt"] = [PromptMessage(turn.role, turn.content) for turn in generation.prompt.messages]
        basis["rendered_prompt"] = generation.prompt.text
        basis["sampling"] = {**asdict(generation.sampling), "max_tokens": generation.max_tokens}
    return basis


def _timings(asked: Asked, brief: Brief | None, writing: Writing | Reciting | None) -> Timings:
    first = writing.first_shown if writing else None
    if brief is None:
        return Timings(total_ms=(time.perf_counter() - asked.begun) * 1000)
    return Timings(
        embed_ms=brief.embed_ms,
        search_ms=brief.search_ms,
        prompt_ms=brief.prompt_ms,
        prefill_ms=writing.prefill_ms if writing else 0.0,
        decode_ms=writing.decode_ms if writing else 0.0,
        first_token_ms=(first - asked.begun) * 1000 if first is not None else 0.0,
        total_ms=(time.perf_counter() - asked.begun) * 1000,
        unread_ms=brief.unread_ms,
        sections_ms=brief.sections_ms,
    )
