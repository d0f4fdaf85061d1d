"""Whether a sentence puts another thing in the place of one: "the gas is read" for "the water is read".

Numbers, names and opposites give a false sentence away by themselves; a thing does not: in a true
paraphrase, too, words stand that are not on the page. Two signs tell them apart. Where all else is word
for word the page's, the one word that is not takes the place of one that is (a slot). And where a word of
the page, put in the place of one that is not there, brings the meaning of the whole much nearer to the
page's, the sentence was not only said otherwise. Both need the vectors of an embedding model to be
settled; what is found without one is only a doubt.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from app.backend.ask import quantities
from app.backend.ask.wording import NUMBER_WORDS, STOP_WORDS, stem, words_of
from app.errors import ModelError
from app.records import Verdict

# Settled on the tuning half of tests/evaluation/grounding.
_WORD_FOR_WORD = 0.85
_SAME_THING = 0.5
_BROUGHT_NEARER = 0.135
# So many words of each side are tried in each other's place: each try takes a vector.
_MOST_TRIED = 2

_SETTLED_WITHIN_S = 0.5
# Behind these a word is what is done, or how something is: paraphrases change that freely.
_BEFORE_VERBS = frozenset(
    re.findall(
        r"\S+",
        """
        i you he she it we they who which that nobody everybody whoever to can could may might must shall
        should will would do does did not never is are was were be been being has have had as
        """,
    )
)

Embed = Callable[[Sequence[str]], Awaitable[Sequence[np.ndarray]]]
"""Unit vectors of texts."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """What may be swapped in `said`, a sentence that rests on `there`.

    `slot`: the word of `said` and the word of `there` in whose place it stands, where all else is the
    same; else `foreign` are words of `said` that `there` does not have, and `missing` the other way round.
    """

    said: str
    there: str
    slot: tuple[str, str] | None
    foreign: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def doubt(said: str, there: str, known: frozenset[str]) -> Doubt | None:
    """What may be swapped in a sentence that the page seems to carry; None: nothing.

    Args:
        there: the sentences of the page that it rests on.
        known: stems that are no wonder in it: of the question, and of what `there` stands under.
    """
    mine, theirs = words_of(said), words_of(there)
    stems, held = [stem(word) for word in mine], [stem(word) for word in theirs]
    foreign = [word for word in _things(mine, stems, held) if stem(word) not in known]
    missing = _things(theirs, held, stems)
    if not foreign or not missing:
        return None
    matcher = SequenceMatcher(None, stems, held, autojunk=False)
    if matcher.ratio() >= _WORD_FOR_WORD:
        for kind, a, b, c, d in matcher.get_opcodes():
            if kind == "replace" and b - a == d - c == 1 and mine[a] in foreign and theirs[c] in missing:
                return Doubt(said, there, (mine[a], theirs[c]))
    foreign, missing = list(dict.fromkeys(foreign)), list(dict.fromkeys(missing))
    return Doubt(said, there, None, tuple(foreign[:_MOST_TRIED]), tuple(missing[:_MOST_TRIED]))


async def settled(found: Doubt, embed: Embed | None) -> Verdict:
    """What becomes of a sentence that was found supported but for this doubt.

    Without a model for meaning, or where it takes too long, a word in another's place counts as partly
    there, and everything else stays as it was found.
    """
    if embed is not None:
        try:
            async with asyncio.timeout(_SETTLED_WITHIN_S):
                return await _by_meaning(found, embed)
        except (TimeoutError, ModelError):
            pass
    return "supported" if found.slot is None else "partly"


async def _by_meaning(found: Doubt, embed: Embed) -> Verdict:
    if found.slot is not None:
        one, other = await embed(found.slot)
        return "supported" if float(one @ other) >= _SAME_THING else "unsupported"
    tried = [_with(found.said, word, other) for word in found.foreign for other in found.missing]
    there, said, *vectors = await embed((" ".join(found.there.split()), found.said, *tried))
    nearest = max((float(vector @ there) for vector in vectors), default=0.0)
    return "partly" if nearest - float(said @ there) >= _BROUGHT_NEARER else "supported"


def _with(sentence: str, word: str, other: str) -> str:
    """The sentence with another word in the place of one."""
    return re.sub(rf"\b{re.escape(word)}\b", lambda _: other, sentence, flags=re.IGNORECASE)


def _things(words: Sequence[str], roots: Sequence[str], others: Sequence[str]) -> list[str]:
    """Those of the words that may be things, and that the other sentence does not have."""
    return [
        word
        for before, word, root in zip(("", *words), words, roots, strict=False)
        if _is_thing(word) and before not in _BEFORE_VERBS and not _agrees(root, others)
    ]


def _is_thing(word: str) -> bool:
    plain = word not in STOP_WORDS and word not in NUMBER_WORDS and not word[0].isdigit()
    return plain and len(word) > 1 and quantities.spelled_unit(word) is None and word not in quantities.MONTHS


def _agrees(root: str, others: Sequence[str]) -> bool:
    return any(
        other == root
        or (min(len(other), len(root)) >= 4 and (other.startswith(root) or root.startswith(other)))
        for other in others
    )
