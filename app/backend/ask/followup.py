"""Questions that lean on the ones before: "When is it due?", "And in 2022?".

No model is needed: what the question does not say itself, the question before says. What both say, a
year or a name, is meant as the later one says it.
"""

import re
from collections.abc import Sequence

from app.backend.ask import inquiry, names, quantities
from app.backend.ask.wording import content_words

# With fewer content words than this a question leans on the one before.
_FEW_WORDS = 2
# How many questions back the subject may stand.
_LOOKED_BACK = 4

_OPENING = re.compile(
    r"^\s*(?:and|or|but|so|also|then|why|how come|what about|how about|what else|anything else"
    r"|und|oder|aber|auch|warum|wieso|was ist mit|wie ist es (?:mit|bei))\b",
    re.IGNORECASE,
)
# In German a capital letter is no sign of a name.
_INSTEAD = re.compile(r"^\s*(?:and|or|what about|how about)\b", re.IGNORECASE)
_POINTING = re.compile(
    r"\b(?:it|its|they|them|their|he|she|him|his|her|the same|the (?:first|second|third|last|other) one"
    r"|er|ihn|ihm|ihr|ihre[nmrs]?|dessen|deren|dafür|davon|darin|dazu|damit|darüber)\b"
    r"|\b(?:this|that|these|those)(?=\s*(?:\?|$|is\b|are\b|was\b|were\b|do(?:es)?\b|mean|appl|cost|includ))",
    re.IGNORECASE,
)
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_WORD = re.compile(r"\w[\w'’-]*")


def leans_on(question: str, earlier: Sequence[str]) -> str | None:
    """What the questions before say that this one leaves out; None if it can be understood alone.

    "And in 2022?" after "What was the rent in 2021?" gives "What was the rent in ?".

    Args:
        earlier: the questions before it in the conversation, oldest first.
    """
    if not earlier or not _leans(question):
        return None
    *before, last = earlier[-_LOOKED_BACK:]
    deeper = leans_on(last, before)
    said = f"{deeper} {last}" if deeper else last
    return _without_replaced(said, question)


def elliptic(question: str) -> bool:
    """Whether a question has no words of its own to search for, but a year at most."""
    return not any(word.isalpha() for word in content_words(question))


def _leans(question: str) -> bool:
    few = len(set(content_words(question))) < _FEW_WORDS
    return few or bool(_OPENING.search(question) or _POINTING.search(question))


def _without_replaced(said: str, question: str) -> str:
    """What was said without what the question puts something of its kind in place of."""
    plain, dates = quantities.take_dates(question)
    if dates:
        said, _ = quantities.take_dates(said)
    if dates or _YEAR.search(plain):
        said = _YEAR.sub(" ", said)
    if inquiry.quotes(question):
        for quote in inquiry.quotes(said):
            said = said.replace(quote, " ")
    if _INSTEAD.search(question) and names.names(question):
        # "And Ben?" asks of Ben what was asked of Anna.
        replaced = names.names(said)
        said = _WORD.sub(lambda word: " " if names.folded(word.group()) in replaced else word.group(), said)
    return " ".join(said.split())
