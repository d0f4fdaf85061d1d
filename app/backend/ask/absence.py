"""What is said, without a model, when there is nothing to answer from. Always the truth, and why."""

from collections.abc import Sequence

from app.filters import EVERYTHING, KIND_WORDS, Filter, period
from app.records import Document


def nothing_found(
    documents: Sequence[Document], limited: Filter = EVERYTHING, collections: Sequence[str] = ()
) -> str:
    """The answer when no passage was found.

    Args:
        documents: those within the filter, whatever their status.
        limited: what was searched.
        collections: the names of those that the filter names.
    """
    if limited and not documents:
        return none_such(limited, collections)
    if not documents:
        return "Nothing in your documents: there are none yet. Add a file, then ask again."
    unread = sum(not document.askable and document.status != "failed" for document in documents)
    failed = sum(not document.askable and document.status == "failed" for document in documents)
    if unread == len(documents):
        return f"Nothing in your documents can be searched yet: {_being_read(unread)}. Ask again in a moment."
    if failed == len(documents):
        those = "The chosen documents" if limited else "Your documents"
        return f"{those} could not be read, so there is nothing to answer from. Their entries say why."
    where = "the chosen documents" if limited else "your documents"
    text = f"Nothing in {where} matches this question."
    if unread:
        text += f" But {_being_read(unread)}; ask again in a moment."
    if failed:
        text += f" {failed} could not be read." if failed > 1 else " One of them could not be read."
    return text


def none_such(limited: Filter, collections: Sequence[str] = ()) -> str:
    """That a filter leaves nothing: "No document in “Taxes” is a spreadsheet from before 2020."

    Args:
        collections: the names of those that the filter names.
    """
    inside = f"in {' or '.join(f'“{name}”' for name in collections)}" if collections else ""
    what = " or ".join(KIND_WORDS[kind][0] for kind in limited.types)
    if limited.since is not None or limited.until is not None:
        what = f"{what} from {period(limited.since, limited.until)}".strip()
    subject = "None of the chosen documents" if limited.documents else "No document"
    if not what:
        return f"{subject} is {inside or 'there (any more)'}."
    return f"{subject} {inside} is {what}." if inside else f"{subject} is {what}."


def not_named(absent: Sequence[str], *, limited: bool = False) -> str:
    """The answer when passages were found, but none of them holds what the question names.

    Args:
        absent: what is missing, as the question has it.
        limited: only chosen documents were searched.
    """
    where = "the chosen documents" if limited else "your documents"
    quoted = [f"“{text}”" for text in absent]
    listed = quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
    return f"Nothing was found about {listed} in {where}. The nearest passages are listed as sources."


def _being_read(count: int) -> str:
    return "one is still being read" if count == 1 else f"{count:,} are still being read"
