"""How far the library is read with another embedding model, in words: the same wherever it is said."""

from app.records import Renewal


def in_short(renewal: Renewal) -> str:
    """How far it is, where there is little room."""
    return f"New model: {renewal.documents_read:,} of {renewal.documents:,} read"


def in_words(renewal: Renewal) -> str:
    """Two clauses: how far it is, and what answers until then."""
    noun = "document" if renewal.documents == 1 else "documents"
    read = f"{renewal.documents_read:,} of {renewal.documents:,} {noun}"
    meanwhile = (
        f"answers still come from {renewal.answers_from}"
        if renewal.answers_from
        else "the others are found by their words only"
    )
    return f"Reading the library with {renewal.model}: {read}; {meanwhile}."
