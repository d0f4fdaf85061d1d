"""From exceptions to answers: an AppError with its status, anything else as a bug with a trace ID."""

import logging

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import AppError, ConnectionLostError
from app.gateway.replies import app_error_reply, error_reply
from app.records import Problem

_log = logging.getLogger(__name__)

_CODES = {404: "not_found", 405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}
_SENTENCES = {404: "There is nothing at this address.", 405: "This address does not take that method."}


class ClientGoneError(Exception):
    """The client closed the connection; there is nobody to answer."""


class ClosingError(ConnectionLostError):
    """The gateway, or the door of this request, is closing."""

    status = 503

    def __init__(self) -> None:
        super().__init__("Carrel is closing, or its listener was switched off.")


class Guard:
    """Answers for whatever is raised below it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except (ClientGoneError, ClientDisconnect):
            return
        except AppError as error:
            if started:
                raise
            await app_error_reply(error)(scope, receive, send)
        except Exception:
            _log.exception("unexpected error")
            if started:
                raise
            await error_reply(*INTERNAL, 500)(scope, receive, send)


INTERNAL = ("internal", "Something went wrong in Carrel itself. The log has the details.")


def as_problem(error: Exception) -> Problem:
    """`error` as it crosses the wire inside a stream; a bug is logged."""
    if isinstance(error, AppError):
        return error.problem
    _log.error("unexpected error in a stream", exc_info=error)
    return Problem(*INTERNAL)


async def http_error(_request: Request, error: Exception) -> Response:
    """Answer for what the framework refused: unknown address, method, media type."""
    if not isinstance(error, HTTPException):
        raise error
    status = error.status_code
    code = _CODES.get(status, "invalid_request" if status < 500 else "internal")
    return error_reply(code, _SENTENCES.get(status, error.detail), status, error.headers)


async def validation_error(request: Request, error: Exception) -> Response:
    """Name the first field that is wrong; its value is not repeated (it may be a document's text)."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    if first["loc"] == ("body",) and "json" not in request.headers.get("content-type", ""):
        return error_reply("invalid_request", "Send the body as application/json.", 400)
    if first["type"] == "json_invalid":
        return error_reply("invalid_request", f"The body is not JSON (character {first['loc'][-1]}).", 400)
    place = ".".join(str(part) for part in first["loc"][1:])  # the first names where it was: body, query
    said = str(first["msg"]).removeprefix("Value error, ")
    return error_reply("invalid_request", f"{place}: {said}" if place else said, 400)
