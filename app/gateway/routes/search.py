"""/search: passages, without an answer."""

from typing import Annotated

from fastapi import APIRouter, Query

from app.gateway.replies import Json
from app.gateway.routes.bodies import Search
from app.gateway.routes.call import Call
from app.records import SearchResult

router = APIRouter(tags=["questions"])


@router.post("/search", response_model=SearchResult)
async def search(call: Call, body: Search) -> Json:
    """The best passages for a query, by words and by meaning."""
    return await _found(call, body)


@router.get("/search", response_model=SearchResult)
async def search_by_address(call: Call, asked: Annotated[Search, Query()]) -> Json:
    """The same in one address: `/search?query=rent&types=pdf&since=2024`."""
    return await _found(call, asked)


async def _found(call: Call, asked: Search) -> Json:
    return Json(await call.backend.ask.search(call.user_id, asked.query, k=asked.k, limited=asked.limited))
