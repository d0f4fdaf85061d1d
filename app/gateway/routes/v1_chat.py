"""POST /v1/chat/completions, as the OpenAI API answers it, whole or streamed."""

import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter, Response

from app.backend.ask.completion import Completed, CompletionEvent, CompletionRequest, Said, Scored
from app.events import Delta
from app.gateway.connection import Connected
from app.gateway.errors import ClosingError, as_problem
from app.gateway.event_stream import EventStream, unnamed
from app.gateway.replies import Json, error_body
from app.gateway.routes.call import Call
from app.gateway.routes.v1_bodies import ChatCompletion
from app.logprobs import TokenLogprob
from app.records import Usage

router = APIRouter(tags=["OpenAI"], prefix="/v1")

_DONE = b"data: [DONE]\n\n"


@router.post("/chat/completions")
async def chat(call: Call, body: ChatCompletion) -> Response:
    """Answer a conversation. The model `carrel` answers from the documents, with sources."""
    events = call.backend.completions.complete(
        call.user_id, _request(body, call.client), trace_id=call.trace_id
    )
    answer = _Answer(body.model)
    if body.stream:
        return await EventStream.begin(
            call.request,
            answer.blocks(events, wants_usage=body.wants_usage),
            farewell=lambda: _failed(ClosingError()),
        )
    async with Connected(call.request.receive, call.door):
        return Json(await answer.whole(events))


class _Answer:
    """One answer in the words of the OpenAI API."""

    def __init__(self, model: str) -> None:
        self._head = {
            "id": f"chatcmpl-{secrets.token_hex(12)}",
            "created": int(time.time()),
            "model": model,
        }

    async def whole(self, events: AsyncGenerator[CompletionEvent, None]) -> dict[str, object]:
        text: list[str] = []
        logprobs: list[TokenLogprob] = []
        async with aclosing(events):
            async for event in events:
                if isinstance(event, Delta):
                    text.append(event.text)
                    logprobs += event.logprobs if isinstance(event, Scored) else ()
                elif isinstance(event, Completed):
                    message = {"role": "assistant", "content": "".join(text), "refusal": None}
                    choice = {
                        "index": 0,
                        "message": message,
                        "logprobs": _logprobs(logprobs),
                        "finish_reason": event.reason,
                    }
                    return {
                        **self._head,
                        "object": "chat.completion",
                        "choices": [choice],
                        "usage": _usage(event.usage),
                        "sources": event.sources,
                        "dropped_messages": event.dropped,
                    }
        raise RuntimeError("the answer has no end")

    async def blocks(
        self, events: AsyncGenerator[CompletionEvent, None], *, wants_usage: bool
    ) -> AsyncGenerator[bytes, None]:
        begun = False
        try:
            async with aclosing(events):
                async for event in events:
                    if not begun:
                        begun = True
                        yield self._chunk({"role": "assistant", "content": ""})
                    if isinstance(event, Delta):
                        logprobs = event.logprobs if isinstance(event, Scored) else ()
                        yield self._chunk({"content": event.text}, logprobs=logprobs)
                    elif isinstance(event, Completed):
                        yield self._chunk(
                            {}, event.reason, sources=event.sources, dropped_messages=event.dropped
                        )
                        if wants_usage:
                            yield self._block(choices=[], usage=_usage(event.usage))
                        yield _DONE
                        return
        except Exception as error:
            if not begun:
                raise
            yield _failed(error)

    def _chunk(
        self,
        delta: dict[str, str],
        reason: str | None = None,
        logprobs: Sequence[TokenLogprob] = (),
        **more: object,
    ) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": _logprobs(logprobs), "finish_reason": reason}
        return self._block(choices=[choice], **more)

    def _block(self, **fields: object) -> bytes:
        return unnamed({**self._head, "object": "chat.completion.chunk", **fields})


def _request(body: ChatCompletion, client: str) -> CompletionRequest:
    return CompletionRequest(
        model=body.model,
        messages=tuple(
            Said("system" if turn.role == "developer" else turn.role, turn.text) for turn in body.messages
        ),
        max_tokens=body.longest,
        sampling=body.sampling,
        schema=body.schema_of_answer,
        logprobs=body.alternatives,
        stop=body.stops,
        limited=body.limited,
        client=client,
        deadline=body.deadline_s,
        drops_oldest=body.on_overflow == "drop_oldest",
    )


def _failed(error: Exception) -> bytes:
    problem = as_problem(error)
    return unnamed(error_body(problem.code, problem.message, getattr(error, "status", 500)))


def _logprobs(tokens: Sequence[TokenLogprob]) -> dict[str, object] | None:
    return {"content": list(tokens), "refusal": None} if tokens else None


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }
