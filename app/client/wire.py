"""Reading what the gateway sends: JSON into records, server-sent events, errors."""

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import httpx2
import msgspec

from app.errors import ConnectionLostError, ReportedError
from app.records import Addition, Collection, Conversation, Document, Model, Problem, WatchedFolder

Value = TypeVar("Value")

# An event carries at most one message or one list of sources, as text.
_LARGEST_EVENT = 64 * 1024 * 1024


class Documents(msgspec.Struct, frozen=True):
    """GET /documents."""

    documents: tuple[Document, ...]


class Additions(msgspec.Struct, frozen=True):
    """POST /documents."""

    additions: tuple[Addition, ...]


class WatchedFolders(msgspec.Struct, frozen=True):
    """GET /watched."""

    folders: tuple[WatchedFolder, ...]


class Collections(msgspec.Struct, frozen=True):
    """GET /collections."""

    collections: tuple[Collection, ...]


class Conversations(msgspec.Struct, frozen=True):
    """GET /conversations."""

    conversations: tuple[Conversation, ...]


class Models(msgspec.Struct, frozen=True):
    """GET /models."""

    models: tuple[Model, ...]


class Stopped(msgspec.Struct, frozen=True):
    """POST /ask/{answer_id}/stop."""

    stopped: bool


class Shown(msgspec.Struct, frozen=True):
    """POST /window."""

    shown: bool


class Address(msgspec.Struct, frozen=True):
    """PUT /listener."""

    address: str | None


class _Error(msgspec.Struct, frozen=True):
    code: str
    message: str
    trace_id: str | None = None


class _Errors(msgspec.Struct, frozen=True):
    error: _Error


def read(answer: httpx2.Response, kind: type[Value]) -> Value:
    """The body of `answer` as a `kind`.

    Raises:
        ConnectionLostError: it is something else; the other side is no Carrel, or another one.
    """
    return _decoded(answer.content, kind)


def read_error(answer: httpx2.Response) -> ReportedError:
    """The error that `answer`, whose body has been read, reports."""
    try:
        found = msgspec.json.decode(answer.content, type=_Errors).error
    except (msgspec.MsgspecError, UnicodeDecodeError):
        problem = Problem("connection_lost", f"The other side answered with status {answer.status_code}.")
        return ReportedError(problem, answer.status_code, answer.headers.get("x-trace-id"))
    return ReportedError(Problem(found.code, found.message), answer.status_code, found.trace_id)


async def events(
    answer: httpx2.Response, kinds: Mapping[str, type[Value]], on_open: Callable[[], None] | None = None
) -> AsyncGenerator[Value, None]:
    """Yield the server-sent events of `answer` as they come, passing over names not in `kinds`.

    `on_open` is called once the gateway has accepted.

    Raises:
        ReportedError: the gateway refused instead.
        ConnectionLostError: an event cannot be understood.
        httpx2.TransportError: the stream broke.
    """
    if not answer.is_success:
        await answer.aread()
        raise read_error(answer)
    if on_open is not None:
        on_open()
    async for event in httpx2.EventSource(answer, max_event_size=_LARGEST_EVENT):
        kind = kinds.get(event.event)
        if kind is not None:
            yield _decoded(event.data, kind)


@contextmanager
def lost_when_broken() -> Iterator[None]:
    """Turn what breaks on the way into ConnectionLostError."""
    try:
        yield
    except httpx2.TimeoutException as error:
        raise ConnectionLostError("Carrel did not answer in time.") from error
    except (httpx2.RequestError, httpx2.StreamError) as error:
        raise ConnectionLostError("The connection to Carrel is lost.") from error


def _decoded(content: bytes | str, kind: type[Value]) -> Value:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ConnectionLostError("The other side's answer could not be understood.") from error
