"""Every request has a trace ID: the caller's (W3C traceparent) or a new one.

It is in every log line of the request, in its errors, and in the answer's headers.
"""

import re
import secrets

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.log import trace_id

# https://www.w3.org/TR/trace-context/#traceparent-header; later versions may append fields.
_TRACEPARENT = re.compile(
    rb"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    rb"(?P<more>-[\x21-\x7e]*)?"
)


class Trace:
    """Accepts or makes the trace ID, and returns it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = [value for name, value in scope["headers"] if name == b"traceparent"]
        accepted = accept(given[0]) if len(given) == 1 else None
        trace, flags = accepted or (secrets.token_hex(16), "00")
        returned = [
            (b"traceparent", f"00-{trace}-{secrets.token_hex(8)}-{flags}".encode()),
            (b"x-trace-id", trace.encode()),
        ]

        async def send_traced(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *returned]
            await send(message)

        before = trace_id.set(trace)
        try:
            await self.app(scope, receive, send_traced)
        finally:
            trace_id.reset(before)


def accept(traceparent: bytes) -> tuple[str, str] | None:
    """The trace ID and flags of a valid header value, else None."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or found["version"] == b"ff" or (found["version"] == b"00" and found["more"]):
        return None
    if not found["trace"].strip(b"0") or not found["span"].strip(b"0"):
        return None
    return found["trace"].decode(), found["flags"].decode()
