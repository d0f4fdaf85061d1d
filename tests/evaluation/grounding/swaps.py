"""One thing of a sentence made wrong: a number, a name, a date, a unit, a denial, or a word by its opposite.

Each function returns None where the sentence has nothing of the kind. What is put in is drawn by
the generator that is passed, so the same seed makes the same cases.
"""

import random
import re

from app.backend.evaluation.swaps import date, name, number

__all__ = ["date", "denied", "name", "number", "opposite", "unit"]

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
