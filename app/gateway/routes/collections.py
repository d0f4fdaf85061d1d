"""/collections: documents under a name."""

from fastapi import APIRouter, Response

from app.gateway.replies import Json
from app.gateway.routes.answers import Collections
from app.gateway.routes.bodies import ChangeCollection, NewCollection
from app.gateway.routes.call import Call
from app.records import Collection

router = APIRouter(tags=["documents"])


@router.get("/collections", response_model=Collections)
async def collections(call: Call) -> Json:
    """The collections by name, then the folders that are followed, which are collections, too."""
    return Json(Collections(await call.backend.collections.list(call.user_id)))


@router.post("/collections", status_code=201, response_model=Collection)
async def create(call: Call, body: NewCollection) -> Json:
    """Make a collection; its name is no other one's, whatever the capitals."""
    made = await call.backend.collections.create(call.user_id, body.name, body.document_ids or ())
    return Json(made, 201)


@router.patch("/collections/{collection_id}", response_model=Collection)
async def change(call: Call, collection_id: str, body: ChangeCollection) -> Json:
    """Rename a collection, put documents into it and take others out, all at once."""
    changed = await call.backend.collections.change(
        call.user_id, collection_id, name=body.name, add=body.add or (), remove=body.remove or ()
    )
    return Json(changed)


@router.delete("/collections/{collection_id}", status_code=204)
async def delete(call: Call, collection_id: str) -> Response:
    """Remove a collection. Its documents stay."""
    await call.backend.collections.delete(call.user_id, collection_id)
    return Response(status_code=204)
