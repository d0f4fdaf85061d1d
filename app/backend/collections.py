"""Collections as the gateway lists, makes, changes and deletes them."""

import asyncio
from collections.abc import Sequence

from app.backend.feed import Feed
from app.database.collections import Collections
from app.events import CollectionChanged, CollectionRemoved
from app.records import Collection


class CollectionService:
    """The collections of each user. Every change is published to the feed."""

    def __init__(self, collections: Collections, feed: Feed) -> None:
        self._collections = collections
        self._feed = feed

    async def list(self, user_id: str) -> tuple[Collection, ...]:
        """The collections of this user by name, then the folders that are followed."""
        return await asyncio.to_thread(self._collections.list, user_id)

    async def create(self, user_id: str, name: str, documents: Sequence[str] = ()) -> Collection:
        """A new collection with these documents; raises CollectionError, NotFoundError."""
        made = await asyncio.to_thread(self._collections.create, user_id, name, documents)
        self._feed.publish(CollectionChanged(made))
        return made

    async def change(
        self,
        user_id: str,
        collection_id: str,
        *,
        name: str | None = None,
        add: Sequence[str] = (),
        remove: Sequence[str] = (),
    ) -> Collection:
        """Rename it, put documents in and take others out; raises CollectionError, NotFoundError."""
        changed = await asyncio.to_thread(
            self._collections.change, user_id, collection_id, name=name, add=add, remove=remove
        )
        self._feed.publish(CollectionChanged(changed))
        return changed

    async def delete(self, user_id: str, collection_id: str) -> None:
        """Remove a collection, and none of its documents; raises CollectionError."""
        await asyncio.to_thread(self._collections.delete, user_id, collection_id)
        self._feed.publish(CollectionRemoved(collection_id))
