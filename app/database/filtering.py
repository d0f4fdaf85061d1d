"""The documents that a filter leaves, as a condition of SQL."""

import json
import os
from dataclasses import dataclass, field

import sqlite_utils

from app.filters import EVERYTHING, Filter, media_types

IN_FOLDERS = """
    watched_folders q JOIN places p ON p.user_id = q.user_id AND p.path >= q.place
        AND p.path < CAST(substr(q.place, 1, length(q.place) - 1) || :after AS BLOB)
    WHERE q.user_id = :user AND p.document IS NOT NULL
"""
"""The places `p` that lie in a followed folder `q` of this user, as the end of a query."""

# A folder's place ends with the separator: paths in it come before those that go on with the next sign.
AFTER_SEPARATOR = chr(ord(os.sep) + 1)

_IN_COLLECTIONS = f"""
    SELECT m.document FROM collections c JOIN collection_documents m ON m.collection = c.serial
    WHERE c.user_id = :user AND c.id IN (SELECT value FROM json_each(:collections))
    UNION ALL
    SELECT p.document FROM {IN_FOLDERS} AND q.id IN (SELECT value FROM json_each(:collections))
"""  # noqa: S608 - only the constant above is put in


@dataclass(frozen=True, slots=True)
class Condition:
    """Holds for the rows `d` of the documents table that may be searched; `values` are its parameters."""

    sql: str
    values: dict[str, object] = field(default_factory=dict)


def condition(user_id: str, limited: Filter = EVERYTHING) -> Condition:
    """This user's documents within a filter."""
    parts = ["d.user_id = :user"]
    values: dict[str, object] = {"user": user_id}
    if limited.documents:
        parts.append("d.id IN (SELECT value FROM json_each(:documents))")
        values["documents"] = json.dumps(limited.documents)
    if limited.collections:
        parts.append(f"d.serial IN ({_IN_COLLECTIONS})")
        values |= {"collections": json.dumps(limited.collections), "after": AFTER_SEPARATOR}
    if limited.types:
        parts.append("d.media_type IN (SELECT value FROM json_each(:media))")
        values["media"] = json.dumps(media_types(limited.types))
    # As the index documents_by_date has it.
    if limited.since is not None:
        parts.append("coalesce(d.dated, d.added_at) >= :since")
        values["since"] = limited.since
    if limited.until is not None:
        parts.append("coalesce(d.dated, d.added_at) < :until")
        values["until"] = limited.until
    return Condition(" AND ".join(parts), values)


def size(db: sqlite_utils.Database, where: Condition) -> tuple[int, int]:
    """How many documents it leaves, and about how many passages they have."""
    query = f"SELECT count(*), coalesce(sum(d.passages), 0) FROM documents d WHERE {where.sql}"  # noqa: S608 - see above
    documents, passages = db.execute(query, where.values).fetchone()
    return int(documents), int(passages)
