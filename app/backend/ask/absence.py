"""What is said, without a model, when there is nothing to answer from. Always the truth, and why."""

from collections.abc import Collection, Sequence

from app.records import Document


def nothing_found(documents: Sequence[Document], chosen: Collection[str] | None = None) -> str:
    """The answer when no passage was found.

    Args:
        documents: all there are, whatever their status.
        chosen: the ids of those that were searched; None: all.
    """
    limited = chosen is not None
    documents = [document for document in documents if chosen is None or document.id in chosen]
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
