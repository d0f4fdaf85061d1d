"""Single messages as the gateway reads and rates them."""

import asyncio
from collections.abc import Sequence

from app.audit import Audit
from app.backend.feed import Feed
from app.database.audits import Audits
from app.database.ratings import Ratings
from app.events import AnswerRated
from app.records import Message, RatingReason, Thumb


class MessageService:
    """What there is about a message beyond its conversation. Used on the gateway's loop."""

    def __init__(self, audits: Audits, ratings: Ratings, feed: Feed) -> None:
        self._audits = audits
        self._ratings = ratings
        self._feed = feed

    async def get(self, user_id: str, message_id: str) -> Audit:
        """A message and all that stood behind it; raises NotFoundError."""
        return await asyncio.to_thread(self._audits.get, user_id, message_id)

    async def rate(
        self,
        user_id: str,
        message_id: str,
        thumb: Thumb,
        *,
        reasons: Sequence[RatingReason] = (),
        comment: str = "",
    ) -> Message:
        """Rate an answer in place of its earlier rating; every window is told.

        Raises:
            NotFoundError: there is no such message (any more).
            InvalidRequestError: it is a question, or an answer that is still being written.
        """
        rated = await asyncio.to_thread(
            self._ratings.put, user_id, message_id, thumb, reasons=reasons, comment=comment.strip()
        )
        self._feed.publish(AnswerRated(rated.conversation_id, rated.id, rated.rating))
        return rated

    async def unrate(self, user_id: str, message_id: str) -> Message:
        """Take a rating back; raises as `rate` does."""
        rated = await asyncio.to_thread(self._ratings.remove, user_id, message_id)
        self._feed.publish(AnswerRated(rated.conversation_id, rated.id, None))
        return rated
