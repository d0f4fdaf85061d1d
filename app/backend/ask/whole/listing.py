"""Every sentence, list item or row that holds what is to be listed, in the order of the documents.

Some things are known by their form: a deadline is a date or a span of time with a word that makes it
one, an amount is a number with a currency, a decision has a word of deciding. Anything else is known by
its words, in the sentence or in the heading above it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from app.backend.ask.sentences import is_heading, split
from app.backend.ask.whole.forms import FORMS
from app.backend.ask.whole.material import Whole
from app.backend.ask.whole.telling import Told
from app.backend.ask.wording import content_words
from app.records import Passage

MOST = 30
"""Items in one answer."""

_LEAST_LETTERS = 3
# A longer word agrees where it begins with one of so many letters: "deadline" in "deadlined". With fewer
# "Organe" would be found in "organised".
_PREFIX = 6
# German words that only join: "Pflichten des Mieters".
_JOINING = frozenset(
    ("der", "die", "das", "des", "dem", "den", "von", "vom", "im", "zum", "zur", "aus", "für", "mit", "und")
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is listed: known by its `form`, or (None) by its words. All of `words` have to be there."""

    form: Callable[[str], bool] | None
    names: frozenset[str]
    words: frozenset[str]

    def held_by(self, text: str, heading: str) -> bool:
        """Whether a sentence, with the heading above it, is one of those that are wanted."""
        there = frozenset(content_words(text))
        above = frozenset(content_words(heading))
        if not all(_has(there | above, word) for word in self.words):
            return False
        if self.form is None:
            return True
        # "The fee for ... is due in advance" is a fee without a number; the form alone would miss it.
        return self.form(text) or (bool(self.names) and all(_has(there, word) for word in self.names))


def wanted(matter: str) -> Wanted:
    """What "obligations of the tenant" asks for: sentences of duty in which the tenant stands."""
    for names, form in FORMS:
        if (found := names.search(matter)) is not None:
            rest = f"{matter[: found.start()]} {matter[found.end() :]}"
            return Wanted(form, _telling(found.group()), _telling(rest))
    return Wanted(None, frozenset(), _telling(matter))


def items(document: Whole, number: int, want: Wanted) -> list[Told]:
    """All of a document that hold it, each text once, in order. `section` is the document's `number`."""
    found: list[Told] = []
    if want.form is None and not want.words:
        return found
    seen: set[str] = set()
    for passage in document.passages:
        heading = (passage.heading or "").rsplit(" › ", 1)[-1]
        for start, end, text in _units(passage):
            if text.casefold() in seen or not want.held_by(text, heading):
                continue
            seen.add(text.casefold())
            found.append(Told(passage, number, len(found), start, end, text, frozenset(), False))
    return found


def _telling(matter: str) -> frozenset[str]:
    return frozenset(content_words(matter)) - _JOINING


def _units(passage: Passage) -> list[tuple[int, int, str]]:
    """Sentences, list items and rows with their offsets; no headings."""
    found = []
    for start, end in split(passage.text, wrapped=True):
        text = " ".join(passage.text[start:end].split())
        if sum(map(str.isalpha, text)) >= _LEAST_LETTERS and not is_heading(text, passage.heading):
            found.append((start, end, text))
    return found


def _has(there: frozenset[str], word: str) -> bool:
    if word in there:
        return True
    return len(word) >= _PREFIX and any(
        other.startswith(word) or (len(other) >= _PREFIX and word.startswith(other)) for other in there
    )
