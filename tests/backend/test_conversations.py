import asyncio

import pytest

from app.backend.conversations import ConversationService
from app.backend.feed import Feed
from app.database.connection import Database
from app.database.messages import Conversations
from app.database.users import Users
from app.errors import NotFoundError
from app.events import ConversationChanged, ConversationRemoved


@pytest.fixture
def database(profile):
    opened = Database(profile.database)
    opened.open()
    yield opened
    opened.close()


def test_a_rename_and_a_removal_reach_the_feed(database):
    async def main():
        user, forgotten = Users(database).local(), []
        feed = Feed()
        service = ConversationService(Conversations(database), feed, forget=lambda: forgotten.append(True))
        made = Conversations(database).create(user, "Rent")
        async with feed.subscribe() as changes:
            renamed = await service.rename(user, made.id, "Deposit")
            assert renamed.title == "Deposit"
            assert await anext(changes) == ConversationChanged(renamed)
            assert (await service.get(user, made.id)).conversation == renamed
            assert await service.list(user) == (renamed,)
            await service.delete(user, made.id)
            assert await anext(changes) == ConversationRemoved(made.id)
        assert forgotten == [True]
        with pytest.raises(NotFoundError):
            await service.get(user, made.id)

    asyncio.run(main())


def test_the_conversations_of_another_are_not_found(database):
    async def main():
        user = Users(database).local()
        service = ConversationService(Conversations(database), Feed(), forget=lambda: None)
        made = Conversations(database).create(user, "Rent")
        for refused in (
            service.get("another", made.id),
            service.rename("another", made.id, "Mine"),
            service.delete("another", made.id),
        ):
            with pytest.raises(NotFoundError):
                await refused
        assert await service.list(user) == (made,)

    asyncio.run(main())
