"""What the keywords of a JSON schema hold, or why it cannot be followed there (`where`)."""

from collections.abc import Mapping
from typing import Any

from app.errors import InvalidRequestError

Schema = Mapping[str, Any]

ANNOTATIONS = frozenset(("$schema", "$id", "$anchor", "$comment", "$defs", "definitions")) | frozenset(
    ("title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly")
)
"""Keywords that say nothing about which texts are right."""

_MOST_REPEATS = 10_000


def without_annotations(part: object) -> dict[str, Any] | None:
    """The keywords of a schema that say something about texts; None: it is no object."""
    if not isinstance(part, dict):
        return None
    return {name: value for name, value in part.items() if name not in ANNOTATIONS}


def members(keywords: Schema, where: str) -> dict[str, Any]:
    """The declared properties, in their order."""
    found = keywords.get("properties", {})
    if not isinstance(found, dict):
        raise refused(where, "has properties that are no object")
    return found


def required(keywords: Schema, where: str) -> list[str]:
    """The names of the properties that must be there."""
    found = keywords.get("required", [])
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise refused(where, "has a required that is no list of names")
    return found


def count(keywords: Schema, name: str, where: str) -> int | None:
    """How many items or characters."""
    found = keywords.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int) or not 0 <= found <= _MOST_REPEATS:
        raise refused(where, f"has a {name} that is no number from 0 to {_MOST_REPEATS:,}")
    return found


def bound(keywords: Schema, name: str, where: str) -> int | float | None:
    """A bound of numbers."""
    found = keywords.get(name)
    if found is None:
        return None
    if isinstance(found, bool) or not isinstance(found, int | float) or not abs(found) <= 10**300:
        raise refused(where, f"has a {name} that is no number")
    return found


def alone(keywords: Schema, name: str, where: str) -> object:
    """The value of a keyword beside which there may be no other."""
    refuse_others(keywords, {name}, where)
    return keywords[name]


def refuse_others(keywords: Schema, known: set[str], where: str) -> None:
    """Every keyword must be `known`: what is passed over would not hold."""
    for name in keywords:
        if name not in known:
            raise refused(where, f"has {name[:60]!r}, which cannot be expressed there")


def refused(where: str, why: str) -> InvalidRequestError:
    """The error to raise: the sentence's subject is the place, `why` the rest of it."""
    return InvalidRequestError(f"The JSON schema cannot be followed: {where} {why}.")
