"""A place in a document that something points at: what the talk opens and the reader shows."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.records import Citation, Document, Source


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of a page. `start` and `end` are offsets into the page's stored text.

    `number` is the source's mark in its answer, `citation` the index of the sentence that points
    here (None: the card of the source does), `answer_id` that answer. A document that was opened
    by itself has none of the three, and no stretch.
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


def place_of_document(document: Document) -> Place:
    """The first page of a document, with nothing marked."""
    return Place(document.id, document.name, document.paged, 1)


def place_of(source: Source, answer_id: str | None, citation: Citation | None, index: int | None) -> Place:
    """Where a source stands; narrowed to the quoted words where a sentence cites it."""
    passage = source.passage
    start, end = passage.start, passage.end
    if citation is not None and citation.quote_start is not None and citation.quote_end is not None:
        start, end = passage.start + citation.quote_start, passage.start + citation.quote_end
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
