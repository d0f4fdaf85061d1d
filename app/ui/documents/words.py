"""Documents in words: what state one is in, which files were refused and why."""

from collections.abc import Sequence

from app.records import Addition, Document

MOST_NAMED = 3


def description(document: Document) -> str:
    """One or two sentences on the state of a document, and what its reading came to."""
    match document.status:
        case "failed":
            why = document.error.message if document.error else "It could not be read."
            return f"{why}\nUntil it can be, what was read before is asked." if document.changed else why
        case "queued":
            if document.changed:
                return f"{document.name}\nIts file has changed and waits to be read again"
            return f"{document.name}\nWaiting to be read"
        case "reading":
            pages = f"{document.pages_read} of {document.pages} pages" if document.pages else "first page"
            return f"{document.name}\nReading: {pages}"
        case "embedding":
            return f"{document.name}\nIndexing: {document.passages_embedded} of {document.passages} passages"
    where = document.path or "kept in Carrel's own folder"
    lines = [where, _ledger(document)]
    if document.missing:
        lines.insert(1, "The file is not there now. What was read of it can be asked.")
    if document.read_s is not None and document.embed_s is not None:
        lines.append(f"Read in {_seconds(document.read_s)}, indexed in {_seconds(document.embed_s)}")
    return "\n".join(lines)


def refusal(additions: Sequence[Addition], count: int | None = None) -> str:
    """Which files were not taken, by reason; empty where all were.

    Args:
        count: how many these are in all, where not all are named.
    """
    reasons: dict[str, list[str]] = {}
    for addition in additions:
        if addition.problem is not None:
            reasons.setdefault(addition.problem.message, []).append(addition.name)
    lines = [f"{_listed(names)}: {reason}" for reason, names in reasons.items()]
    count = sum(map(len, reasons.values())) if count is None else count
    if count > 1:
        lines.insert(0, f"{count:,} files were not added.")
    return "\n".join(lines)


def _ledger(document: Document) -> str:
    parts = [_number(document.pages or 0, "page")] if document.paged else []
    if document.pages_empty:
        parts.append(f"{document.pages_empty:,} without text")
    if document.pages_by_ocr:
        parts.append(f"{document.pages_by_ocr:,} by OCR")
    return " · ".join([*parts, _number(document.passages, "passage")])


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    named = ", ".join(names[:MOST_NAMED])
    return f"{named} and {more:,} more" if more > 0 else named


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _seconds(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
