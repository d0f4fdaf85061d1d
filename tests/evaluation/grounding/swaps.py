"""One thing of a sentence made wrong: a number, a name, a date, a unit, a denial, or a word by its opposite.

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
_UNITS = (
    ("litres", "cubic metres", "gallons"), ("seconds", "minutes", "hours", "days", "weeks", "months"),
    ("minute", "hour"), ("day", "week", "month", "year"),
    ("millimetres", "centimetres", "metres", "kilometres"),
    ("mm", "cm", "m", "km"), ("euros", "pounds", "dollars", "kronor"), ("€", "£"),
    ("grams", "kilograms", "tonnes"),
    ("g", "kg", "t"), ("kW", "W"), ("GB", "MB"), ("years", "months", "weeks", "days"),
)  # fmt: skip
_OPPOSITES = (
    ("north", "south"), ("northern", "southern"), ("eastern", "western"), ("east", "west"),
    ("first", "last"), ("highest", "lowest"), ("most", "least"), ("more", "less"), ("below", "above"),
    ("under", "over"), ("hot", "cold"), ("open", "closed"), ("tenant", "landlord"), ("adults", "juniors"),
    ("children", "pensioners"), ("morning", "evening"), ("niece", "nephew"), ("brother", "sister"),
    ("salt", "sugar"), ("films", "maps"), ("books", "tools"), ("walnut", "cherry"), ("drug", "vaccine"),
    ("basement", "attic"), ("spring", "autumn"), ("lift", "roof"), ("bearings", "windows"), ("soup", "salad"),
    ("dogs", "horses"), ("piano", "violin"), ("fruit", "flowers"), ("servers", "offices"), ("theft", "fire"),
    ("patients", "visitors"), ("gloves", "shoes"), ("impeller", "gearbox"), ("members", "guests"),
    ("mixture", "powder"), ("bolts", "cables"), ("alarm", "heating"), ("rent", "tax"), ("trees", "hedges"),
    ("boats", "bicycles"), ("backups", "messages"), ("smoke", "water"), ("beer", "wine"),
    ("turbine", "boiler"),
    ("valve", "switch"), ("holiday", "training"), ("receipts", "photographs"), ("dough", "sauce"),
)  # fmt: skip
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


def unit(sentence: str, draw: random.Random) -> str | None:
    """Another unit after (or before) a number."""
    for family in draw.sample(_UNITS, len(_UNITS)):
        for there in family:
            before = r"(?=\d)" if there in "€£" else r"(?![\w²³])"
            after = "" if there in "€£" else r"(?<=[\d\w] )"
            if there in "€£" or len(there) <= 2:
                found = re.search(
                    rf"(?<=\d ){there}{before}" if there not in "€£" else there + before, sentence
                )
            else:
                found = re.search(rf"{after}\b{there}\b", sentence)
            if found:
                put = draw.choice([one for one in family if one != there])
                return sentence[: found.start()] + put + sentence[found.end() :]
    return None


def denied(sentence: str) -> str | None:
    """The opposite: a "not" taken away, or put behind the first verb that can carry one."""
    taken = re.sub(
        r"\b(?:must|may|can|could|is|are|does|did|do) not\b ?|\bno longer |\bnever ", "", sentence, count=1
    )
    if taken != sentence:
        modal = re.search(r"\b(must|may|can|could|is|are) not\b", sentence)
        return taken if modal is None else sentence.replace(modal.group(), modal.group(1), 1)
    put = re.sub(r"\b(is|are|was|were|has|may|must|can|will|should)\b", r"\1 not", sentence, count=1)
    return put if put != sentence else None


def opposite(sentence: str, draw: random.Random) -> str | None:
    """Another thing in place of one: its opposite or its like."""
    pairs = [(one, other) for pair in _OPPOSITES for one, other in (pair, pair[::-1])]
    found = [
        pair
        for pair in pairs
        if re.search(rf"\b{pair[0]}\b", sentence, re.IGNORECASE) and pair[1] not in sentence.lower()
    ]
    if not found:
        return None
    there, put = draw.choice(found)

    def spelled(match: re.Match[str]) -> str:
        return put.capitalize() if match.group()[0].isupper() else put

    return re.sub(rf"\b{there}\b", spelled, sentence, count=1, flags=re.IGNORECASE)
