"""Who uses this profile, and the sessions that prove it."""

import asyncio

from app.cache.sessions import Sessions
from app.database.users import Users
from app.errors import UnauthorizedError
from app.records import Session


class Accounts:
    """One local user today; a session says who a request is from."""

    def __init__(self, users: Users, sessions: Sessions) -> None:
        self._users = users
        self._sessions = sessions

    async def local_user(self) -> str:
        """The id of the person at this computer."""
        return await asyncio.to_thread(self._users.local)

    async def open_session(self) -> Session:
        """A new session of the local user. Its token is shown here and never again."""
        user_id = await self.local_user()
        return await asyncio.to_thread(self._sessions.create, user_id)

    async def user_of(self, token: str) -> str:
        """The user of a session, which is renewed by this.

        Raises:
            UnauthorizedError: the token is unknown, or its session has ended.
        """
        user_id = await asyncio.to_thread(self._sessions.user, token)
        if user_id is None:
            raise UnauthorizedError
        return user_id

    async def end_session(self, token: str) -> None:
        """End a session now. An unknown token is no error."""
        await asyncio.to_thread(self._sessions.end, token)
