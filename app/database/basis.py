"""What an answer rests on, as columns of its message and as links to documents and passages.

These functions work within a transaction of the caller's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypedDict

import sqlite_utils

from app.audit import PromptMessage
from app.database.text import as_json, storable
from app.records import AnswerStyle, Source


class Basis(TypedDict, total=False):
    """Where an answer comes from; what is not given, there is none of. `found`: passages that matched."""

    sources: Sequence[Source]
    found: int
    style: AnswerStyle | None
    prompt: Sequence[PromptMessage] | None
    rendered_prompt: str | None
    model: str | None
    model_sha256: str | None
    sampling: Mapping[str, object] | None


def columns(basis: Basis) -> dict[str, object]:
    """Its columns in a message's row."""
    prompt, sampling = basis.get("prompt"), basis.get("sampling")
    turns = None if prompt is None else [replace(turn, content=storable(turn.content)) for turn in prompt]
    return {
        "sources": as_json([_storable_source(source) for source in basis.get("sources", ())]),
        "found": basis.get("found", 0),
        "style": basis.get("style"),
        "prompt": None if turns is None else as_json(turns),
        "rendered_prompt": storable(basis.get("rendered_prompt")),
        "model": storable(basis.get("model")),
        "model_sha256": basis.get("model_sha256"),
        "sampling": None if sampling is None else as_json(dict(sampling)),
    }


def link(db: sqlite_utils.Database, message: int, basis: Basis) -> None:
    """Link a message to the documents and passages of its sources."""
    sources = basis.get("sources", ())
    link_documents(db, message, [source.passage.document_id for source in sources])
    db.conn.executemany(
        "INSERT OR IGNORE INTO message_passages (message, passage, number, score, was_read)"
        " SELECT ?, id, ?, ?, ? FROM passages WHERE id = ?",
        [(message, source.number, source.score, int(source.read), source.passage.id) for source in sources],
    )


def link_documents(db: sqlite_utils.Database, message: int, document_ids: Sequence[str]) -> None:
    """Link a message to documents."""
    # A document may have been deleted between the search and now: then there is nothing to link.
    db.conn.executemany(
        "INSERT OR IGNORE INTO message_documents (message, document)"
        " SELECT ?, serial FROM documents WHERE id = ?",
        [(message, document_id) for document_id in document_ids],
    )


def _storable_source(source: Source) -> Source:
    passage = source.passage
    texts = {name: storable(getattr(passage, name)) for name in ("document_name", "heading", "text")}
    also = tuple(storable(name) for name in source.also)
    return replace(source, passage=replace(passage, **texts), also=also)
