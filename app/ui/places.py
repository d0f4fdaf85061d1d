"""A place in a document that something points at: what the talk opens and the reader shows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.records import Citation, Document, Source


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a page. `start` and `end` are offsets into the page's stored text.

    `number` is the source's mark in its answer, `citation` the index of the sentence that points
    here (None: the card of the source does), `answer_id` that answer. A document that was opened
    by itself has none of the three, and no stretch. `text` is what stood at the stretch when it was
    found: the file may have changed since.
    """

    document_id: str
    name: str
    paged: bool
    page: int
    start: int | None = None
    end: int | None = None
    heading: str | None = None
    number: int | None = None
    citation: int | None = None
    answer_id: str | None = None
    text: str | None = None

    def stretch_on(self, page_text: str) -> tuple[int, int] | None:
        """Where the place's text stands on its page as it is now; None if it does not (or never did)."""
        if self.start is None or self.end is None:
            return None
        if self.text is None or page_text[self.start : self.end] == self.text:
            return self.start, self.end
        # The nearest one: what was written above it moved it.
        found = [match.start() for match in re.finditer(re.escape(self.text), page_text)]
        start = min(found, key=lambda at: abs(at - (self.start or 0)), default=None)
        return None if start is None else (start, start + len(self.text))


def place_of_document(document: Document) -> Place:
    """The first page of a document, with nothing marked."""
    return Place(document.id, document.name, document.paged, 1)


def place_of(source: Source, answer_id: str | None, citation: Citation | None, index: int | None) -> Place:
    """Where a source stands; narrowed to the quoted words where a sentence cites it."""
    passage = source.passage
    start, end = passage.start, passage.end
    if citation is not None and citation.quote_start is not None and citation.quote_end is not None:
        start, end = passage.start + citation.quote_start, passage.start + citation.quote_end
    text = passage.text[start - passage.start : end - passage.start]
    return Place(
        passage.document_id,
        passage.document_name,
        passage.paged,
        passage.page,
        start,
        end,
        passage.heading,
        source.number,
        index,
        answer_id,
        text or None,
    )


def places_of(sources: Sequence[Source], citations: Sequence[Citation], answer_id: str | None) -> list[Place]:
    """Every place an answer rests on: its citations in order, then what else was read for it."""
    by_number = {source.number: source for source in sources}
    places: list[Place] = []
    for index, citation in enumerate(citations):
        if citation.source in by_number:
            places.append(place_of(by_number[citation.source], answer_id, citation, index))
    cited = {place.number for place in places}
    read = [source for source in sources if source.read and source.number not in cited]
    places += [place_of(source, answer_id, None, None) for source in read]
    return places


def where(place: Place) -> str:
    """One line for a card: the page, and the heading the passage stands under; empty without both."""
    parts = [f"page {place.page}"] if place.paged else []
    if place.heading:
        parts.append(place.heading)
    return " · ".join(parts)
