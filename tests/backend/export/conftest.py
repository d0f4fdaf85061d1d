"""Conversations in a real database, with answers as they are stored."""

from collections.abc import AsyncGenerator

import pytest

from app.backend.export.selection import Selection
from app.backend.export.service import ExportService
from app.database.audits import Audits
from app.database.connection import Database
from app.database.messages import Conversations, Messages
from app.database.ratings import Ratings
from app.database.users import Users
from app.records import Citation, Passage, Source, Timings

NOTICE = "Either party may end the lease with three months’ notice."
RENT = "The rent is 900 euros."
TEXT = "The notice is three months. Dogs are welcome."


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Desk:
    """One user's conversations, and the export of them."""

    def __init__(self, database: Database) -> None:
        self.user = Users(database).local()
        self.conversations = Conversations(database)
        self.messages = Messages(database)
        self.ratings = Ratings(database)
        self.audits = Audits(database)
        self.service = ExportService(self.conversations, self.audits)

    def conversation(self, title="The lease"):
        return self.conversations.create(self.user, title)

    def answer(
        self, conversation, question="How long is the notice?", text=TEXT, *, checks=None, state="complete"
    ):
        """A question with its answer from two passages that were read and one that was not."""
        passages = [
            Passage(1, "d1", "Lease.pdf", True, 3, 0, len(NOTICE), "§ 7", NOTICE),
            Passage(2, "d1", "Lease.pdf", True, 4, 0, len(RENT), None, RENT),
            Passage(3, "d2", "notes.txt", False, 1, 0, 4, None, "Mist"),
        ]
        sources = [Source(n, passage, 1 / n, read=n < 3) for n, passage in enumerate(passages, 1)]
        first = text.find(".") + 1
        if checks is None:
            checks = [
                Citation(0, first, "supported", 1, 0, len(NOTICE)),
                Citation(first + 1, len(text), "unsupported", None, None, None),
            ]
        asked = self.messages.add_question(self.user, conversation.id, question)
        started = self.messages.start_answer(
            self.user,
            conversation.id,
            parent_id=asked.id,
            sources=sources,
            found=9,
            style="write",
            model="SmolLM2",
            model_sha256="5" * 64,
            sampling={"temperature": 0.0},
        )
        return self.messages.finish(
            started.id,
            state=state,
            text=text,
            citations=checks,
            timings=Timings(first_token_ms=800.0, decode_ms=900.0),
            raw_response=text,
        )

    async def export(self, form, selection=None, **options) -> str:
        chunks: AsyncGenerator[bytes, None] = self.service.stream(
            self.user, form, selection or Selection(), **options
        )
        return b"".join([chunk async for chunk in chunks]).decode()


@pytest.fixture
def desk(tmp_path):
    database = Database(tmp_path / "library.sqlite")
    database.open()
    yield Desk(database)
    database.close()


@pytest.fixture
def supported():
    """The checks of a text of one sentence that rests on source 2."""
    return lambda text: [Citation(0, len(text), "supported", 2, 0, len(RENT))]
