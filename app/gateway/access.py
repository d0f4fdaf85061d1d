"""Who may pass: the Host and Origin of the request, the secret of its door, its bearer session."""

import hashlib
import hmac
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.backend.accounts import Accounts
from app.errors import ForbiddenError, UnauthorizedError
from app.gateway.door import Door, door_of
from app.gateway.errors import ClosingError

# What a client of a door with a secret shows (see Listeners.listen_local).
LOCAL_HEADER = "x-carrel-local"

_KEY = "carrel.caller"
_SECONDS_REMEMBERED = 30.0
_SESSIONS_REMEMBERED = 256


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. Without a session both are None; `session` is a fingerprint, never the token."""

    user_id: str | None
    session: str | None


class Access:
    """Lets a request pass, or answers 401 or 403 before anything of it is read."""

    def __init__(self, app: ASGIApp, sessions: "KnownSessions") -> None:
        self.app = app
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = door_of(scope)
        if door.closed:
            raise ClosingError
        headers = Headers(scope=scope)
        _check_origin(door, headers)
        _check_secret(door, headers)
        token = bearer(headers)
        user_id = await self.sessions.user(token) if token else None
        if user_id is None and not _open_to_all(scope, door):
            raise UnauthorizedError
        session = fingerprint(token) if token and user_id else None
        scope[_KEY] = Caller(user_id, session)
        await self.app(scope, receive, send)


class KnownSessions:
    """Whose token it is. An answer is remembered for half a minute: the store is on disk."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._known: OrderedDict[str, tuple[str, float]] = OrderedDict()

    async def user(self, token: str) -> str | None:
        """The user of `token`, or None when it is no (longer a) session."""
        print_ = fingerprint(token)
        known = self._known.get(print_)
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        self._known.pop(print_, None)
        try:
            user_id = await self._accounts.user_of(token)
        except UnauthorizedError:
            return None
        self._known[print_] = user_id, time.monotonic() + _SECONDS_REMEMBERED
        while len(self._known) > _SESSIONS_REMEMBERED:
            self._known.popitem(last=False)
        return user_id

    async def end(self, token: str) -> None:
        """End a session, at once."""
        self._known.pop(fingerprint(token), None)
        await self._accounts.end_session(token)


def caller_of(scope: Scope) -> Caller:
    """Who sent the request of `scope`."""
    return cast("Caller", scope[_KEY])


def fingerprint(token: str) -> str:
    """A name for a session that cannot be turned back into its token."""
    return hashlib.sha256(token.encode()).hexdigest()


def bearer(headers: Headers) -> str | None:
    """The bearer token of a request, if it carries one."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _open_to_all(scope: Scope, door: Door) -> bool:
    match scope["method"], scope["path"]:
        case "GET", "/health":
            return True
        case "POST", "/sessions":
            return door.kind != "tcp"
        case _:
            return False


def _check_origin(door: Door, headers: Headers) -> None:
    """Keep web pages out: they may reach the port, but cannot forge these headers.

    The Host check stops DNS rebinding (a page's own name pointing to this computer); the Origin
    and Sec-Fetch-Site checks stop pages of other sites.
    """
    if door.hosts is None:
        return
    hosts = headers.getlist("host")
    if len(hosts) != 1 or hosts[0].lower() not in door.hosts:
        raise ForbiddenError("This address is not served here (Host).")
    allowed = {f"http://{host}" for host in door.hosts}
    if any(origin.lower() not in allowed for origin in headers.getlist("origin")):
        raise ForbiddenError("Requests from web pages of other sites are refused (Origin).")
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise ForbiddenError("Requests from web pages of other sites are refused (Sec-Fetch-Site).")


def _check_secret(door: Door, headers: Headers) -> None:
    if door.secret is None:
        return
    if not hmac.compare_digest(headers.get(LOCAL_HEADER, "").encode(), door.secret.encode()):
        raise ForbiddenError("This door is for its owner alone.")
