"""A stored prompt run again, on the model at work or on another one, to be compared. Nothing is stored.

Every sentence that the model writes is shown and checked against the passages that were read then,
also those of a model too small to be trusted: what it writes is what is asked about here.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import msgspec

from app.audit import Audit
from app.backend.ask import prompt
from app.backend.ask.brief import Brief
from app.backend.ask.evidence import Evidence
from app.backend.ask.reading import is_tiny
from app.backend.ask.writing import Writing
from app.database.audits import Audits
from app.database.messages import Conversations
from app.errors import AppError, InvalidRequestError
from app.events import AskEvent, Finished, Retrieved
from app.records import Message, Source, Timings
from app.serving.engine import Engine
from app.serving.generation import Asker, ChatMessage, Generation, Sampling
from app.serving.models import Models

_LEAST_ANSWER = 16


class ReplayService:
    """Runs stored prompts again. Used on the gateway's loop."""

    def __init__(
        self, audits: Audits, conversations: Conversations, models: Models, *, answer_tokens: int = 400
    ) -> None:
        """`answer_tokens`: the longest answer where the stored one does not say."""
        self._audits = audits
        self._conversations = conversations
        self._models = models
        self._answer_tokens = answer_tokens
        self._restoring: set[asyncio.Task[None]] = set()
        self._log = logging.getLogger(__name__)

    async def replay(
        self,
        user_id: str,
        message_id: str,
        *,
        model: str | None = None,
        trace_id: str,
        client: str | None = None,
        urgent: bool = False,
    ) -> AsyncGenerator[AskEvent, None]:
        """Answer again: Retrieved, then Delta and Checked, at last Finished.

        The message in it, and the id in Retrieved, are not stored. Closing the iterator stops it.

        Args:
            model: a GGUF file; it answers everybody while this runs, then the one before is put back.
            client, urgent: as for a question.

        Raises (before the first event):
            NotFoundError: there is no such message (any more).
            InvalidRequestError: it is no answer, or one for which nothing was read.
        Raises (after it):
            ContextOverflowError: the prompt does not fit in this model's context window.
            ModelError: the model cannot be loaded, is busy, or fails.
        """
        audit = await asyncio.to_thread(self._audits.get, user_id, message_id)
        asked = await self._question(user_id, audit)
        question, old = asked.text, audit.message
        read = tuple(source for source in audit.message.sources if source.read)
        if not read:
            raise InvalidRequestError("Nothing was read for this answer, so there is no prompt to run again.")
        detail = await asyncio.to_thread(self._conversations.get, user_id, old.conversation_id)
        new_id = secrets.token_hex(16)
        # Before a model is loaded: that may take long, and who waits is told that it is being done.
        yield Retrieved(detail.conversation, asked, new_id, old.sources, old.found)
        async with self._engine(model) as engine:
            if not urgent:
                engine.check_queue()
            begun = time.perf_counter()
            generation = await asyncio.to_thread(self._generation, engine, audit, question, read)
            generation = replace(generation, asker=Asker(client or user_id, urgent))
            prepared = time.perf_counter()
            writing = Writing(_brief(engine, audit, question, read, generation), generation)
            async with aclosing(writing.events()) as events:
                async for event in events:
                    yield event
            first, name = writing.first_shown, engine.model.name
            ended = time.perf_counter()
        # The model before is back by now: what is asked next is answered by it.
        yield Finished(
            Message(
                id=new_id,
                conversation_id=old.conversation_id,
                parent_id=old.parent_id,
                role="assistant",
                state="complete",
                text=writing.text,
                created_at=time.time(),
                sources=old.sources,
                citations=tuple(writing.citations),
                found=old.found,
                model=name,
                usage=writing.usage,
                timings=Timings(
                    prompt_ms=(prepared - begun) * 1000,
                    prefill_ms=writing.prefill_ms,
                    decode_ms=writing.decode_ms,
                    first_token_ms=(first - begun) * 1000 if first is not None else 0.0,
                    total_ms=(ended - begun) * 1000,
                ),
                trace_id=trace_id,
            )
        )

    async def _question(self, user_id: str, audit: Audit) -> Message:
        if audit.message.role != "assistant":
            raise InvalidRequestError("Only answers can be run again; this is a question.")
        if audit.message.parent_id is None:
            raise InvalidRequestError("The question of this answer is gone.")
        return (await asyncio.to_thread(self._audits.get, user_id, audit.message.parent_id)).message

    def _generation(
        self, engine: Engine, audit: Audit, question: str, read: tuple[Source, ...]
    ) -> Generation:
        rendered = engine.encode(_messages(engine, audit, question, read))
        engine.check(rendered, _LEAST_ANSWER)
        stored = audit.sampling or {}
        given = stored.get("max_tokens")
        most = given if isinstance(given, int) else self._answer_tokens
        left = engine.context_length - len(rendered.tokens)
        return Generation(rendered, max(1, min(most, left)), _sampling(stored))

    @asynccontextmanager
    async def _engine(self, model: str | None) -> AsyncIterator[Engine]:
        """The engine at work, or that of `model`; afterwards the one before is put back."""
        before = next(found.path for found in self._models.describe() if found.kind == "chat")
        if model is None or Path(model).expanduser() == Path(before):
            yield await self._models.chat()
            return
        await self._models.choose_chat(Path(model).expanduser())
        try:
            yield await self._models.chat()
        finally:
            # A task of its own: who asked for it may go away while it is put back.
            task = asyncio.create_task(self._put_back(Path(before)))
            self._restoring.add(task)
            task.add_done_callback(self._restoring.discard)
            await asyncio.shield(task)

    async def _put_back(self, path: Path) -> None:
        try:
            await self._models.choose_chat(path)
        except AppError as error:
            self._log.warning("the model before could not be put back", extra={"code": error.code})


def _messages(
    engine: Engine, audit: Audit, question: str, read: tuple[Source, ...]
) -> tuple[ChatMessage, ...]:
    """The stored prompt; where there is none (quotes), the one that this model would get."""
    if audit.prompt is not None:
        return tuple(ChatMessage(turn.role, turn.content) for turn in audit.prompt)
    if not is_tiny(engine):
        return prompt.full(question, read)
    cited = [
        source.passage.text[citation.quote_start : citation.quote_end]
        for citation in audit.message.citations
        for source in read
        if source.number == citation.source
    ]
    return prompt.tiny(question, [" ".join(text.split()) for text in reversed(cited)])


def _sampling(stored: dict[str, object]) -> Sampling:
    """What is stored of how tokens were chosen; what this Carrel does not know is left out."""
    return msgspec.convert(stored, Sampling)


def _brief(
    engine: Engine, audit: Audit, question: str, read: tuple[Source, ...], generation: Generation
) -> Brief:
    return Brief(
        engine=engine,
        sources=audit.message.sources,
        found=audit.message.found,
        evidence=Evidence(read, question),
        generation=generation,
    )
