"""Bounds on what a caller may send: the size of a body, and how many requests in a time."""

import math
import time
from dataclasses import dataclass, field

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import RateLimitedError, TooLargeError
from app.gateway.access import caller_of
from app.gateway.door import Kind, door_of


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds. Sizes in bytes; rates in requests per `window_s` seconds and session."""

    body: int = 8 * 1024 * 1024
    upload: int = 512 * 1024 * 1024
    window_s: int = 10
    # The window itself: a bound only against a loop gone wild.
    in_process: int = 20_000
    local: int = 5_000
    tcp: int = 500
    without_session: int = 100
    rates: dict[Kind, int] = field(init=False)

    def __post_init__(self) -> None:
        rates: dict[Kind, int] = {"in_process": self.in_process, "local": self.local, "tcp": self.tcp}
        object.__setattr__(self, "rates", rates)


class BodyLimit:
    """Refuses bodies over the limit, whether they say how long they are or not."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        limit = self.limits.upload if _is_upload(scope, headers) else self.limits.body
        said = headers.get("content-length", "0")
        if not said.isascii() or not said.isdigit() or int(said[:20]) > limit:
            raise _too_large(limit)
        size = 0

        async def receive_counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > limit:
                # This type alone passes through the framework's reading of bodies as it is.
                raise HTTPException(TooLargeError.status, _too_large(limit).message)
            return message

        await self.app(scope, receive_counted, send)


class RateLimit:
    """Refuses the requests of one session (or, without one, of one peer) that come too often."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self.app = app
        self._limiter = SlidingWindowCounterRateLimiter(MemoryStorage())
        self._items: dict[Kind, RateLimitItem] = {
            kind: RateLimitItemPerSecond(rate, limits.window_s) for kind, rate in limits.rates.items()
        }
        self._without_session = RateLimitItemPerSecond(limits.without_session, limits.window_s)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = door_of(scope).kind
        session = caller_of(scope).session
        if session is not None:
            item, who = self._items[kind], session
        else:
            item, who = self._without_session, "".join(map(str, (scope.get("client") or ("",))[:1]))
        if not await self._limiter.hit(item, kind, who):
            stats = await self._limiter.get_window_stats(item, kind, who)
            raise RateLimitedError(max(1, math.ceil(stats.reset_time - time.time())))
        await self.app(scope, receive, send)


def _is_upload(scope: Scope, headers: Headers) -> bool:
    return scope["path"] == "/documents" and headers.get("content-type", "").startswith("multipart/form-data")


def _too_large(limit: int) -> TooLargeError:
    return TooLargeError(f"The request is larger than {limit // 1_048_576} MiB.")
