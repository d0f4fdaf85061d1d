"""/watched: folders whose files are documents and stay what the files are."""

from fastapi import APIRouter, Response

from app.gateway.replies import Json
from app.gateway.routes.answers import WatchedFolders
from app.gateway.routes.bodies import Watch
from app.gateway.routes.call import Call
from app.records import WatchedFolder

router = APIRouter(tags=["documents"])


@router.get("/watched", response_model=WatchedFolders)
async def watched(call: Call) -> Json:
    """The folders that are followed, by path."""
    return Json(WatchedFolders(await call.backend.watching.list(call.user_id)))


@router.post("/watched", status_code=202, response_model=WatchedFolder)
async def watch(call: Call, body: Watch) -> Json:
    """Follow a folder; it is looked through in the background, until `scanned_at` is set."""
    folder = await call.backend.watching.add(call.user_id, body.path, body.include, body.exclude)
    return Json(folder, 202)


@router.delete("/watched/{folder_id}", status_code=204)
async def unwatch(call: Call, folder_id: str, documents: bool = False) -> Response:
    """Follow a folder no more; its documents stay unless `documents` is true. Files are not touched."""
    await call.backend.watching.remove(call.user_id, folder_id, documents=documents)
    return Response(status_code=204)
