"""From what a person typed to a full-text query, whatever the text holds.

The words are OR-ed and ranked by BM25, so a question finds passages that hold some of its words.
BM25's cost grows with the passages that match: words that say nothing are dropped where others
remain, and of the rest the rarer go first, until enough passages are in play.
"""

import re
import unicodedata
from collections.abc import Sequence

import sqlite_utils

from app.database import spelling

# Looked at in one query; the words of a longer text are cut here.
_WORDS_LOOKED_AT = 96
_WORDS_SEARCHED = 24
# Together the words may match about this many passages (the rarest two always may).
_PASSAGES_IN_PLAY = 50_000
# From this many passages on, words in most of them are left out.
_LARGE = 1_000
# Words that no passage holds, of one query: each costs a look at the terms.
_WORDS_MENDED = 4
_SHORTEST_PART = 3
_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile("[\u0300-\u036f]")

_ENGLISH = """
    a about above after again against all also am an and any are as at be because been before being
    below between both but by can could did do does doing down during each few for from further had
    has have having he her here hers herself him himself his how i if in into is it its itself just
    let like me might more most must my myself no nor not of off on once only or other our ours
    ourselves out over own please same shall she should so some such tell than that the their theirs
    them themselves then there these they this those through to too under until up upon very was we
    were what when where which while who whom whose why will with would you your yours yourself
    yourselves don doesn didn isn aren wasn weren won wouldn couldn shouldn hasn haven hadn s t d m ll re ve
"""
STOP_WORDS = frozenset(_ENGLISH.split())


def words(text: str) -> list[str]:
    """The words of `text` worth looking for: lower case, each once, in order, without stop words.

    Stop words come back only if there is nothing else.
    """
    seen = dict.fromkeys(_plain(text))
    telling = [word for word in seen if word not in STOP_WORDS]
    return (telling or list(seen))[:_WORDS_LOOKED_AT]


def expression(db: sqlite_utils.Database, text: str, spellings: Sequence[str] = ()) -> str | None:
    """The FTS5 MATCH expression for `text`; None if nothing of it is in any passage.

    A word that no passage holds is taken for the one that was probably meant.

    Args:
        spellings: ways in which a code, a date or a number of the text may be written; the words of
            each have to stand side by side.
    """
    counted = [(word, _passages_with(db, word)) for word in words(text)]
    found = sorted((count, word) for word, count in counted if count)
    if found and (total := _passages(db)) >= _LARGE:
        # BM25 gives nothing for a word that most passages hold.
        rarer = [(count, word) for count, word in found if count <= total / 2]
        found = rarer or found[:1]
    chosen: list[str] = []
    in_play = 0
    for count, word in found[:_WORDS_SEARCHED]:
        in_play += count
        if len(chosen) >= 2 and in_play > _PASSAGES_IN_PLAY:
            break
        chosen.append(word)
    chosen += _meant(db, [word for word, count in counted if not count])
    return any_of([*chosen, *spellings]) or None


def any_of(phrases: Sequence[str]) -> str:
    """The MATCH expression for any of the phrases, the words of each side by side; "" without a word."""
    # Only letters and digits are left in a word, so quoting needs no escapes.
    return " OR ".join(f'"{" ".join(plain)}"' for plain in map(_plain, phrases) if plain)


def _meant(db: sqlite_utils.Database, missing: Sequence[str]) -> list[str]:
    """What was probably meant by words that no passage holds: a slip, or a part of a code."""
    found: list[str] = []
    for word in missing[:_WORDS_MENDED]:
        if word.isalpha():
            term = spelling.meant(db, word)
            found += [term] if term else []
        elif len(word) >= _SHORTEST_PART:
            found += spelling.holding(db, word)
    return found


def _plain(text: str) -> list[str]:
    return [match.group().lower() for match in _WORD.finditer(_whole(text))]


def _whole(text: str) -> str:
    # As the full text's tokenizer sees it: an accent is part of its letter, never a border.
    return _ACCENTS.sub("", unicodedata.normalize("NFC", text))


def _passages_with(db: sqlite_utils.Database, word: str) -> int:
    query = "SELECT count(*) FROM passages_fts WHERE passages_fts MATCH ?"
    return int(db.execute(query, [f'"{word}"']).fetchone()[0])


def _passages(db: sqlite_utils.Database) -> int:
    return int(db.execute("SELECT coalesce(sum(passages), 0) FROM documents").fetchone()[0])
