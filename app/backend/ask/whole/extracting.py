"""An errand in the documents' own sentences: no model writes anything, so nothing can be invented.

For models too small to be trusted with a page, and wherever quotes are wanted. Reading means here: each
sentence of each document is looked at, and those with a chance get a vector.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from app.backend.ask.reciting import Line, Quote
from app.backend.ask.retrieval import Retriever, Vector
from app.backend.ask.whole import comparing, listing, telling
from app.backend.ask.whole.errand import Kind
from app.backend.ask.whole.material import Material, Section, Whole
from app.backend.ask.whole.telling import Told
from app.backend.ask.wording import content_words
from app.errors import ModelError
from app.events import Progress
from app.records import Source

Tell = Callable[[Progress], None]

SUMMARY, OVERVIEW = 8, 3
"""Sentences about one document; about several they share more of them."""

_SHARED = 12
# Sentences with a vector, of one document; each takes about 20 ms on a processor.
_VECTORS, _LEAST_VECTORS = 72, 16
_SHARED_VECTORS = 144
_COMPARED = 40
# Passages that an aspect is looked for in, where no sentence has a word of it.
_NEAREST = 24
# Vectors made between two looks at whether somebody has stopped it.
_BATCH = 24
# By meaning alone, where no sentence has the words: this near to what is to be listed.
_ONE_OF_THEM = 0.5


@dataclass(frozen=True, slots=True)
class Extraction:
    """The sources, in the order they are cited, and the lines of the answer."""

    sources: tuple[Source, ...]
    lines: tuple[Line, ...]


class Extractor:
    """Chooses sentences. Used on the gateway's loop; what computes for long runs on threads."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever

    async def extraction(self, material: Material, tell: Tell) -> Extraction | None:
        """The answer to an errand; None where no sentence has to do with it. Cancel it to stop it."""
        if material.kind == "list":
            found = await self._listed(material, tell)
            groups, most = _by_document(found, material.documents), listing.MOST
        elif material.kind == "comparison":
            groups = await self._compared(material, tell)
            most = sum(map(len, groups))
        else:
            groups, most = await self._summed_up(material, tell), _SHARED
        if not any(groups):
            return None
        return _laid_out(groups, material, most=most, named=material.kind == "comparison")

    async def _summed_up(self, material: Material, tell: Tell) -> list[list[Told]]:
        direction = await self._direction(material)
        count = _count(material.kind, len(material.documents))
        most = max(_LEAST_VECTORS, min(_VECTORS, _SHARED_VECTORS // len(material.documents)))
        groups = []
        for _, document in _each(material, tell):
            sections, listed, vectors = await self._looked_at(material, document, direction, most)
            parts = telling.parts(sections, count)
            groups.append(await asyncio.to_thread(telling.chosen, listed, vectors, count, parts))
        return groups

    async def _compared(self, material: Material, tell: Tell) -> list[list[Told]]:
        direction = await self._direction(material)
        sides = []
        for _, document in _each(material, tell):
            _, listed, vectors = await self._looked_at(material, document, direction, _COMPARED)
            if vectors is None:
                return []
            sides.append(comparing.Side.of(listed, vectors))
        return await asyncio.to_thread(comparing.compared, sides)

    async def _listed(self, material: Material, tell: Tell) -> list[Told]:
        found: list[Told] = []
        want = listing.wanted(material.aspect)
        for number, document in _each(material, tell):
            found += await asyncio.to_thread(listing.items, document, number, want)
        if found or want.form is not None:
            return found
        return await self._near(material)

    async def _near(self, material: Material) -> list[Told]:
        """Where no sentence has the words: those that mean the same."""
        direction = await self._direction(material)
        if direction is None:
            return []
        found = []
        for number, document in enumerate(material.documents):
            near = [
                passage
                for passage in document.passages
                if passage.id in document.vectors
                and float(document.vectors[passage.id] @ direction) >= _ONE_OF_THEM / 2
            ]
            every = telling.sentences([Section(document.name, None, tuple(near))])
            vectors = await self._embedded([told.text for told in every[:_VECTORS]], material.embedder)
            found += [
                replace(told, section=number)
                for told, vector in zip(every, vectors or (), strict=False)
                if float(vector @ direction) >= _ONE_OF_THEM
            ]
        return found

    async def _looked_at(
        self, material: Material, document: Whole, direction: Vector | None, most: int
    ) -> tuple[list[Section], list[Told], list[Vector] | None]:
        """A document's sections, its sentences with a chance and what they are worth, and their vectors."""
        aspect, overview = material.aspect, material.kind == "overview"

        def by_words() -> tuple[list[Section], list[Told]]:
            sections = document.sections()
            # Of a table, or a page of catchwords, any line is better than nothing.
            found = telling.sentences(sections) or telling.sentences(sections, alone=False)
            every = telling.scored(found, sections, aspect=aspect, overview=overview)
            if aspect:
                near = _nearest(document, direction)
                asked = frozenset(content_words(aspect))
                every = [told for told in every if told.passage.id in near or asked & told.words]
            return sections, telling.shortlist(every, most)

        sections, listed = await asyncio.to_thread(by_words)
        vectors = await self._embedded([told.text for told in listed], material.embedder)
        listed = telling.by_meaning(listed, vectors, None if aspect else document.centre, direction)
        if aspect:
            kept = telling.about(listed, vectors, aspect, direction)
            if vectors is not None:
                vectors = [vector for vector, keep in zip(vectors, kept, strict=True) if keep]
            listed = [told for told, keep in zip(listed, kept, strict=True) if keep]
        return sections, listed, vectors

    async def _direction(self, material: Material) -> Vector | None:
        aspect = material.aspect
        vectors = await self._embedded([aspect], material.embedder) if aspect else None
        return vectors[0] if vectors else None

    async def _embedded(self, texts: Sequence[str], sha256: str | None) -> list[Vector] | None:
        """Their vectors; None where there is no embedding model: then words and places decide.

        Args:
            sha256: of the model that the passages' vectors are from; others cannot be compared with them.
        """
        if sha256 is None:
            return None
        vectors: list[Vector] = []
        try:
            for first in range(0, len(texts), _BATCH):
                vectors += await self._retriever.embed(texts[first : first + _BATCH], sha256)
        except ModelError:
            return None
        return vectors


def _each(material: Material, tell: Tell) -> Iterator[tuple[int, Whole]]:
    """The documents with their numbers, one after the other; `tell` hears which, and that all are read."""
    for number, document in enumerate(material.documents):
        tell(Progress(number, len(material.documents), document.name))
        yield number, document
    tell(Progress(len(material.documents), len(material.documents), ""))


def _nearest(document: Whole, direction: Vector | None) -> frozenset[int]:
    """The passages that are nearest to an aspect, by id."""
    if direction is None:
        return frozenset()
    order = sorted(document.vectors, key=lambda number: -float(document.vectors[number] @ direction))
    return frozenset(order[:_NEAREST])


def _count(kind: Kind, documents: int) -> int:
    """How many sentences about each document."""
    if documents == 1:
        return SUMMARY if kind == "summary" else OVERVIEW
    return max(1, min(OVERVIEW if kind == "overview" else SUMMARY, _SHARED // documents))


def _by_document(found: Sequence[Told], documents: Sequence[Whole]) -> list[list[Told]]:
    return [[told for told in found if told.section == number] for number in range(len(documents))]


def _laid_out(groups: Sequence[Sequence[Told]], material: Material, *, most: int, named: bool) -> Extraction:
    """The lines: below the names of the documents, where there are several, and what was left out."""
    sources: dict[int, Source] = {}
    lines: list[Line] = []
    every = sum(map(len, groups))
    several = named or sum(map(bool, groups)) > 1
    for document, group in zip(material.documents, groups, strict=True):
        room = most - sum(line.quote is not None for line in lines)
        for number, told in enumerate(group[:room]):
            source = sources.setdefault(
                told.passage.id, Source(len(sources) + 1, told.passage, told.score, read=True)
            )
            lead = "\n- " if several or every > 1 else ""
            if number == 0 and several:
                lead = f"{chr(10) if lines else ''}{document.name}:\n{lead}"
            elif not lines:
                lead = lead.lstrip("\n")
            quote = Quote(source.number, told.start, told.end, told.text, told.score)
            lines.append(Line(f"\n{lead}" if number == 0 and several and lines else lead, quote))
    closing = _closing(sum(line.quote is not None for line in lines), every, material)
    if closing:
        lines.append(Line(f"\n\n{closing}"))
    return Extraction(tuple(sources.values()), tuple(lines))


def _closing(shown: int, found: int, material: Material) -> str:
    said = [f"Shown are {shown} of {found} places."] if shown < found else []
    return " ".join(filter(None, (*said, material.shortfall)))
