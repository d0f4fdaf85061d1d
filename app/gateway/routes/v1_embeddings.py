"""POST /v1/embeddings: vectors of texts, as the OpenAI API gives them."""

import base64

from fastapi import APIRouter

from app.errors import InvalidRequestError
from app.gateway.connection import Connected
from app.gateway.replies import Json
from app.gateway.routes.call import Call
from app.gateway.routes.v1_bodies import Embeddings

router = APIRouter(tags=["OpenAI"], prefix="/v1")


@router.post("/embeddings")
async def embeddings(call: Call, body: Embeddings) -> Json:
    """Vectors of unit length, one a text; as numbers or as base64 of little-endian 32-bit floats."""
    if not all(text.strip() for text in body.texts):
        raise InvalidRequestError("input: an empty text has no vector")
    async with Connected(call.request.receive, call.door):
        found = await call.backend.models.embed(body.texts, body.model)
    if body.dimensions not in (None, found.vectors.shape[1]):
        raise InvalidRequestError(f"dimensions: this model makes vectors of {found.vectors.shape[1]}")
    little_endian = found.vectors.astype("<f4")
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(vector.tobytes()).decode()
            if body.encoding_format == "base64"
            else vector.tolist(),
        }
        for index, vector in enumerate(little_endian)
    ]
    usage = {"prompt_tokens": found.tokens, "total_tokens": found.tokens}
    return Json({"object": "list", "data": data, "model": found.model, "usage": usage})
