"""Conversations as the gateway lists, reads, renames and deletes them."""

import asyncio
from collections.abc import Callable

from app.backend.feed import Feed
from app.database.messages import Conversations
from app.events import ConversationChanged, ConversationRemoved
from app.records import Conversation, ConversationDetail


class ConversationService:
    """The conversations of each user. Every change is published to the feed."""

    def __init__(self, conversations: Conversations, feed: Feed, *, forget: Callable[[], None]) -> None:
        """`forget` makes the models forget what they have read: what was deleted must be in it no more."""
        self._conversations = conversations
        self._feed = feed
        self._forget = forget

    async def list(self, user_id: str) -> tuple[Conversation, ...]:
        """Every conversation of this user, the one used last first."""
        return await asyncio.to_thread(self._conversations.list, user_id)

    async def get(self, user_id: str, conversation_id: str) -> ConversationDetail:
        """A conversation with its messages, oldest first; raises NotFoundError."""
        return await asyncio.to_thread(self._conversations.get, user_id, conversation_id)

    async def rename(self, user_id: str, conversation_id: str, title: str) -> Conversation:
        """Give a conversation another title; raises NotFoundError."""
        renamed = await asyncio.to_thread(self._conversations.rename, user_id, conversation_id, title)
        self._feed.publish(ConversationChanged(renamed))
        return renamed

    async def delete(self, user_id: str, conversation_id: str) -> None:
        """Remove a conversation with its messages; raises NotFoundError."""
        await asyncio.to_thread(self._conversations.delete, user_id, conversation_id)
        self._forget()
        self._feed.publish(ConversationRemoved(conversation_id))
