"""What every route is given: who calls, through which door, and the backend to turn to."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.backend.services import Backend
from app.errors import UnauthorizedError
from app.gateway.access import KnownSessions, caller_of
from app.gateway.door import Door, door_of
from app.gateway.limits import Limits
from app.gateway.listeners import Listeners
from app.gateway.windows import Windows
from app.log import trace_id


@dataclass(frozen=True, slots=True)
class Desk:
    """What the routes of one application share."""

    backend: Backend
    listeners: Listeners
    sessions: KnownSessions
    windows: Windows
    limits: Limits


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request, past the doors."""

    request: Request
    desk: Desk

    @property
    def backend(self) -> Backend:
        return self.desk.backend

    @property
    def door(self) -> Door:
        return door_of(self.request.scope)

    @property
    def trace_id(self) -> str:
        return trace_id.get()

    @property
    def client(self) -> str:
        """Which of those who ask it is: a session each, and whoever has none together."""
        return caller_of(self.request.scope).session or ""

    @property
    def at_the_window(self) -> bool:
        """Whether it comes from this program's own window or command line."""
        return self.door.kind == "in_process"

    @property
    def known_user(self) -> str | None:
        """The user, or None on the routes that are open to all."""
        return caller_of(self.request.scope).user_id

    @property
    def user_id(self) -> str:
        """The user.

        Raises:
            UnauthorizedError: nobody is signed in (on the routes that are open to all).
        """
        user_id = self.known_user
        if user_id is None:
            raise UnauthorizedError
        return user_id


async def _arrived(request: Request) -> Arrived:
    return Arrived(request, request.app.state.desk)


Call = Annotated[Arrived, Depends(_arrived)]
