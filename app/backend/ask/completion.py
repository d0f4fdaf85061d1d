"""Answers for tools that speak the OpenAI API. Nothing of it is stored.

The model name "carrel" answers the last user message from the documents: the text carries [n]
marks after its sentences and ends with the list of the sources they name. The name of the chat
model itself is a plain conversation without documents.
"""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from app.backend.ask.brief import Preparation
from app.backend.ask.limits import Limits
from app.backend.ask.prompt import Turn
from app.backend.ask.whole.reader import Order, WholeReader
from app.backend.ask.writing import writing_of
from app.errors import ContextOverflowError, InvalidRequestError, NotFoundError
from app.events import Delta
from app.filters import EVERYTHING, Filter
from app.logprobs import TokenLogprob
from app.records import Citation, Manner, Source, Usage
from app.serving.constraints import json_schema
from app.serving.engine import Engine
from app.serving.generation import Asker, ChatMessage, End, EndReason, Generation, Prompt, Sampling
from app.serving.models import Models

CARREL = "carrel"

# What stands at or after one of these may be the end of a sentence, where a mark may follow.
_MAYBE_END = re.compile(r"[.!?…。！？\n]")


@dataclass(frozen=True, slots=True)
class Said:
    """One message of the request."""

    role: Literal["system", "user", "assistant"]
    text: str


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """A request for a completion. What is None is as the settings or the model have it.

    `sampling` has fields of `Sampling` by their names; `schema` is a JSON schema that the answer
    follows. `logprobs` asks for the likelihood of each token and of that many others.
    `limited` holds for the answers of "carrel". `client` is which of those who
    ask it is, where a busy model is shared. `deadline`: seconds the model may take, waiting included.
    `drops_oldest`: where the messages do not fit, the oldest are left out and their places told,
    instead of refusing; never the instructions nor the last message.
    """

    model: str
    messages: tuple[Said, ...]
    max_tokens: int | None = None
    sampling: Mapping[str, Any] = field(default_factory=dict)
    schema: object = None
    logprobs: int | None = None
    stop: tuple[str, ...] = ()
    limited: Filter = EVERYTHING
    client: str = ""
    deadline: float | None = None
    drops_oldest: bool = False


@dataclass(frozen=True, slots=True)
class Scored(Delta):
    """The next piece of the text, and how likely the tokens were that it was made from."""

    logprobs: tuple[TokenLogprob, ...] = ()


@dataclass(frozen=True, slots=True)
class Completed:
    """The end of a completion. `sources` are those the answer cites ("carrel" only).

    `dropped` are the places, from 0, of the messages that the model was not shown for want of room.
    """

    reason: Literal["stop", "length"]
    usage: Usage
    sources: tuple[Source, ...] = ()
    dropped: tuple[int, ...] = ()


CompletionEvent = Delta | Completed


class CompletionService:
    """Completions with and without documents. Used on the gateway's loop."""

    def __init__(
        self,
        *,
        preparation: Preparation,
        whole: WholeReader,
        models: Models,
        limits: Limits,
        answer_tokens: int = 400,
        temperature: float = 0.0,
    ) -> None:
        """`answer_tokens` and `temperature` hold where a request does not say otherwise."""
        self._preparation = preparation
        self._whole = whole
        self._models = models
        self._limits = limits
        self._answer_tokens = answer_tokens
        self._temperature = temperature
        self._log = logging.getLogger(__name__)

    def names(self) -> tuple[str, ...]:
        """What a request can name: "carrel", then the models."""
        return (CARREL, *(model.name for model in self._models.describe()))

    async def complete(
        self, user_id: str, request: CompletionRequest, *, trace_id: str
    ) -> AsyncGenerator[CompletionEvent, None]:
        """Answer: Deltas, then one Completed unless it raises. Closing the iterator stops it.

        Where likelihoods were asked for, the Deltas are Scored.

        Raises (before the first event):
            InvalidRequestError: there is no question, a value is out of its range, a grammar or
                schema cannot be followed, or "carrel" is asked for one.
            FilterError: its limits contradict each other.
            NotFoundError: no such model, document or collection.
            ContextOverflowError: the messages do not fit in the model's context window.
            ModelError: there is no chat model, or it is busy.
        Raises (at any time):
            DecodeError: the model failed.
            DeadlineError: it took longer than it may.
            InvalidRequestError: the grammar came to where this model cannot follow it.
        """
        carrel = request.model == CARREL
        if carrel:
            _refuse_form(request)
        events = self._from_documents(user_id, request) if carrel else self._plain(request)
        reason = None
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Completed):
                    reason = event.reason
                yield event
        self._log.info("completed", extra={"trace_id": trace_id, "model": request.model, "reason": reason})

    async def _plain(self, request: CompletionRequest) -> AsyncGenerator[CompletionEvent, None]:
        self._check_name(request.model)
        engine = await self._models.chat()
        prompt, dropped = await asyncio.to_thread(_fitting, engine, request)
        generation = Generation(
            prompt,
            min(self._tokens(request), engine.context_length - len(prompt.tokens)),
            self._sampling(request),
            request.stop,
            logprobs=request.logprobs,
            asker=Asker(request.client),
            deadline=request.deadline,
        )
        async with aclosing(engine.generate(generation)) as items:
            async for item in items:
                if isinstance(item, End):
                    yield Completed(_reason(item.reason), item.usage, dropped=dropped)
                elif item.text:
                    yield Scored(item.text, item.logprobs) if item.logprobs else Delta(item.text)

    async def _from_documents(
        self, user_id: str, request: CompletionRequest
    ) -> AsyncGenerator[CompletionEvent, None]:
        question, turns = _question(request.messages)
        limited = await self._limits.settle(user_id, request.limited)
        engine = await self._models.chat()
        await self._preparation.check(engine, question)
        brief = None
        plan = await self._whole.plan(user_id, question, manner=Manner(), limited=limited)
        if plan is not None:
            # The stream begins, so that whoever waits for the documents to be read is not given up on.
            yield Delta("")
            order = Order(
                sampling=self._sampling(request),
                answer_tokens=self._tokens(request),
                asker=Asker(request.client),
                deadline=request.deadline,
            )
            brief = await self._whole.brief(plan, engine, order, tell=lambda _: None)
        if brief is None:
            brief = await self._preparation.brief(
                engine,
                user_id,
                question,
                turns=turns,
                limited=limited,
                sampling=self._sampling(request),
                answer_tokens=self._tokens(request),
            )
        generation = brief.generation and replace(
            brief.generation, stop=request.stop, asker=Asker(request.client), deadline=request.deadline
        )
        writing = writing_of(brief, question, generation)
        if writing is None:
            yield Delta(await self._limits.instead(brief, user_id, limited))
            yield Completed("stop", Usage(0, 0))
            return
        marked = Marked()
        async with aclosing(writing.events()) as events:
            async for event in events:
                text = marked.feed(event.text) if isinstance(event, Delta) else marked.check(event.citations)
                if text:
                    yield Delta(text)
        self._preparation.learn(engine, writing.end)
        cited = tuple(source for source in brief.sources if source.number in marked.cited)
        if text := marked.finish() + _listed(cited):
            yield Delta(text)
        yield Completed(_reason(writing.reason), writing.usage, cited)

    def _check_name(self, name: str) -> None:
        described = self._models.describe()
        if any(model.kind != "chat" and model.name == name for model in described):
            raise InvalidRequestError(f"{name} is for searching; it cannot answer.")
        if all(model.name != name for model in described):
            raise NotFoundError(f"There is no model called {name[:100]!r}; ask /v1/models for the names.")

    def _tokens(self, request: CompletionRequest) -> int:
        return request.max_tokens or self._answer_tokens

    def _sampling(self, request: CompletionRequest) -> Sampling:
        given = dict(request.sampling)
        if request.schema is not None:
            given["json_schema"] = json_schema.text_of(request.schema)
        return replace(Sampling(temperature=self._temperature), **given)


class Marked:
    """Puts [n] after each supported sentence while the text streams.

    Text goes out as soon as no mark can come before it any more: up to the first place where a
    sentence may end.
    """

    def __init__(self) -> None:
        self.cited: set[int] = set()
        self._waiting = ""
        self._given = 0

    def feed(self, text: str) -> str:
        """Take the next text; return what can go out."""
        self._waiting += text
        found = _MAYBE_END.search(self._waiting)
        return self._give(found.start() if found else len(self._waiting))

    def check(self, citations: Sequence[Citation]) -> str:
        """Take the checks of sentences that ended; return what can go out, with their marks."""
        given = ""
        for citation in citations:
            given += self._give(max(citation.end - self._given, 0))
            if citation.source is not None:
                self.cited.add(citation.source)
                given += f" [{citation.source}]"
        found = _MAYBE_END.search(self._waiting)
        return given + self._give(found.start() if found else len(self._waiting))

    def finish(self) -> str:
        """There is no more text and no more check: return the rest."""
        return self._give(len(self._waiting))

    def _give(self, length: int) -> str:
        given, self._waiting = self._waiting[:length], self._waiting[length:]
        self._given += len(given)
        return given


def _refuse_form(request: CompletionRequest) -> None:
    """An answer from documents is checked, marked and added to: it cannot keep a form, or its tokens."""
    if request.schema is not None or {"grammar", "json_schema"} & set(request.sampling):
        raise InvalidRequestError(
            f"response_format: answers of {CARREL!r} are text with marks and sources."
            " Name the chat model itself for an answer in a form."
        )
    if request.logprobs is not None:
        raise InvalidRequestError(
            f"logprobs: {CARREL!r} does not show the model's tokens as they are."
            " Name the chat model itself for their probabilities."
        )


def _fitting(engine: Engine, request: CompletionRequest) -> tuple[Prompt, tuple[int, ...]]:
    """The prompt, and the places of the messages that were left out of it."""
    messages = [ChatMessage(said.role, said.text) for said in request.messages]
    left_out: list[int] = []
    # Questions go with their answers: what is left begins with a question again.
    turns = [place for place, message in enumerate(messages[:-1]) if message.role != "system"]
    while True:
        prompt = engine.encode([message for place, message in enumerate(messages) if place not in left_out])
        try:
            engine.check(prompt)
        except ContextOverflowError:
            if not request.drops_oldest or not turns:
                raise
            left_out.append(turns.pop(0))
            while turns and messages[turns[0]].role != "user":
                left_out.append(turns.pop(0))
        else:
            return prompt, tuple(left_out)


def _question(messages: Sequence[Said]) -> tuple[str, tuple[Turn, ...]]:
    """The last user message, and the questions and answers before it."""
    turns = []
    asked: str | None = None
    last = max((number for number, said in enumerate(messages) if said.role == "user"), default=-1)
    for said in messages[: max(last, 0)]:
        if said.role == "user":
            asked = said.text
        elif said.role == "assistant" and asked is not None:
            turns.append(Turn(asked, said.text))
            asked = None
    if last < 0 or not messages[last].text.strip():
        raise InvalidRequestError("There is no question: the last user message is empty.")
    return messages[last].text.strip(), tuple(turns)


def _listed(sources: Sequence[Source]) -> str:
    if not sources:
        return ""
    lines = []
    for source in sources:
        passage = source.passage
        page = f", page {passage.page}" if passage.paged else ""
        lines.append(f"[{source.number}] {passage.document_name}{page}")
    return "\n\nSources:\n" + "\n".join(lines)


def _reason(reason: EndReason) -> Literal["stop", "length"]:
    return "length" if reason == "length" else "stop"
