"""What a question is limited to: whether it can be, and what to say where that leaves nothing."""

import asyncio
from dataclasses import replace

from app.backend.ask.absence import nothing_found
from app.database.documents import Documents
from app.errors import FilterError
from app.filters import Filter


class Limits:
    """The filters of one profile's questions."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def settle(self, user_id: str, limited: Filter) -> Filter:
        """The filter with each value once, all of them known to be this user's.

        Raises:
            FilterError: its time ends before it begins.
            NotFoundError: no such document.
        """
        if limited.since is not None and limited.until is not None and limited.until <= limited.since:
            raise FilterError("The time that the documents are to be from ends before it begins.")
        documents, types = dict.fromkeys(limited.documents), dict.fromkeys(limited.types)

        def check() -> None:
            for document_id in documents:
                self._documents.get(user_id, document_id)

        if documents:
            await asyncio.to_thread(check)
        return replace(limited, documents=tuple(documents), types=tuple(types))

    async def nothing_found(self, user_id: str, limited: Filter) -> str:
        """Why nothing was found within a settled filter, as a sentence for the user."""
        documents = await asyncio.to_thread(self._documents.list, user_id, limited)
        return nothing_found(documents, limited)
