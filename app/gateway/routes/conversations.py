"""/conversations: list, read, rename, delete."""

from fastapi import APIRouter, Response

from app.gateway.replies import Json
from app.gateway.routes.answers import Conversations
from app.gateway.routes.bodies import Rename
from app.gateway.routes.call import Call
from app.records import Conversation, ConversationDetail

router = APIRouter(tags=["conversations"])


@router.get("/conversations", response_model=Conversations)
async def conversations(call: Call) -> Json:
    """Every conversation, the last used first."""
    return Json(Conversations(await call.backend.conversations.list(call.user_id)))


@router.get("/conversations/{conversation_id}", response_model=ConversationDetail)
async def conversation(call: Call, conversation_id: str) -> Json:
    """One conversation with its messages, oldest first."""
    return Json(await call.backend.conversations.get(call.user_id, conversation_id))


@router.patch("/conversations/{conversation_id}", response_model=Conversation)
async def rename(call: Call, conversation_id: str, body: Rename) -> Json:
    """Give a conversation another title."""
    return Json(await call.backend.conversations.rename(call.user_id, conversation_id, body.title))


@router.delete("/conversations/{conversation_id}", status_code=204)
async def delete(call: Call, conversation_id: str) -> Response:
    """Remove a conversation and its messages."""
    await call.backend.conversations.delete(call.user_id, conversation_id)
    return Response(status_code=204)
