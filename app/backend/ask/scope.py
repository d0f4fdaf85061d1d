"""Where a question is looked for: the documents, pages, sections and phrases that it names itself."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from app.backend.ask import inquiry, places
from app.backend.ask.narrowing import both, may_name_collections, narrowing, tells
from app.database.search import Search
from app.filters import EVERYTHING, Filter

# A named section is looked for among so many passages that hold its number.
_LOOKED_THROUGH = 2_000


@dataclass(frozen=True, slots=True)
class Scope:
    """What is searched, and what for.

    `text` is what is searched for, `asked` the question without the limits that it sets itself. `limited`:
    all that counts; of its documents `likely` ones come first. `passages` are all that
    count, or None. `unmet` is what the question names and no document has.
    """

    text: str
    asked: str
    spellings: tuple[str, ...] = ()
    limited: Filter = EVERYTHING
    likely: frozenset[str] = frozenset()
    passages: tuple[int, ...] | None = None
    unmet: tuple[str, ...] = ()

    def limits(self) -> tuple[Filter, ...]:
        """What to search, one search after the other: all that counts, then the likely documents alone."""
        if not self.likely:
            return (self.limited,)
        return self.limited, replace(self.limited, documents=tuple(sorted(self.likely)))


def scope(search: Search, user_id: str, question: str, limited: Filter, *, phrases: bool = True) -> Scope:
    """Settle where to look. What the question names wrongly does not keep anything from being found.

    Args:
        limited: what it is limited to by whoever asks.
        phrases: what stands in quotation marks is to be found word for word, where it is anywhere.

    Raises:
        StorageError: the database cannot be read.
    """
    narrowed = narrowing(question, search.collections(user_id) if may_name_collections(question) else {})
    if any(_told_of(search, user_id, limited, named) for named in narrowed.unknown):
        # "What is kept in the folder "logs"?" is answered by the handbook that has this folder.
        narrowed = replace(narrowed, text=question, unknown=())
    unmet = list(narrowed.unknown)
    for limit in narrowed.limits:
        within = both(limited, limit.limited)
        if within is not None and search.any_within(user_id, within):
            limited = within
        else:
            unmet.append(limit.words)
    whole, question = question, narrowed.text
    found = inquiry.named(question, search.names(user_id, limited))
    if found.certain:
        limited = replace(limited, documents=tuple(found.certain))
    numbers, sections, quotes = places.pages(question), places.sections(question), inquiry.quotes(question)
    passages: set[int] | None = None

    def narrow(ids: Sequence[int], *, named: str | None = None) -> None:
        nonlocal passages
        both = set(ids) if passages is None else passages & set(ids)
        if both:
            passages = both
        elif named is not None:
            unmet.append(named)

    if numbers:
        # Where no document has pages of its own, their numbers mean nothing.
        paged = search.within(user_id, limited, pages=numbers)
        first = paged or search.within(user_id, limited, pages=(1,))
        named = f"page {', '.join(map(str, numbers))}" if first else None
        narrow(paged, named=named)
    if sections:
        ids = [number for section in sections for number in _below(search, user_id, limited, section)]
        narrow(ids)
    for quote in quotes if phrases else ():
        narrow(search.within(user_id, limited, phrase=quote))
    return Scope(
        # "What is in my emails?" leaves nothing to look for but what it says of where.
        text=places.without_pages(question if tells(question) else whole),
        asked=question,
        spellings=inquiry.spellings(question),
        limited=limited,
        likely=frozenset(found.likely),
        passages=None if passages is None else tuple(sorted(passages)),
        unmet=tuple(unmet),
    )


def _told_of(search: Search, user_id: str, limited: Filter, named: str) -> bool:
    """Whether a document speaks of "folder logs", or of "logs folder"."""
    noun, _, name = named.partition(" ")
    return any(search.within(user_id, limited, phrase=phrase) for phrase in (named, f"{name} {noun}"))


def _below(search: Search, user_id: str, limited: Filter, section: str) -> list[int]:
    ids = search.within(user_id, limited, phrase=section)[:_LOOKED_THROUGH]
    return [passage.id for passage in search.passages(ids) if places.lies_in(section, passage)]
