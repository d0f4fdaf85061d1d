"""What a question asks to be taken exactly: quoted phrases, codes, numbers, dates, names of documents.

Pure functions of the question. `scope` looks up what they find; `places` reads pages and sections.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from app.backend.ask import quantities

_QUOTED = re.compile(r"[\"“„«]([^\"“”„«»]{2,200})[\"”“»]")
# A run of letters and digits with signs between them, at least one digit in it: INV-2023-0042, 3.5.
_TOKEN = re.compile(r"[^\W_]+(?:[-–‑./:,_'’][^\W_]+)*")
_PARTS = re.compile(r"\d+|[^\W\d_]+")
_THOUSANDS = re.compile(r"\d{1,3}(?:[.,'’]\d{3})+")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")
_FILE_WORDS = frozenset(("file", "document", "pdf", "paper", "datei", "dokument"))
_MOST_SPELLINGS = 60


@dataclass(frozen=True, slots=True)
class Named:
    """Documents that a question names, by id: by their whole file names, or in passing."""

    certain: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()


def quotes(question: str) -> tuple[str, ...]:
    """The phrases in quotation marks, each once."""
    return tuple(dict.fromkeys(found.strip() for found in _QUOTED.findall(question) if found.strip()))


def spellings(question: str) -> tuple[str, ...]:
    """Other ways to write its codes, numbers and dates; each is words that stand side by side.

    "WX-8841" is "wx 8841" or "wx8841"; "1,180" may stand as "1180"; "3 May 2023" as "2023 05 03".
    """
    found: dict[str, None] = {}
    rest, dates = quantities.take_dates(question)
    for date in dates:
        found.update(dict.fromkeys(_dates(date)))
    for token in _TOKEN.findall(rest):
        found.update(dict.fromkeys(_codes(token)))
    return tuple(found)[:_MOST_SPELLINGS]


def named(question: str, names: Mapping[str, str]) -> Named:
    """Which documents a question names.

    Args:
        names: of the documents, by id.
    """
    asked = f" {_words(question)} "
    whole = unicodedata.normalize("NFC", question).casefold()
    certain, likely = [], []
    for document_id, name in names.items():
        stem, dot, _ = name.rpartition(".")
        title = _title(stem if dot else name)
        if dot and _stands(name.casefold(), whole):
            certain.append(document_id)
        elif title and f" {title} " in asked:
            before, _, behind = asked.partition(f" {title} ")
            if _FILE_WORDS.intersection((*before.split()[-1:], *behind.split()[:1])):
                certain.append(document_id)
            elif " " in title:
                likely.append(document_id)
    return Named(tuple(certain), tuple(likely))


def _stands(name: str, text: str) -> bool:
    """Whether the name is there as a whole; looked at closely only where its letters are at all."""
    return name in text and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text) is not None


def _codes(token: str) -> Iterator[str]:
    if not any(letter.isdigit() for letter in token):
        return
    runs = re.findall(r"[^\W_]+", token.casefold())
    parts = _PARTS.findall(token.casefold())
    mixed = any(part.isalpha() for part in parts)
    if len(parts) > 1:
        yield " ".join(runs)
        yield " ".join(parts)
    # The signs of "3.5" and "7.2.1" are part of the number, those of a code and of thousands are not.
    if (mixed and len(runs) > 1) or _THOUSANDS.fullmatch(token):
        yield "".join(runs)
    if token.isdigit() and len(token) > 3 and not _YEAR.fullmatch(token):
        first = len(token) % 3 or 3
        yield " ".join([token[:first], *re.findall("...", token[first:])])


def _dates(date: quantities.Date) -> Iterator[str]:
    for month, day in sorted(date.days):
        for name in (name for name, number in quantities.MONTHS.items() if number == month):
            yield from _in_order(f"{day} {name}", date.year)
            yield from _in_order(f"{name} {day}", date.year)
        for written in dict.fromkeys((f"{day} {month}", f"{day:02} {month:02}")):
            first, second = written.split()
            if date.year is not None:
                yield f"{first} {second} {date.year}"
                yield f"{second} {first} {date.year}"
                yield f"{date.year} {second} {first}"


def _in_order(day: str, year: int | None) -> Iterator[str]:
    yield day if year is None else f"{day} {year}"


def _words(text: str) -> str:
    """Its words alone, in small letters: "Annual_report-2023" and "annual report 2023" are the same."""
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", text).casefold()))


# The documents of a library are the same for each question.
_title = lru_cache(maxsize=65_536)(_words)
