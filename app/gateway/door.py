"""The ways in: inside this process, the owner's local socket, and a TCP port of this computer.

Which door a request came through is decided by where it arrived, never by what it says: a door
wraps the application it leads to and marks the scope itself.
"""

from collections.abc import Callable
from typing import Literal, cast

from starlette.types import ASGIApp, Receive, Scope, Send

Kind = Literal["in_process", "local", "tcp"]

_KEY = "carrel.door"


class Door:
    """One way in. Belongs to one loop.

    `hosts` are the only values of the Host header that may pass (None: any; nothing but our own
    client reaches this door). `secret`, where there is one, must be shown with every request.
    """

    def __init__(self, kind: Kind, *, hosts: frozenset[str] | None = None, secret: str | None = None) -> None:
        self.kind: Kind = kind
        self.hosts = hosts
        self.secret = secret
        self.closed = False
        self._watchers: set[Callable[[], None]] = set()

    def to(self, application: ASGIApp) -> ASGIApp:
        """`application` behind this door."""

        async def behind(scope: Scope, receive: Receive, send: Send) -> None:
            scope[_KEY] = self
            await application(scope, receive, send)

        return behind

    def watch(self, on_close: Callable[[], None]) -> None:
        """Call `on_close` when the door closes."""
        self._watchers.add(on_close)

    def unwatch(self, on_close: Callable[[], None]) -> None:
        """Call it no more."""
        self._watchers.discard(on_close)

    def close(self) -> None:
        """End every stream behind this door. Requests that are no streams finish by themselves."""
        self.closed = True
        for on_close in list(self._watchers):
            on_close()


def door_of(scope: Scope) -> Door:
    """The door that the request of `scope` came through."""
    return cast("Door", scope[_KEY])
