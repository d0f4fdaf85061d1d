"""JSON answers: records as they are, errors in one shape."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from app.errors import AppError
from app.log import trace_id

_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}


class Json(Response):
    """Records (or plain values around them) as JSON."""

    media_type = "application/json"

    def __init__(
        self, content: object, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, {**_HEADERS, **(headers or {})})

    def render(self, content: object) -> bytes:
        return msgspec.json.encode(content)


def error_body(code: str, message: str, status: int) -> dict[str, dict[str, str]]:
    """An error on the wire: the same everywhere, and what the `openai` client expects."""
    return {"error": {"code": code, "message": message, "type": _type(status), "trace_id": trace_id.get()}}


def error_reply(code: str, message: str, status: int, headers: Mapping[str, str] | None = None) -> Json:
    """The answer for an error."""
    return Json(error_body(code, message, status), status, headers)


def app_error_reply(error: AppError) -> Json:
    """The answer for `error`: its status, code and sentence, and when to come again."""
    headers = {}
    if error.status == 401:
        headers["www-authenticate"] = "Bearer"
    retry_after = getattr(error, "retry_after", None)
    if retry_after is not None:
        headers["retry-after"] = str(retry_after)
    return error_reply(error.code, error.message, error.status, headers)


def _type(status: int) -> str:
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
