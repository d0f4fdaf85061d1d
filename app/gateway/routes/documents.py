"""/documents: add, list, read, delete."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import UploadFile

from app.errors import InvalidRequestError
from app.gateway.replies import Json
from app.gateway.routes.answers import Additions, Documents
from app.gateway.routes.bodies import Limits, Paths
from app.gateway.routes.call import Arrived, Call
from app.records import Addition, Document, Page

router = APIRouter(tags=["documents"])

Number = Annotated[int, Path(ge=1, le=10_000_000)]
Offset = Annotated[int, Query(ge=0, le=1_000_000_000)]

_CHUNK = 256 * 1024
_FILES_AT_ONCE = 1_000
_UPLOAD = {"type": "array", "items": {"type": "string", "format": "binary"}}


@router.get("/documents", response_model=Documents)
async def documents(call: Call, asked: Annotated[Limits, Query()]) -> Json:
    """Every document, or those within some limits, newest first."""
    limited = await call.backend.limits.settle(call.user_id, asked.limited)
    return Json(Documents(await call.backend.documents.list(call.user_id, limited)))


@router.post(
    "/documents",
    status_code=202,
    response_model=Additions,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": Paths.model_json_schema()},
                "multipart/form-data": {"schema": {"type": "object", "properties": {"files": _UPLOAD}}},
            },
        }
    },
)
async def add(call: Call) -> Json:
    """Add files: by path (JSON; folders are walked), or by content (multipart, field `files`)."""
    kind = call.request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return Json(Additions(await _upload(call)), 202)
    if kind != "application/json":
        raise InvalidRequestError("Send application/json with paths, or multipart/form-data with files.")
    try:
        body = _PATHS.validate_json(await call.request.body())
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InvalidRequestError(f"{place}: {first['msg']}" if place else first["msg"]) from None
    return Json(Additions(await call.backend.documents.add_paths(call.user_id, body.paths)), 202)


@router.get("/documents/{document_id}", response_model=Document)
async def document(call: Call, document_id: str) -> Json:
    """One document and how far its reading has come."""
    return Json(await call.backend.documents.get(call.user_id, document_id))


@router.delete("/documents/{document_id}", status_code=204)
async def delete(call: Call, document_id: str) -> Response:
    """Remove a document and everything made from it; a file that was added by path stays."""
    await call.backend.documents.delete(call.user_id, document_id)
    return Response(status_code=204)


@router.post("/documents/{document_id}/retry", response_model=Document, status_code=202)
async def retry(call: Call, document_id: str) -> Json:
    """Queue a failed document again."""
    return Json(await call.backend.documents.retry(call.user_id, document_id), 202)


@router.get("/documents/{document_id}/pages/{number}", response_model=Page)
async def page(call: Call, document_id: str, number: Number, start: Offset = 0, end: Offset = 0) -> Json:
    """A page as text, with the boxes of its characters `start` to `end`."""
    return Json(await call.backend.documents.page(call.user_id, document_id, number, start, end))


@router.get("/documents/{document_id}/pages/{number}/image", responses={200: {"content": {"image/png": {}}}})
async def page_image(
    call: Call, document_id: str, number: Number, width: Annotated[int, Query(ge=16, le=4_096)] = 1_200
) -> Response:
    """A page as a PNG, `width` pixels wide."""
    image = await call.backend.documents.page_image(call.user_id, document_id, number, width)
    return Response(image, media_type="image/png", headers={"x-content-type-options": "nosniff"})


async def _upload(call: Arrived) -> tuple[Addition, ...]:
    form = await call.request.form(max_files=_FILES_AT_ONCE, max_fields=16)
    try:
        files = [file for file in form.getlist("files") if isinstance(file, UploadFile)]
        if not files:
            raise InvalidRequestError("The form has no file in its field `files`.")
        added = [
            await call.backend.documents.add_upload(
                call.user_id, file.filename or "unnamed", _chunks(file), call.desk.limits.upload
            )
            for file in files
        ]
        return tuple(added)
    finally:
        await form.close()


async def _chunks(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(_CHUNK):
        yield chunk


_PATHS = TypeAdapter(Paths)
