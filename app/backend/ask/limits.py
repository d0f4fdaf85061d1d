"""What a question is limited to: whether it can be, and what to say where that leaves nothing."""

import asyncio

from app.backend.ask.absence import not_named, nothing_found
from app.backend.ask.brief import Brief
from app.database.collections import Collections
from app.database.documents import Documents
from app.errors import FilterError
from app.filters import Filter
from app.records import Collection


class Limits:
    """The filters of one profile's questions."""

    def __init__(self, documents: Documents, collections: Collections) -> None:
        self._documents = documents
        self._collections = collections

    async def settle(self, user_id: str, limited: Filter) -> Filter:
        """The filter with each value once, all of them known to be this user's.

        Args:
            limited: may name collections by their names.

        Raises:
            FilterError: its time ends before it begins.
            CollectionError: no such collection, or several of this name.
            NotFoundError: no such document.
        """
        if limited.since is not None and limited.until is not None and limited.until <= limited.since:
            raise FilterError("The time that the documents are to be from ends before it begins.")
        documents, types = dict.fromkeys(limited.documents), dict.fromkeys(limited.types)

        def collections() -> tuple[str, ...]:
            for document_id in documents:
                self._documents.get(user_id, document_id)
            return tuple(known.id for known in self._named(user_id, limited))

        known = await asyncio.to_thread(collections) if documents or limited.collections else ()
        return Filter(tuple(documents), known, tuple(types), limited.since, limited.until)

    async def instead(self, brief: Brief, user_id: str, limited: Filter) -> str:
        """The fixed words for a brief that nothing is written from; `limited` is settled."""
        if brief.reply is not None:
            return brief.reply
        if brief.absent:
            return not_named(brief.absent, limited=bool(limited))
        return await self.nothing_found(user_id, limited)

    async def nothing_found(self, user_id: str, limited: Filter) -> str:
        """Why nothing was found within a settled filter, as a sentence for the user."""

        def work() -> str:
            names = [known.name for known in self._named(user_id, limited)]
            return nothing_found(self._documents.list(user_id, limited), limited, names)

        return await asyncio.to_thread(work)

    def _named(self, user_id: str, limited: Filter) -> tuple[Collection, ...]:
        return self._collections.named(user_id, limited.collections) if limited.collections else ()
