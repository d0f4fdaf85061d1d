"""One line a request: method, route, status, duration, size. Never contents or query values."""

import logging
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.gateway.door import door_of

_log = logging.getLogger("app.gateway.request")

# What nginx writes for a client that went away before its answer; never sent.
_CLIENT_GONE = 499


class RequestLog:
    """Writes the line when the response has ended, however it ended."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = _CLIENT_GONE
        size = 0

        async def send_counted(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                size += len(message.get("body", b""))
            await send(message)

        began = time.perf_counter()
        try:
            await self.app(scope, receive, send_counted)
        finally:
            # The template, not the path: ids are of no use here, and a path can hold anything.
            route = getattr(scope.get("route"), "path", "-")
            took = (time.perf_counter() - began) * 1000
            _log.info(
                "%s %s %d",
                scope["method"],
                route,
                status,
                extra={"ms": round(took, 2), "bytes": size, "door": door_of(scope).kind},
            )
