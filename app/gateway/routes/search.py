"""POST /search: passages, without an answer."""

from fastapi import APIRouter

from app.gateway.replies import Json
from app.gateway.routes.bodies import Search
from app.gateway.routes.call import Call
from app.records import SearchResult

router = APIRouter(tags=["questions"])


@router.post("/search", response_model=SearchResult)
async def search(call: Call, body: Search) -> Json:
    """The best passages for a query, by words and by meaning."""
    return Json(
        await call.backend.ask.search(call.user_id, body.query, k=body.k, document_ids=body.document_ids)
    )
