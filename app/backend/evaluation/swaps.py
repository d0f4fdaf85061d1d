"""One thing of a true sentence made wrong: a number, a date or a name.

Each function returns None where the sentence has nothing of the kind. What is put in is drawn by
the generator that is passed, so the same seed makes the same cases.
"""

import random
import re
from collections.abc import Sequence

_NUMBER_WORDS = (
    "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twelve", "fourteen", "fifteen",
    "eighteen", "twenty",
)  # fmt: skip
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
_DATE = re.compile(
    rf"\b(\d{{1,2}}) ({'|'.join(_MONTHS)})\b|\b({'|'.join(_MONTHS)}) (\d{{1,2}})(?=st|nd|rd|th)"
)
_PROPER = re.compile(r"(?<=[\w,;] )[A-ZÄÖÜ][\w’-]{2,}(?: [A-ZÄÖÜ][\w-]{2,})*")
_STRANGERS = (
    "Ottilie Brandauer", "Marcus Feldkamp", "Oslo", "Verona", "Kowalczyk", "Anneke Dijkstra", "Trondheim",
    "Ruben Alvarado", "Zagreb", "Hollister", "Nadia Benali", "Cork",
)  # fmt: skip


def number(sentence: str, draw: random.Random) -> str | None:
    """Another number in place of one; not of a date, a code, or a name such as "Pump 16"."""
    bare = _DATE.sub(lambda found: "#" * len(found.group()), sentence)
    places = [
        match
        for match in re.finditer(r"(?<![\w.,:/-])\d[\d.,:]*\d(?![\w-])|(?<![\w.,:/-])\d(?![\w.,:-])", bare)
        if not re.search(r"[A-Z]\w* $", bare[: match.start()])
    ]
    worded = list(re.finditer(rf"\b(?:{'|'.join(_NUMBER_WORDS)})\b", bare))
    if not places and not worded:
        return None
    place = draw.choice(places or worded)
    there = place.group()
    if there in _NUMBER_WORDS:
        put = draw.choice([word for word in _NUMBER_WORDS if word != there])
    else:
        digits = [at for at, char in enumerate(there) if char.isdigit()]
        at = draw.choice(digits)
        put = there[:at] + draw.choice([one for one in "123456789" if one != there[at]]) + there[at + 1 :]
    return sentence[: place.start()] + put + sentence[place.end() :]


def date(sentence: str, draw: random.Random) -> str | None:
    """Another day or another month in a date."""
    places = list(_DATE.finditer(sentence))
    if not places:
        return None
    place = draw.choice(places)
    group = next(one for one in draw.sample((1, 2, 3, 4), 4) if place[one])
    there = place[group]
    if there.isdigit():
        put = str(draw.choice([day for day in range(4, 28) if day not in (int(there), 21, 22, 23)]))
        after = place.end(group)
        suffix = re.match(r"st|nd|rd|th", sentence[after:])
        return (
            sentence[: place.start(group)]
            + put
            + ("th" if suffix else "")
            + sentence[after + (2 if suffix else 0) :]
        )
    put = draw.choice([month for month in _MONTHS if month != there])
    return sentence[: place.start(group)] + put + sentence[place.end(group) :]


def name(sentence: str, draw: random.Random, others: Sequence[str] = ()) -> str | None:
    """Another name in place of one: a stranger's, or one of `others` that stand on the same page."""
    places = [match for match in _PROPER.finditer(sentence) if match.group() not in _MONTHS]
    if not places:
        return None
    place = draw.choice(places)
    choice = [one for one in (*_STRANGERS, *others) if one not in sentence]
    return sentence[: place.start()] + draw.choice(choice) + sentence[place.end() :]
