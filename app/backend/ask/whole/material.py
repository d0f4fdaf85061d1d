"""Which documents a question about whole documents means, and all of their text, cut into sections."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from app.backend.ask import inquiry, places
from app.backend.ask import scope as scopes
from app.backend.ask.narrowing import both, narrowing
from app.backend.ask.retrieval import Vector
from app.backend.ask.whole import errand as errands
from app.backend.ask.whole.errand import Errand, Kind
from app.backend.ask.wording import STOP_WORDS, content_words, stem, words_of
from app.database.search import Search
from app.filters import Filter
from app.records import Document, Passage

MOST_DOCUMENTS = 12
"""Documents that one answer works through; a list looks at more."""

_MOST_LISTED = 200
_MOST_PASSAGES = 20_000
# More side by side is no comparison that anybody can read.
_MOST_COMPARED = 5
# Where no document is named, so many are few enough that all of them may be meant by "the offers".
_FEW = 6
_HITS = 400
_MOST_SECTIONS = 24
_PATH_SEPARATOR = " › "
_PREFIX = 5

# What a document may be called without its name: in a library of one, "the lease" is that one.
_SORTS = frozenset(
    map(
        stem,
        re.findall(
            r"\S+",
            """
            contract lease agreement report paper article book manual handbook letter offer quote invoice
            minutes thesis study policy statutes law act plan proposal specification guide brochure
            presentation slides essay story chapter protocol order bill statement e-mail email mail note
            notes memo transcript document file text pdf vertrag mietvertrag bericht artikel buch handbuch
            brief angebot rechnung protokoll arbeit studie satzung gesetz plan anleitung präsentation
            aufsatz vereinbarung bescheid verträge berichte angebote rechnungen dokument datei angeboten
            verträgen
            """,
        ),
    )
)
_FILLING = frozenset(
    re.findall(
        r"\S+",
        """
        two three four five whole entire complete full attached uploaded first second third other another
        last old latest new current der die das den dem des und mit von vom zum zur im in ein eine einen
        beide beiden alle aller allen zwei drei vier diese dieser dieses diesem diesen mein meine meinen
        unser unsere document documents file files pdf paper papers dokument dokumente dokumenten datei
        dateien text
        """,
    )
)
_BETWEEN = re.compile(
    r"\s*(?:,|;|\b(?:and|with|to|versus|vs\.?|against|und|mit|gegen|oder|or)\b)\s*", re.IGNORECASE
)

# What joined the name of a document to the rest, once the name is gone.
_JOINING = re.compile(
    r"^(?:(?:the|der|die|das)\b ?)+"
    r"|(?: ?\b(?:in|of|from|for|within|on|and|with|to|the|aus|im|des|der|dem|vom|von|und|mit|zu|für))+$",
    re.IGNORECASE,
)
_WHERE = re.compile(r"\s+(?:in|of|from|within|aus|im|des|der|dem|vom|von)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Section:
    """Passages that follow each other in a document, mostly below one heading."""

    document_name: str
    heading: str | None
    passages: tuple[Passage, ...]

    @property
    def size(self) -> int:
        """Characters."""
        return sum(len(passage.text) for passage in self.passages)


@dataclass(frozen=True, slots=True)
class Whole:
    """One document with all of its passages, in order. `vectors`: of passages, by id, unit length."""

    document_id: str
    name: str
    passages: tuple[Passage, ...]
    vectors: Mapping[int, Vector] = field(default_factory=dict)

    @property
    def centre(self) -> Vector | None:
        """The mean of its vectors: what it is about as a whole. None where there are none."""
        if not self.vectors:
            return None
        mean = np.mean(np.stack(list(self.vectors.values())), axis=0)
        length = float(np.linalg.norm(mean))
        return (mean / length).astype(np.float32) if length else None

    def sections(self) -> list[Section]:
        """Its parts by their headings; where those are too many or none, of about one size."""
        for depth in (8, 3, 2, 1):
            found = _by_heading(self, depth)
            if 1 < len(found) <= _MOST_SECTIONS:
                return found
        return in_parts(self, _MOST_SECTIONS)


@dataclass(frozen=True, slots=True)
class Material:
    """What is worked through: `documents` of `meant`; `aspect` is what of it counts, if not all.

    Of those that are meant `waiting` are still to be read, and `failed` could not be. `cut`: of which of
    them only the beginning is read, in words. `embedder`: SHA-256 of the model that the vectors are from,
    None: there are none.
    """

    kind: Kind
    documents: tuple[Whole, ...]
    meant: int
    aspect: str
    waiting: int = 0
    failed: int = 0
    cut: tuple[str, ...] = ()
    embedder: str | None = None

    @property
    def shortfall(self) -> str:
        """What of it is left out, and why: "Read 2 of 3 documents; 1 is still being read."; or empty."""
        said = [f"Of {cut} were read." for cut in self.cut]
        if len(self.documents) != self.meant:
            counts = [f"Read {len(self.documents)} of {self.meant} documents"]
            if self.waiting:
                counts.append(f"{self.waiting} {'is' if self.waiting == 1 else 'are'} still being read")
            if self.failed:
                counts.append(f"{self.failed} could not be read")
            said.insert(0, f"{'; '.join(counts)}.")
        return " ".join(said)

    @property
    def passages(self) -> int:
        return sum(len(document.passages) for document in self.documents)


def material(
    search: Search,
    user_id: str,
    question: str,
    errand: Errand,
    *,
    limited: Filter,
    recent: Sequence[str] = (),
    newest: Callable[[], Sequence[Document]],
    embedder: str | None = None,
) -> Material | None:
    """All of the documents that are meant; None where it cannot be told which, or none has text.

    Args:
        limited: what it may be answered from.
        recent: those that the last answer of the conversation rests on.
        newest: all documents, the newest first.
        embedder: SHA-256 of the model whose vectors are wanted; None: none are.

    Raises:
        StorageError: the database cannot be read.
    """
    # A phrase in quotation marks is a name or a matter here; what does not hold it is read all the same.
    where = scopes.scope(search, user_id, question, limited, phrases=False)
    # "The contracts in the collection Taxes": the limit is kept, and what is left is the errand.
    within, errand = _of_a_kind(search, user_id, where.limited, errands.errand(where.asked) or errand)
    names = {} if within is None else search.names(user_id, within)
    if where.unmet or not names:
        return None
    if where.passages is not None:
        # "Section 3" has said where to read; no sentence there need hold these words.
        errand = replace(errand, matter=places.without_places(errand.matter))
    named = inquiry.named(where.asked, names).certain
    if errand.kind == "comparison" and len(named) == 1:
        names = search.names(user_id, replace(where.limited, documents=limited.documents))
        named, errand = _with_others(errand, names, named)
    found = _meant(errand, names, (*named, *where.likely))
    if found is None:
        return None
    meant, aspect = found
    if meant is None:
        pointed = [document for document in recent if document in names] if errand.pointing else []
        meant = pointed or list(names)
    wanted = frozenset(meant)
    if where.passages is not None:
        # Who has no section 3 is not meant.
        holding = {passage.document_id for passage in search.passages(where.passages)}
        wanted = wanted & holding or wanted
    # The newest first; one that was deleted meanwhile is none of them.
    kept = [document for document in newest() if document.id in wanted]
    unread = [document for document in kept if not document.askable]
    failed = sum(document.status == "failed" for document in unread)
    held = {document.id: document.passages for document in kept if document.status == "ready"}
    meant = [document.id for document in sorted(kept, key=lambda one: not one.askable)]
    most = _MOST_LISTED if errand.kind == "list" else MOST_DOCUMENTS
    if errand.kind == "comparison":
        if len(meant) > max(_MOST_COMPARED, _FEW):
            return None
        most = _MOST_COMPARED
    if aspect and len(meant) > most:
        meant = _fitting(search, user_id, aspect, meant)
    documents = _read(search, user_id, {key: names[key] for key in meant[:most]}, where.passages, embedder)
    cut = [
        f"{one.name} the first {len(one.passages):,} of {whole:,} passages"
        for one in documents
        if where.passages is None and len(one.passages) < (whole := held.get(one.document_id, 0))
    ]
    if not documents or (errand.kind == "comparison" and len(documents) < 2):
        return None
    documents.sort(key=lambda one: one.name.casefold())
    return Material(
        errand.kind, tuple(documents), len(meant), aspect, len(unread) - failed, failed, tuple(cut), embedder
    )


def in_parts(document: Whole, count: int) -> list[Section]:
    """At most `count` sections of about one size, in order."""
    each = max(1, sum(len(passage.text) for passage in document.passages) // count + 1)
    parts: list[list[Passage]] = [[]]
    filled = 0
    for passage in document.passages:
        if filled >= each and len(parts) < count:
            parts.append([])
            filled = 0
        parts[-1].append(passage)
        filled += len(passage.text)
    return [_section(document, part) for part in parts if part]


def _by_heading(document: Whole, depth: int) -> list[Section]:
    parts: list[list[Passage]] = []
    above: tuple[str, ...] | None = None
    for passage in document.passages:
        path = tuple((passage.heading or "").split(_PATH_SEPARATOR)[:depth])
        if path != above:
            parts.append([])
            above = path
        parts[-1].append(passage)
    return [_section(document, part) for part in parts]


def _section(document: Whole, passages: Sequence[Passage]) -> Section:
    return Section(document.name, passages[0].heading, tuple(passages))


def _of_a_kind(search: Search, user_id: str, limited: Filter, errand: Errand) -> tuple[Filter | None, Errand]:
    """What "my emails" or "the PDFs from 2023" leave (None: nothing), and the errand without them."""
    asked = f"in {errand.matter}"
    found = narrowing(asked, {})
    if errand.kind not in ("summary", "overview") or not found.limits:
        return limited, errand
    within: Filter | None = limited
    for limit in found.limits:
        within = None if within is None else both(within, limit.limited)
    if within is None or not search.any_within(user_id, within):
        return None, errand
    return within, replace(errand, matter="" if found.text == asked else found.text)


def _with_others(
    errand: Errand, names: Mapping[str, str], named: Sequence[str]
) -> tuple[tuple[str, ...], Errand]:
    """Of a comparison also those that are not named in full: "Offer A.pdf with the offer of Brenner"."""
    parts = {part: _called(part, names) for part in _BETWEEN.split(errand.matter) if part}
    others = (document for found in parts.values() for document in found)
    rest = " and ".join(part for part, found in parts.items() if not found)
    return tuple(dict.fromkeys((*named, *others))), replace(errand, matter=rest)


def _meant(
    errand: Errand, names: Mapping[str, str], certain: Sequence[str]
) -> tuple[list[str] | None, str] | None:
    """The documents that the matter names (None: it names none) and the aspect that is left of it.

    None where the errand makes no sense: then the question is better looked for.
    """
    if certain:
        meant = list(dict.fromkeys(document for document in certain if document in names))
        beside = _beside(errand.matter, [names[document] for document in meant])
        # "What is the deposit in Lease.pdf about?" asks for a fact; a list needs to be one of something.
        if errand.named_only if beside else errand.kind == "list":
            return None
        return meant, " ".join(part for part in (beside, errand.aspect) if part)
    if not errand.matter or errand.every:
        if errand.kind == "comparison" and len(names) > _FEW:
            return None
        beside = _beside(errands.without_every(errand.matter), ())
        return None, " ".join(filter(None, (beside, errand.aspect)))
    if errand.kind == "list":
        return _listed(errand.matter, names)
    parts = [errand.matter]
    if errand.kind == "comparison":
        parts = [part for part in _BETWEEN.split(errand.matter) if part]
    found = [document for part in parts for document in _called(part, names)]
    if found and (errand.kind != "comparison" or len(set(found)) > 1):
        return list(dict.fromkeys(found)), errand.aspect
    sort = frozenset(content_words(errand.matter)) & _SORTS
    if sort and (errand.pointing or len(names) == 1 or (errand.kind == "comparison" and len(names) <= _FEW)):
        return None, errand.aspect
    if errand.kind == "comparison" or errand.named_only:
        return None
    return None, " ".join(part for part in (errand.matter, errand.aspect) if part)


def _listed(matter: str, names: Mapping[str, str]) -> tuple[list[str] | None, str]:
    """What is to be listed, without the documents it is looked for in: "deadlines in the lease"."""
    for between in _WHERE.finditer(matter):
        head, tail = matter[: between.start()], matter[between.end() :]
        if found := _called(tail, names):
            return found, head
        words = [word for word in words_of(tail) if word not in STOP_WORDS | _FILLING]
        if not words or (len(names) == 1 and all(stem(word) in _SORTS for word in words)):
            return None, head
    return None, matter


def _beside(matter: str, names: Sequence[str]) -> str:
    """What the matter says beside the names of documents: of "the deposit in Lease.pdf" the deposit."""
    for name in sorted(names, key=len, reverse=True):
        title, dot, ending = name.rpartition(".")
        spelled = r"[\W_]+".join(re.findall(r"[^\W_]+", title if dot else name))
        behind = rf"(?:\.{re.escape(ending)})?" if dot else ""
        matter = re.sub(rf"(?<!\w){spelled}{behind}(?!\w)", " ", matter, flags=re.IGNORECASE)
    words = [word for word in words_of(matter) if word not in STOP_WORDS | _FILLING]
    if all(stem(word) in _SORTS for word in words):
        return ""
    return _JOINING.sub("", " ".join(matter.split())).strip(" ,;\"“”„»«'")


def _called(part: str, names: Mapping[str, str]) -> list[str]:
    """The documents in whose names all words of the part stand: "the old lease" is Old lease 2019.pdf."""
    asked = [word for word in words_of(part) if word not in STOP_WORDS]
    telling = [word for word in asked if word not in _FILLING] or asked
    if not telling:
        return []
    exact = [document for document, name in names.items() if _holds(name, asked)]
    return exact or [document for document, name in names.items() if _holds(name, telling)]


def _holds(name: str, words: Sequence[str]) -> bool:
    there = {stem(word) for word in re.findall(r"[^\W\d_]+|\d+", name.casefold())}
    return all(any(_alike(stem(word), other) for other in there) for word in words)


def _alike(one: str, other: str) -> bool:
    """Whether two stems are of one word; an inflected one begins with the other."""
    shorter, longer = sorted((one, other), key=len)
    return one == other or (len(shorter) >= _PREFIX and longer.startswith(shorter))


def _fitting(search: Search, user_id: str, aspect: str, meant: Sequence[str]) -> list[str]:
    """The documents in the order of how well their best passage fits the aspect, others behind."""
    hits = search.full_text(user_id, aspect, _HITS, Filter(documents=tuple(meant)))
    passages = search.passages([hit.passage_id for hit in hits])
    return list(dict.fromkeys([*(passage.document_id for passage in passages), *meant]))


def _read(
    search: Search,
    user_id: str,
    names: Mapping[str, str],
    among: Sequence[int] | None,
    embedder: str | None,
) -> list[Whole]:
    """The documents of these ids, as many passages as are worked through at all; none without any."""
    documents, room = [], _MOST_PASSAGES
    for document, name in names.items():
        passages = _passages(search, user_id, document, among)[:room]
        if passages:
            ids = [passage.id for passage in passages]
            vectors = search.vectors(ids, embedder=embedder) if embedder is not None else {}
            documents.append(Whole(document, name, passages, vectors))
            room -= len(passages)
    return documents


def _passages(
    search: Search, user_id: str, document: str, among: Sequence[int] | None
) -> tuple[Passage, ...]:
    ids = search.within(user_id, Filter(documents=(document,)))
    if among is not None:
        wanted = frozenset(among)
        ids = [number for number in ids if number in wanted]
    return search.passages(ids)
