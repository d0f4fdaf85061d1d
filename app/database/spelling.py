"""A word that stands in no passage, and the word of the library that was probably meant.

Looked up among the terms that the full text holds anyway. A trigram index would find as much and has
to be kept: for 20,000 passages of 110 words it takes 69 MB beside the 31 MB of the full text, where a
look through their 161,000 terms takes 35 ms (measured), and only for a word that is in none of them.
Terms are stems, so an ending that the word has more than the term does not count.
"""

import sqlite_utils

# One slip in a short word, two in a long one; shorter words are like too many others.
_SHORTEST, _LONG = 5, 8
_ENDINGS = (
    *("", "s", "es", "ed", "e", "ing", "er", "ers", "ly", "al", "y", "ies", "ion", "ions", "ation"),
    *("ment", "ments", "ance", "ence", "ness", "able", "ity"),
)
_MOST_ENDING = 6
_MOST_HOLDING = 8


def meant(db: sqlite_utils.Database, word: str) -> str | None:
    """The nearest term with the same first letter: fewest slips, then in the most passages.

    Args:
        word: in small letters, without a passage that holds it.
    """
    if len(word) < _SHORTEST or not word.isalpha():
        return None
    allowed = 2 if len(word) >= _LONG else 1
    rows = db.execute(
        "SELECT term, doc FROM passages_terms WHERE term >= ? AND term < ? AND length(term) BETWEEN ? AND ?",
        [word[0], chr(ord(word[0]) + 1), max(3, len(word) - allowed - _MOST_ENDING), len(word) + allowed],
    )
    best: tuple[int, int, str] | None = None
    for term, passages in rows:
        slips = _slips(word, term, allowed if best is None else best[0])
        if slips is not None and (best is None or (slips, -passages) < best[:2]):
            best = (slips, -passages, term)
    return best[2] if best else None


def holding(db: sqlite_utils.Database, part: str) -> list[str]:
    """Terms that have `part` inside, those of the fewest passages first: "8841" finds "wx8841b"."""
    query = "SELECT term FROM passages_terms WHERE instr(term, ?) ORDER BY doc, term LIMIT ?"
    return [row[0] for row in db.execute(query, [part, _MOST_HOLDING])]


def _slips(word: str, term: str, allowed: int) -> int | None:
    """Letters wrong, missing, too many or swapped between `term` and `word` without an ending."""
    # Most terms differ in more letters than that: this is seen without comparing their order.
    if len(set(term) - set(word)) > allowed:
        return None
    before: list[int] = []
    row = list(range(len(word) + 1))
    for place, letter in enumerate(term, start=1):
        following = [place]
        for at, other in enumerate(word, start=1):
            cost = min(row[at] + 1, following[at - 1] + 1, row[at - 1] + (letter != other))
            if before and at > 1 and letter == word[at - 2] and other == term[place - 2]:
                cost = min(cost, before[at - 2] + 1)
            following.append(cost)
        if min(following) > allowed:
            return None
        before, row = row, following
    reached = [row[len(word) - len(ending)] for ending in _ENDINGS if word.endswith(ending)]
    fewest = min(reached)
    return fewest if fewest <= allowed else None
