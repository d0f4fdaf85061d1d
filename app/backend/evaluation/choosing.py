"""Which questions are asked of a library: the same ones every time, an equal share of each document."""

import hashlib
from collections.abc import Iterator, Sequence

from app.backend.evaluation.questions import Question, questions
from app.database.documents import Documents
from app.errors import NotFoundError
from app.records import Document

# So many are looked at: enough for a fair picture, and a library of any size takes as long.
_MOST_DOCUMENTS = 200
_MOST_PAGES = 40


def chosen(documents: Documents, library: Sequence[Document], most: int) -> list[Question]:
    """At most `most` questions, taking turns between the documents; fewer from a small library.

    Args:
        library: documents that are ready.
    """
    # By content: neither names nor the order of adding choose.
    order = sorted(library, key=lambda document: document.content_hash)[:_MOST_DOCUMENTS]
    share = max(1, -(-most // max(1, len(order)))) * 2
    found = [_spread(_of_document(documents, document), share) for document in order]
    taken: list[Question] = []
    for turn in range(share):
        taken += [mine[turn] for mine in found if turn < len(mine)]
    return taken[:most]


def _of_document(documents: Documents, document: Document) -> Iterator[Question]:
    pages = sorted(
        range(1, (document.pages or 1) + 1), key=lambda page: _key(document.content_hash, str(page))
    )
    for page in pages[:_MOST_PAGES]:
        try:
            text = documents.page(document.id, page).text
        except NotFoundError:
            continue  # removed meanwhile, or a page without text
        for made in questions(text):
            yield Question(made, document.id, page)


def _spread(found: Iterator[Question], most: int) -> list[Question]:
    """At most `most`, kinds taking turns; of one kind by what the text says, not where it stands."""
    kinds: dict[str, list[Question]] = {}
    for question in found:
        kinds.setdefault(question.made.kind, []).append(question)
    for same in kinds.values():
        same.sort(key=lambda question: _key(question.made.sentence))
    taken: list[Question] = []
    for turn in range(max(map(len, kinds.values()), default=0)):
        taken += [same[turn] for _, same in sorted(kinds.items()) if turn < len(same)]
    return taken[:most]


def _key(*parts: str) -> bytes:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "replace")).digest()
