"""Words that exclude each other: who says "north" where the page says "south" does not report it."""

import re
from collections.abc import Set

from app.backend.ask import quantities

_GROUPS = """
north south; northern southern; east west; eastern western; left right; inside outside; indoors outdoors
first second third last; least most; highest lowest; longest shortest; largest smallest; maximum minimum
below above; under over; upper lower; morning evening; day night; winter summer; spring autumn
open closed; hot cold; warm cold; wet dry; old new; increase decrease; increased decreased; rise fall
rose fell; raised lowered; raised reduced; won lost; bought sold; buyer seller; lender borrower
tenant landlord; employer employee; adults children; adults juniors; men women; male female; boys girls
brother sister; niece nephew; father mother; son daughter; husband wife; plaintiff defendant
import export; paid unpaid; required optional
monday tuesday wednesday thursday friday saturday sunday
mondays tuesdays wednesdays thursdays fridays saturdays sundays
daily weekly monthly yearly; black white red green blue yellow
"""
# Units of which a sentence that names another one, with or without a number, does not report.
_UNIT_FAMILIES = tuple(
    frozenset(family.split())
    for family in (
        "minute hour day week month year",
        "euro pound dollar cent krona franc yen",
        "millimetre centimetre metre kilometre mile foot inch",
        "gram kilogram tonne",
        "litre millilitre gallon",
    )
)
_MORE = frozenset(("above", "over", "more", "longer", "exceeding", "exceeds"))
_LESS = frozenset(("below", "under", "less", "fewer", "shorter"))
_DENIALS = frozenset(
    ("not", "no", "never", "nobody", "nothing", "cannot", "without", "forbidden", "prohibited")
)
_OTHERS: dict[str, frozenset[str]] = {}
for _group in re.split(r"[;\n]", _GROUPS):
    for _word in _group.split():
        _OTHERS[_word] = _OTHERS.get(_word, frozenset()) | (frozenset(_group.split()) - {_word})


def opposed(said: Set[str], there: Set[str]) -> bool:
    """Whether a word is said in whose place the other text has one that excludes it.

    Both are words in small letters.
    """
    if any(word not in there and (_OTHERS[word] & there) - said for word in said if word in _OTHERS):
        return True
    if not (said | there) & _DENIALS:
        for one, other in ((_MORE, _LESS), (_LESS, _MORE)):
            if said & one and not said & other and there & other and not there & one:
                return True
    units = {unit for word in said if (unit := quantities.spelled_unit(word))}
    known = {unit for word in there if (unit := quantities.spelled_unit(word))}
    return any(units & family - known and known & family - units for family in _UNIT_FAMILIES)
