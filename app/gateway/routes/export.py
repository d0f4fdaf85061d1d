"""GET /export: conversations as training examples, as Markdown, or whole."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.backend.export.selection import Rated, Selection
from app.backend.export.service import Format
from app.gateway.download import Download
from app.gateway.routes.bodies import Identifier
from app.gateway.routes.call import Call

router = APIRouter(tags=["conversations"])

_MEDIA_TYPES: dict[Format, str] = {
    "jsonl": "application/jsonl",
    "markdown": "text/markdown",
    "json": "application/json",
}


@router.get(
    "/export",
    responses={200: {"description": "The export, as it is made.", "content": {"application/jsonl": {}}}},
)
async def export(
    call: Call,
    *,
    form: Annotated[Format, Query(alias="format")] = "jsonl",
    rated: Rated | None = None,
    supported_only: bool = False,
    since: Annotated[float | None, Query(ge=0, allow_inf_nan=False)] = None,
    conversation: Identifier | None = None,
    passages: bool = True,
) -> Download:
    """Write conversations out. `since` is in seconds since the epoch; a body without its end is not whole."""
    selection = Selection(rated, supported_only, since, conversation)
    chunks = call.backend.export.stream(call.user_id, form, selection, passages=passages)
    return await Download.begin(call.request, chunks, media_type=_MEDIA_TYPES[form])
