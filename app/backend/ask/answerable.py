"""Whether a sentence answers a question, or is only the nearest that was found.

Three kinds of evidence, weighed as tests/evaluation/lease and tests/evaluation/answers settled it on
their tuning halves: which part of the question's words stand in the sentence or above it (everyday
words, which people replace freely, count half), whether a telling word is missing altogether, and how
near the two are in meaning. A question for a sum of money or a count is answered by nothing else.
"""

import re

from app.backend.ask.wording import NUMBER_WORDS, content_words, stem

# What a question asks for, not about.
_ASKING = frozenset(
    content_words(
        "much many long far often large big high deep wide thick heavy old kind name day days date time hour"
        " hours temperature place amount number get gets happen done mean take takes need needed"
    )
)
# Words that a page may say in other words: everyday verbs, and nouns that hold any matter.
_EVERYDAY = frozenset(
    content_words(
        """
        allowed permitted permission forbidden possible required able want like give put bring make let leave
        keep hold use go come run work live stay move stand stop start begin end finish last occur change
        raise rise increase lower reduce cost price pay charge size condition state reading value contain
        include consist say tell ask know show see look find call announce inform sign receive send belong
        apply count must have break broken something anything someone anyone business part sort type way
        thing things people person rule rules reason address location responsible main exactly new current
        usual total whole full different every instead
        """
    )
)
_EVERYDAY_WORTH = 0.5
_COVERED_WEIGHT, _MISSING_WEIGHT, _MEANING_WEIGHT = 4.0, 1.8, 5.9
_LEAST = 5.0
# Without a model for meaning: the part of the words that has to be there, and none that tells missing.
_COVERED_ALONE = 0.75
# A stem of at least this length also agrees with a longer word that begins or ends with it.
_LONG_STEM = 5

_MONEY_ASKED = re.compile(
    r"\bhow much\b.*\b(?:costs?|earns?|charged?)\b|\bwhat (?:does|do|did)\b.*\b(?:cost|earn)\b"
    r"|\bwhat (?:is|are|was|were) the .*\b(?:price|cost|fee|salary)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"[€£$¥%]|\b(?:euros?|eur|pounds?|gbp|dollars?|usd|cents?|pence|kron(?:a|or|er)|francs?|chf|yen|free"
    r"|percent)\b",
    re.IGNORECASE,
)
_ADDRESS_ASKED = re.compile(r"\baddress(?:es)?\b", re.IGNORECASE)
_ADDRESS = re.compile(r"\d|@|\bwww\.")
_COUNT_ASKED = re.compile(r"\bhow many ([^\W\d_]+)", re.IGNORECASE)
_WORD = re.compile(r"\d[\d.,]*|[^\W\d_]+")
# So many words may stand between a number and what it counts: "three equal parts".
_APART = 2


def answers(question: str, sentence: str, above: str = "", similarity: float | None = None) -> bool:
    """Whether the sentence most likely answers the question, rather than is near to it.

    Args:
        above: what the sentence stands under: headings, the document's name.
        similarity: cosine of the sentence with the question; None or 0: unknown.
    """
    asked = frozenset(content_words(question)) - _ASKING
    if not asked:
        return True
    if not _holds_the_kind(question, sentence) or not _holds_the_count(question, sentence):
        return False
    held = frozenset(content_words(f"{sentence} {above}"))
    missing = {word for word in asked if not stands(word, held)}
    worth = {word: _EVERYDAY_WORTH if word in _EVERYDAY else 1.0 for word in asked}
    covered = 1 - sum(worth[word] for word in missing) / sum(worth.values())
    telling = len(missing - _EVERYDAY)
    if not similarity:
        return covered >= _COVERED_ALONE and not telling
    evidence = _COVERED_WEIGHT * covered + _MEANING_WEIGHT * similarity - _MISSING_WEIGHT * telling
    return evidence >= _LEAST


def stands(word: str, held: frozenset[str]) -> bool:
    """Whether the stem is there, or one that it begins or ends, or that begins it."""
    if word in held:
        return True
    return len(word) >= _LONG_STEM and any(
        other.startswith(word)
        or other.endswith(word)
        or (len(other) >= _LONG_STEM and word.startswith(other))
        for other in held
    )


def _holds_the_kind(question: str, sentence: str) -> bool:
    """Whether a sum stands there where one is asked for, and likewise an address."""
    if _MONEY_ASKED.search(question) and not _MONEY.search(sentence):
        return False
    return not _ADDRESS_ASKED.search(question) or _ADDRESS.search(sentence) is not None


def _holds_the_count(question: str, sentence: str) -> bool:
    """Whether a number stands before what is counted, or right behind it ("Keys 2 front door")."""
    found = _COUNT_ASKED.search(question)
    if found is None:
        return True
    counted = stem(found[1].lower())
    words = [word.lower() for word in _WORD.findall(sentence)]
    numbers = [word[0].isdigit() or word in NUMBER_WORDS for word in words]
    for place, word in enumerate(words):
        if stem(word) == counted:
            near = numbers[max(0, place - 1 - _APART) : place + 2]
            if any(near):
                return True
    return False
