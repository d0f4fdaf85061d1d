"""The proper names and the codes of a text, by their spelling alone.

A name is a word with a capital letter that does not only begin a sentence; a code is letters and
digits in one ("E15", "WX-8841", "5b"). Nothing is looked up: what stands on the page decides.
"""

import re
from collections.abc import Iterable

from app.backend.ask import quantities

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_CODE = re.compile(r"\b(?:[A-Za-z]{1,8}-?\d[\w-]*|\d{1,3}[a-fA-F])(?![\w²³])")
# Where a sentence, a list entry or a quotation begins, a capital letter says nothing.
_BEGINNING = re.compile(r"(?:^|[.!?:…]|\n)[\s\"“”'’«»(\[*•–-]*$")
_NO_NAMES = frozenset(
    re.findall(
        r"\S+",
        """
        i a an the he she it we you they his her its our your their this that these those and or but if in
        on at by of for from to with not no yes as is are was were may must shall there who what when where
        which how why does do did can could should would will has have had mr mrs ms dr prof professor
        """,
    )
)


def names(text: str) -> frozenset[str]:
    """The names of a text, word by word, in small letters and without "'s"."""
    found = set()
    for match in _WORD.finditer(text):
        word = match.group()
        if not word[0].isupper() or len(word) < 2:
            continue
        plain = folded(word)
        if plain in _NO_NAMES or quantities.spelled_unit(plain):
            continue
        if _BEGINNING.search(text, 0, match.start()):
            continue
        found.add(plain)
    return frozenset(found)


def codes(text: str) -> frozenset[str]:
    """The codes of a text, in small letters and without hyphens."""
    return frozenset(code for _, code in spelled_codes(text))


def spelled_codes(text: str) -> list[tuple[str, str]]:
    """Each code as it stands there, and as `codes` has it."""
    return [(match.group(), match.group().lower().replace("-", "")) for match in _CODE.finditer(text)]


def every_word(text: str) -> frozenset[str]:
    """All words of a text as `names` would spell them."""
    return frozenset(folded(match.group()) for match in _WORD.finditer(text))


def folded(word: str) -> str:
    """The word in small letters, without "'s"."""
    return word.lower().replace("’", "'").removesuffix("'s").rstrip("'")


def stands(name: str, words: Iterable[str]) -> bool:
    """Whether the name is among the words, a plural or possessive "s" aside."""
    known = words if isinstance(words, frozenset) else frozenset(words)
    return name in known or f"{name}s" in known or (len(name) > 3 and name.removesuffix("s") in known)
