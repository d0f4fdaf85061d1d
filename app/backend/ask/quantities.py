"""Numbers, units and dates as they are written, brought to one form so that they can be compared.

"1,200" and "1.200" may mean the same, "7 pm" is 19:00, "March 3rd, 2024" is 3 March 2024, "l" is a
litre and "€" a euro. English and, for months, German. What is not a quantity is left to `wording`.
"""

import re
from dataclasses import dataclass

_MONTH_NAMES = (
    ("january", "jan", "januar"),
    ("february", "feb", "februar"),
    ("march", "mar", "märz"),
    ("april", "apr"),
    ("may", "mai"),
    ("june", "jun", "juni"),
    ("july", "jul", "juli"),
    ("august", "aug"),
    ("september", "sep", "sept"),
    ("october", "oct", "oktober"),
    ("november", "nov"),
    ("december", "dec", "dezember"),
)
MONTHS = {name: number for number, names in enumerate(_MONTH_NAMES, start=1) for name in names}

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_DAY = r"(\d{1,2})(?:st|nd|rd|th|\.)?"
_YEAR = r"(?:,?\s+(\d{4})(?!\d))?"
_DATES = (
    re.compile(rf"\b{_DAY}\s+(?:of\s+)?({_MONTH})\b\.?{_YEAR}", re.IGNORECASE),
    re.compile(rf"\b({_MONTH})\b\.?\s+{_DAY}(?![\d:]|[.,]\d){_YEAR}", re.IGNORECASE),
)
_ISO_DATE = re.compile(r"(?<![\d-])(\d{4})-(\d{1,2})-(\d{1,2})(?![\d-])")
_NUMERIC_DATE = re.compile(r"(?<![\d./])(\d{1,2})([./])(\d{1,2})\2(\d{4})(?!\d)")
_CLOCK = re.compile(r"\b(\d{1,2})(?:[:.](\d{2}))?\s?([ap])\.?m\b\.?", re.IGNORECASE)
_DEGREES = re.compile(r"°\s?(?:C\b)?")
_TWICE = re.compile(r"\b(twice|thrice)\b", re.IGNORECASE)

_UNIT_SPELLINGS = {
    "litre": "l litre litres liter liters",
    "millilitre": "ml millilitre millilitres milliliter milliliters",
    "gallon": "gallon gallons",
    "second": "s sec secs seconds",
    "minute": "min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "day days",
    "week": "week weeks",
    "month": "month months",
    "year": "year years",
    "gram": "g gram grams gramme grammes",
    "kilogram": "kg kilogram kilograms kilogramme kilogrammes kilo kilos",
    "tonne": "t tonne tonnes ton tons",
    "pound": "£ gbp pound pounds",
    "euro": "€ eur euro euros",
    "dollar": "$ usd dollar dollars",
    "cent": "cent cents",
    "krona": "krona kronor krone kroner",
    "franc": "chf franc francs",
    "yen": "¥ yen",
    "percent": "% percent",
    "millimetre": "mm millimetre millimetres millimeter millimeters",
    "centimetre": "cm centimetre centimetres centimeter centimeters",
    "metre": "m metre metres meter meters",
    "kilometre": "km kilometre kilometres kilometer kilometers",
    "mile": "mile miles",
    "foot": "ft foot feet",
    "inch": "inch inches",
    "square metre": "m² m2 sqm",
    "cubic metre": "m³ m3 cbm",
    "hectare": "ha hectare hectares",
    "degree": "degree degrees",
    "watt": "w watt watts",
    "kilowatt": "kw kilowatt kilowatts",
    "gigawatt hour": "gwh",
    "kilowatt hour": "kwh",
    "kilocalorie": "kcal kilocalorie kilocalories",
    "gigabyte": "gb gigabyte gigabytes",
    "megabyte": "mb megabyte megabytes",
    "bar": "bar bars",
}
_UNITS = {spelling: unit for unit, every in _UNIT_SPELLINGS.items() for spelling in every.split()}
_PAIRED_UNITS = {
    ("square", "metre"): "square metre",
    ("cubic", "metre"): "cubic metre",
    ("gigawatt", "hour"): "gigawatt hour",
    ("kilowatt", "hour"): "kilowatt hour",
}
_CURRENCIES = frozenset(("€", "£", "$", "eur", "gbp", "usd"))


@dataclass(frozen=True, slots=True)
class Date:
    """A day of a year, or of any. `days` are (month, day): two where it may be read both ways."""

    days: frozenset[tuple[int, int]]
    year: int | None

    def agrees(self, other: "Date") -> bool:
        """Whether both can be the same day; a year that one of them leaves out does not matter."""
        years = self.year is None or other.year is None or self.year == other.year
        return years and bool(self.days & other.days)


def take_dates(text: str) -> tuple[str, tuple[Date, ...]]:
    """The text with blanks in place of its dates, and the dates. Offsets stay as they were."""
    dates: list[Date] = []

    def worded(found: re.Match[str]) -> str:
        first, second, year = found.groups()
        day, month = (first, second) if first.isdigit() else (second, first)
        # "may 3 people come": the month has a capital letter.
        if month == "may" or not 1 <= int(day) <= 31:
            return found.group()
        dates.append(Date(frozenset({(MONTHS[month.lower()], int(day))}), int(year) if year else None))
        return " " * len(found.group())

    def iso(found: re.Match[str]) -> str:
        year, month, day = map(int, found.groups())
        return kept(found, frozenset({(month, day)}), year)

    def numeric(found: re.Match[str]) -> str:
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        days = {(second, first)} if found[2] == "." else {(second, first), (first, second)}
        return kept(found, frozenset(days), year)

    def kept(found: re.Match[str], days: frozenset[tuple[int, int]], year: int) -> str:
        days = frozenset(one for one in days if 1 <= one[0] <= 12 and 1 <= one[1] <= 31)
        if not days:
            return found.group()
        dates.append(Date(days, year))
        return " " * len(found.group())

    for pattern in _DATES:
        text = pattern.sub(worded, text)
    text = _ISO_DATE.sub(iso, text)
    return _NUMERIC_DATE.sub(numeric, text), tuple(dates)


def plain(text: str) -> str:
    """The text with times of day as HH:MM, "twice" as "two times" and degrees spelled out."""
    text = _CLOCK.sub(_of_24_hours, text)
    text = _TWICE.sub(lambda found: "two times" if found[1].lower() == "twice" else "three times", text)
    return _DEGREES.sub(" degrees ", text)


def unit_at(tokens: list[str], at: int) -> str | None:
    """The unit of measure that stands at `at`, by its one name; None where none does.

    A currency sign in front of the next number is not one: "in 2025, €184,000".
    """
    if at >= len(tokens) or opens_amount(tokens, at):
        return None
    if at + 1 < len(tokens):
        pair = _PAIRED_UNITS.get((tokens[at], _UNITS.get(tokens[at + 1], "")))
        if pair:
            return pair
    return _UNITS.get(tokens[at])


def opens_amount(tokens: list[str], at: int) -> bool:
    """Whether a currency stands at `at`, and its amount behind it."""
    return tokens[at] in _CURRENCIES and at + 1 < len(tokens) and tokens[at + 1][0].isdigit()


def currency_before(tokens: list[str], at: int) -> str | None:
    """The currency of the number at `at` where it stands in front: "€184,000"."""
    return _UNITS[tokens[at - 1]] if at > 0 and tokens[at - 1] in _CURRENCIES else None


def is_unit(name: str) -> bool:
    """Whether this is the one name of a unit of measure."""
    return name in _UNIT_SPELLINGS


def spelled_unit(word: str) -> str | None:
    """The one name of a unit that is a word of its own, such as "km"; never of a single letter."""
    return _UNITS.get(word) if len(word) > 1 else None


def _of_24_hours(found: re.Match[str]) -> str:
    hours, minutes, half = found.groups()
    if not 1 <= int(hours) <= 12:
        return found.group()
    hour = int(hours) % 12 + (12 if half.lower() == "p" else 0)
    return f"{hour}:{minutes or '00'}"
