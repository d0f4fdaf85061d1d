import asyncio

import pytest

from app.backend.accounts import Accounts
from app.cache.sessions import Sessions
from app.database.connection import Database
from app.database.users import Users
from app.errors import UnauthorizedError


@pytest.fixture
def accounts(profile):
    database = Database(profile.database)
    database.open()
    sessions = Sessions(profile.sessions)
    yield Accounts(Users(database), sessions)
    sessions.close()
    database.close()


def test_a_session_is_the_local_users_until_it_is_ended(accounts):
    async def main():
        session = await accounts.open_session()
        assert session.user_id == await accounts.local_user()
        assert await accounts.user_of(session.token) == session.user_id
        await accounts.end_session(session.token)
        with pytest.raises(UnauthorizedError):
            await accounts.user_of(session.token)
        await accounts.end_session(session.token)

    asyncio.run(main())


def test_an_unknown_token_is_nobody(accounts):
    async def main():
        with pytest.raises(UnauthorizedError):
            await accounts.user_of("made up")

    asyncio.run(main())
