"""The clauses of a sentence on a page that carry what is said, so that only they are marked there.

A statute or a contract puts several things into one sentence. Of those the shortest run of clauses is
marked that has every word in common that the whole has.
"""

import re
from collections.abc import Set

from app.backend.ask.wording import stem, words_of

# Where one clause may end and the next begin: the match itself belongs to neither.
_CUT = re.compile(
    r"(?<=[;:])\s+|(?<=[,;])\s+(?=(?:and|but|or|which|who|where|provided|except|including|unless|given|so)\b)"
    r"|\s+(?=and (?:is|are|was|were|has|have|may|must|shall|will|can)\b)"
)
# A mark that leaves out less than this part of a sentence is only ragged.
_WORTH_CUTTING = 0.25
_FEWEST_WORDS = 3


def carrying(text: str, said: Set[str]) -> tuple[int, int]:
    """The part of `text` that is marked for a sentence; all of it where nothing can be left out.

    Args:
        said: stems of the sentence's words and numbers.
    """
    whole = (0, len(text))
    bounds = [0, *(at for cut in _CUT.finditer(text) for at in cut.span()), len(text)]
    parts = list(zip(bounds[::2], bounds[1::2], strict=True))
    held = [_stems(text[slice(*part)]) & said for part in parts]
    wanted = frozenset[str]().union(*held)
    if len(parts) == 1 or len(wanted) < _FEWEST_WORDS:
        return whole
    runs = [
        (parts[first][0], parts[last][1])
        for first in range(len(parts))
        for last in range(first, len(parts))
        if wanted <= frozenset[str]().union(*held[first : last + 1])
    ]
    start, end = min(runs, key=lambda run: run[1] - run[0])
    end -= len(text[start:end]) - len(text[start:end].rstrip(" ,;:\n"))
    return (start, end) if end - start <= (1 - _WORTH_CUTTING) * len(text) else whole


def _stems(text: str) -> frozenset[str]:
    return frozenset(stem(word) for word in words_of(text) if len(word) > 1 or word.isdigit())
