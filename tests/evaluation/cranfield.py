"""The Cranfield collection, as texts that the library here can index; see app.backend.evaluation."""

from collections.abc import Iterator
from pathlib import Path

from library import Text, plain

from app.backend.evaluation.public_sets import Query, cranfield_queries, cranfield_texts

__all__ = ["Query", "documents", "queries"]


def documents(folder: Path) -> Iterator[Text]:
    """Every abstract that is not empty, by its number."""
    return (plain(text.name, text.text) for text in cranfield_texts(folder))


def queries(folder: Path) -> list[Query]:
    """All queries, with the gains of what is relevant to each."""
    return cranfield_queries(folder)
