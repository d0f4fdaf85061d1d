"""What a sentence says, reduced to what can be compared: word stems, numbers, dates, names, denial.

English first: the stop words and number words are English. In another language function words
count as content, which is fair as long as they stand on both sides.
"""

import re
from dataclasses import dataclass

from app.backend.ask import denial, names, quantities

STOP_WORDS = frozenset(
    re.findall(
        r"\S+",
        """
        a about above after again all also am an and any are as at be because been before being below
        between both but by can could did do does doing down during each few for from further had has
        have having he her here hers him his how i if in into is it its itself just may me might more
        most must my of off on once only or other our out over own per same shall she should so some
        such than that the their them then there these they this those through to too under until up
        upon very was we were what when where whether which while who whom whose why will with would
        you your yours according context document documents passage passages stated states says said
        located situated mentioned answer question following based information provided text yes no not
        d ll re ve don doesn isn won
        """,
    )
)
_UNITS = {
    **dict.fromkeys(("one", "a", "an"), 1),
    "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
    "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15,
    "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19,
}  # fmt: skip
_TENS = {
    "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
    "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
NUMBER_WORDS = frozenset((*_UNITS, *_TENS, *_SCALES)) - {"a", "an"}
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8,
    "ninth": 9, "tenth": 10,
}  # fmt: skip
_SAME = {
    "€": "euro", "eur": "euro", "euros": "euro", "£": "pound", "gbp": "pound", "$": "dollar",
    "usd": "dollar", "%": "percent",
    "metre": "metr", "metres": "metr", "meter": "metr", "meters": "metr",
    "paid": "pay", "paying": "pay", "began": "begin", "begun": "begin", "kept": "keep", "held": "hold",
    "gave": "giv", "given": "giv", "made": "mak", "sent": "send", "left": "leav", "met": "meet",
    "written": "writ", "wrote": "writ", "took": "tak", "taken": "tak", "sold": "sell", "bought": "buy",
    "built": "build", "found": "find", "came": "com", "told": "tell", "lent": "lend", "led": "lead",
    "brought": "bring", "rose": "ris", "risen": "ris", "fell": "fall", "fallen": "fall", "grew": "grow",
    "grown": "grow", "won": "win", "lost": "los", "ran": "run", "became": "becom", "chose": "choos",
    "chosen": "choos", "stood": "stand", "struck": "strik", "went": "go", "gone": "go", "got": "get",
    "heard": "hear", "taught": "teach", "thought": "think", "caught": "catch", "spoke": "speak",
    "spoken": "speak", "wore": "wear", "worn": "wear", "broke": "break", "broken": "break", "drew": "draw",
    "drawn": "draw", "knew": "know", "known": "know", "shown": "show", "sought": "seek", "spent": "spend",
    "driven": "driv", "drove": "driv", "eaten": "eat", "flown": "fly", "hidden": "hid", "laid": "lay",
    "meant": "mean", "rode": "rid", "ridden": "rid", "swum": "swim", "thrown": "throw", "woven": "weav",
}  # fmt: skip
# Behind these, as behind a unit of measure, "one" is a number.
_COUNTED = frozenset(("tim", "room", "copy"))
_SUFFIXES = (
    "ational", "ating", "ated", "ates", "ate",
    "ations", "ation", "ements", "ement", "ments", "ment", "nesses", "ness", "ances",
    "ance", "ences", "ence", "ities", "ity", "ables", "able", "ings", "ing", "ors", "ions", "ion",
    "ers", "ors", "ies", "als", "al", "er", "or", "ed", "ly", "es", "s", "y", "e",
)  # fmt: skip
_SHORTEST_STEM = 3
# "cancelled" loses an l, "called" does not.
_SHORTEST_DOUBLED = 5

_TOKEN = re.compile(r"\d[\d.,:'’]*\d|\d|[^\W\d_]+(?:['’][^\W\d_]+)*|[€£$%]")

# 1st, 2nd: the number is what counts.
_AFTER_DIGITS = frozenset(("st", "nd", "rd", "th"))


@dataclass(frozen=True, slots=True)
class Number:
    """A number of a text: the values it may mean, and its unit or the stem of the word after it, if any.

    "1.250" has two values, since a full stop may mark thousands or decimals. A unit of measure has
    one name, however it is spelled.
    """

    values: frozenset[float]
    unit: str | None

    @property
    def measured(self) -> bool:
        """Whether its unit is one of measure, not just the word behind it."""
        return self.unit is not None and quantities.is_unit(self.unit)


@dataclass(frozen=True, slots=True)
class Wording:
    """What a stretch of text says. `loose` numbers need not be matched.

    `words` are stems of content words, `plain` all words in small letters; `names` are among them.
    """

    words: frozenset[str]
    plain: frozenset[str]
    names: frozenset[str]
    codes: frozenset[str]
    numbers: tuple[Number, ...]
    loose: tuple[Number, ...]
    dates: tuple[quantities.Date, ...]
    clauses: tuple[denial.Clause, ...]


def wording(text: str) -> Wording:
    """Reduce `text` to what can be compared."""
    _, dates = quantities.take_dates(text)
    tokens = words_of(text)
    words: set[str] = set()
    numbers: list[Number] = []
    loose: list[Number] = []
    at = 0
    while at < len(tokens):
        word = tokens[at]
        if word[0].isdigit():
            unit = quantities.currency_before(tokens, at) or _unit(tokens, at + 1)
            if unit is None and tokens[at + 1 : at + 2] in (["to"], ["and"], ["or"]):
                # "between 250 and 400 metres"
                unit = quantities.unit_at(tokens, at + 3) if tokens[at + 2 : at + 3] else None
            numbers.append(Number(_digits(word), unit))
            at += 1
            continue
        value, used = _spelled(tokens, at)
        if used:
            number = Number(frozenset({float(value)}), _unit(tokens, at + used))
            # "a", "one", "first" and "second" are more often not numbers than numbers.
            counts = number.measured or number.unit in _COUNTED
            vague = word in ("a", "an", "first", "second") or (word == "one" and not counts)
            kept = loose if used == 1 and vague else numbers
            kept.append(number)
            at += used
            continue
        if (word not in STOP_WORDS and len(word) > 1) or word in _SAME:
            words.add(stem(word))
        at += 1
    return Wording(
        words=frozenset(words),
        plain=names.every_word(text),
        names=names.names(text),
        codes=names.codes(text),
        numbers=tuple(numbers),
        loose=tuple(loose),
        dates=dates,
        clauses=denial.clauses(text, content_words),
    )


def content_words(text: str) -> list[str]:
    """The stems of the words of `text` that are not stop words, in order, repeats kept."""
    return [stem(word) for word in words_of(text) if word not in STOP_WORDS]


def stem(word: str) -> str:
    """The word without its ending, roughly: enough that "pays", "payment" and "paid" agree."""
    word = word.removesuffix("'s").removesuffix("'")
    if word in _SAME:
        return _SAME[word]
    word = quantities.spelled_unit(word) or word
    if word.endswith(("ies", "ied")) and len(word) > 4:
        word = word[:-3] + "y"
    for suffix in _SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= _SHORTEST_STEM and not word.endswith("ss"):
            word = word[: -len(suffix)]
            break
    doubled = "sz" if len(word) > _SHORTEST_DOUBLED else "lsz"
    if len(word) > _SHORTEST_STEM and word[-1] == word[-2] and word[-1] not in doubled:
        word = word[:-1]
    if len(word) > _SHORTEST_STEM and word.endswith("e"):
        word = word[:-1]
    return _SAME.get(word, word)


def words_of(text: str) -> list[str]:
    """The words and numbers of `text` in small letters, quantities written out."""
    found = (word.lower().replace("’", "'") for word in _TOKEN.findall(quantities.plain(text)))
    return [word for word in found if word not in _AFTER_DIGITS]


def _unit(tokens: list[str], at: int) -> str | None:
    if unit := quantities.unit_at(tokens, at):
        return unit
    if at >= len(tokens) or tokens[at][0].isdigit() or tokens[at] in STOP_WORDS:
        return None
    if quantities.opens_amount(tokens, at):
        return None
    return stem(tokens[at])


def _digits(word: str) -> frozenset[float]:
    """What the digits may mean: "1,250" and "1.250" are 1250 or 1.25; "10:00" is also 10."""
    if ":" in word:
        hours, _, rest = word.partition(":")
        values = {float(f"{hours}.{re.sub(r'[^0-9]', '', rest) or 0}1")}
        if not rest.strip("0:"):
            values.add(float(re.sub(r"\D", "", hours) or 0))
        return frozenset(values)
    word = re.sub(r"['’]", "", word)
    values = set()
    for thousands, decimal in ((",", "."), (".", ",")):
        groups = word.split(decimal)
        if len(groups) > 2:
            continue
        whole, fraction = groups[0], groups[1] if len(groups) == 2 else ""
        if thousands in fraction:
            continue
        parts = whole.split(thousands)
        if len(parts) > 1 and not all(len(part) == 3 for part in parts[1:]):
            continue
        values.add(float(f"{''.join(parts)}.{fraction or 0}"))
    if not values:  # a date or a numbered clause: 01.09.2025, 7.2.1
        values = {float(part) for part in re.split(r"\D+", word) if part}
    return frozenset(values)


def _spelled(tokens: list[str], at: int) -> tuple[int, int]:
    """The number spelled out from `at` on, and how many tokens it takes (0: none)."""
    if tokens[at] in _ORDINALS:
        return _ORDINALS[tokens[at]], 1
    total = current = used = 0
    seen = False
    while at + used < len(tokens):
        word = tokens[at + used]
        if word in _TENS:
            current += _TENS[word]
        elif word in _UNITS and not (seen and word in ("a", "an")) and current % 10 == 0:
            current += _UNITS[word]
        elif word in _SCALES and (seen or word != "second"):
            current = max(current, 1) * _SCALES[word]
            if _SCALES[word] >= 1_000:
                total, current = total + current, 0
        elif word == "and" and seen and at + used + 1 < len(tokens) and current % 100 == 0 and current:
            following = tokens[at + used + 1]
            if following not in _TENS and following not in set(_UNITS) - {"a", "an"}:
                break
        else:
            break
        seen = True
        used += 1
    return total + current, used
