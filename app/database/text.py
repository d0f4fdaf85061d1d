"""Texts as SQLite can hold them.

SQLite stores UTF-8. A lone surrogate (from a file name that is not UTF-8, or from JSON that was
written carelessly) has no UTF-8 form and is replaced, one code point for one, so that offsets
into the text stay true.
"""

import re
from typing import overload

import msgspec

_SURROGATES = re.compile("[\ud800-\udfff]")


@overload
def storable(text: str) -> str: ...
@overload
def storable(text: None) -> None: ...
def storable(text: str | None) -> str | None:
    """Return `text` with every lone surrogate replaced by U+FFFD; the length stays the same."""
    if text is None:
        return None
    return _SURROGATES.sub("\ufffd", text)


def as_json(value: object) -> str:
    """A record, or anything made of them, as the JSON of a column."""
    return msgspec.json.encode(value).decode()
