"""What a question limits itself to: "in my emails", "in the PDFs from 2023", "in the collection “Taxes”".

English and German. Only what is plainly said of documents counts: "in 2023" is a time of what they tell,
and "in emails" may be what they are about.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeVar

from app.backend.ask.quantities import MONTHS
from app.backend.ask.wording import STOP_WORDS
from app.filters import EVERYTHING, Filter, Kind, moments

Value = TypeVar("Value")

# Several of a kind, as they are spoken of; small letters match capitals, too.
_SEVERAL: Mapping[Kind, str] = {
    "pdf": r"pdfs|pdf[ -]files|pdf documents|pdf-(?:dateien|dokumenten?)",
    "word": r"word[ -](?:documents|files)|docx files|word-(?:dokumenten?|dateien)",
    "spreadsheet": r"spreadsheets|excel (?:files|sheets|spreadsheets)|excel-(?:tabellen|dateien)",
    "presentation": r"presentations|slide decks|powerpoints|powerpoint[ -](?:files|presentations|dateien)|"
    r"präsentationen",
    "web": r"web ?pages|html[ -](?:files|dateien)|webseiten",
    "mail": r"e-?mails|mails|mailbox|inbox|posteingang|postfach",
    "ebook": r"e-?books",
    "image": r"image files|scans|bilddateien",
    "text": r"(?:text|markdown)[ -]?(?:files|dateien)",
    "code": r"(?:source|code) files|quelltextdateien|notebooks",
    "data": r"(?:json|xml)[ -](?:files|dateien)",
}
_ONE: Mapping[Kind, str] = {"pdf": r"pdf(?: file)?", "spreadsheet": r"spreadsheet|excel file"}
_DOCUMENTS = r"documents|files|papers|dokumenten?|dateien|unterlagen"

_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_POINT = rf"(?:(?:the year|dem jahr|dem jahre)\s+)?(?:(?:{_MONTH})\.?\s+)?(?:19|20)\d\d(?![\w-]|[.,]\d)"
_RECENT = r"(?:(?:last|this)\s+(?:year|month)|(?:dem\s+)?(?:letzten|diesem)\s+(?:jahr|monat))"
_TIME = (
    rf"(?:(?:from|between|von|zwischen)\s+(?P<first>{_POINT})\s*(?:to|until|and|bis|und|-|–)\s*(?P<last>{_POINT})"
    rf"|(?:since|seit|ab)\s+(?P<since>{_POINT})"
    rf"|(?:after|newer than|nach)\s+(?P<after>{_POINT})"
    rf"|(?:before|older than|vor)\s+(?P<before>{_POINT})"
    rf"|(?:from|of|dated|made in|written in|changed in|von|vom|aus)\s+(?P<within>{_POINT}|{_RECENT}))"
)
_KINDS = "|".join(f"(?P<{kind}>{words})" for kind, words in _SEVERAL.items())
_SINGLE = "|".join(f"(?P<one_{kind}>{words})" for kind, words in _ONE.items())
_IN = r"in|from|within|across|among|through|throughout|search|according to|aus|laut|unter|im|durchsuche"
_THE = (
    r"(?:(?:all|any)\s+(?:of\s+)?)?(?:the|my|our|all|allen?|den|die|meinen?|unseren?)"
    r"(?:\s+(?:meinen|unseren|den))?"
)
# What follows one of a kind where it is not part of another word: "the PDF format" is no document.
_ENDS = (
    r"(?=\s*(?:[?.!,;:]|$)|\s+(?:from|of|about|that|which|and|is|are|was|since|before|after|on|with|by)\b)"
)
_NARROWED = re.compile(
    rf"(?<!\w)(?:(?P<only>only|just|nur)\s+)?(?:(?P<in>{_IN})\s+(?:(?P<the>{_THE}|im)\s+)?|(?P<which>which|welche)\s+)"
    rf"(?P<noun>(?:{_KINDS})(?![\w-])|(?:{_SINGLE})(?![\w-]){_ENDS}|(?P<documents>{_DOCUMENTS})(?![\w-]))"
    rf"(?:\s+(?P<time>{_TIME}))?",
    re.IGNORECASE,
)
# "Which PDFs mention it?" asks for documents; "Which e-books does the library lend?" for what they tell of.
_TELLING = re.compile(
    r"\s+(?:mention|contain|say|tell|speak|talk|discuss|deal|cover|refer|describe|name|cite|include|state"
    r"|are about|is about|erwähn|enth[aä]lt|nenn|handel|besprech|beschreib|sprech|sag|gehen um|geht um)",
    re.IGNORECASE,
)
_NOUN = "(?:collection|folder|sammlung|ordner)"
_CALLED = (
    r"(?<!\w)(?:in|from|within|aus)\s+(?:(?:the|my|our|der|dem|meiner|meinem|unserer)\s+)?"
    rf"{_NOUN}\s+(?:(?:called|named|namens)\s+)?|(?<!\w)im\s+ordner\s+"
)
_IN_THE = r"(?<!\w)(?:in|from|within|aus)\s+(?:(?:the|my|our|der|dem|meiner|meinem)\s+)?"
_OPENED, _CLOSED = '["“„«]', '["”“»]'
_QUOTED = rf"{_OPENED}\s*([^\"“”„«»]{{1,100}}?)\s*{_CLOSED}"
_MAYBE_COLLECTION = re.compile(rf"collection|folder|sammlung|ordner|{_OPENED}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit that a question sets itself; `words` as it names it, without the preposition."""

    words: str
    limited: Filter


@dataclass(frozen=True, slots=True)
class Narrowing:
    """A question without the limits that it sets (`text`), these, and collections it names in vain.

    Those are as it has them, "folder Taxes"; documents may tell of a folder of this name.
    """

    text: str
    limits: tuple[Limit, ...] = ()
    unknown: tuple[str, ...] = ()


def may_name_collections(question: str) -> bool:
    """Whether it is worth to look for names of collections in it."""
    return _MAYBE_COLLECTION.search(question) is not None


def narrowing(question: str, collections: Mapping[str, str], today: date | None = None) -> Narrowing:
    """What the question limits itself to.

    Args:
        collections: the names of all there are, by id.
        today: of what "last year" is counted from; None: this day.
    """
    found = _in_collection(question, collections)
    match = _NARROWED.search(found.text)
    limits = _of(match, today or date.today()) if match else ()
    if match is None or not limits:
        return found
    kept = match["which"] or ""
    text = " ".join(f"{found.text[: match.start()]}{kept} {found.text[match.end() :]}".split())
    text = re.sub(r"\s+([?.!,;:])", r"\1", text)
    return Narrowing(text if re.search(r"\w", text) else question, (*found.limits, *limits), found.unknown)


def tells(text: str) -> bool:
    """Whether it says what is looked for: "What is?" does not."""
    return any(word not in STOP_WORDS for word in re.findall(r"[^\W_]+", text.casefold()))


def both(limited: Filter, other: Filter) -> Filter | None:
    """What meets both filters; None: nothing can."""
    types = _shared(limited.types, other.types)
    collections = _shared(limited.collections, other.collections)
    starts = [moment for moment in (limited.since, other.since) if moment is not None]
    ends = [moment for moment in (limited.until, other.until) if moment is not None]
    since, until = max(starts, default=None), min(ends, default=None)
    if types is None or collections is None or (since is not None and until is not None and until <= since):
        return None
    return replace(limited, types=types, collections=collections, since=since, until=until)


def _shared(first: tuple[Value, ...], second: tuple[Value, ...]) -> tuple[Value, ...] | None:
    if not first or not second:
        return first or second
    return tuple(value for value in first if value in second) or None


def _of(match: re.Match[str], today: date) -> tuple[Limit, ...]:
    """The limits that a match sets: its type, then its time."""
    kinds = [kind for kind in _SEVERAL if match[kind]] or [kind for kind in _ONE if match[f"one_{kind}"]]
    asks = match["which"] and _TELLING.match(match.string, match.end())
    plain = match["the"] or match["only"] or asks or (match["in"] or "").lower() == "im"
    if not match["time"]:
        return (Limit(match["noun"], Filter(types=tuple(kinds))),) if kinds and plain else ()
    limits = [Limit(match["noun"], Filter(types=tuple(kinds)))] if kinds else []
    limits.append(Limit(f"{match['noun']} {match['time']}", _time(match, today)))
    return tuple(limits)


def _time(match: re.Match[str], today: date) -> Filter:
    if match["first"]:
        return Filter(since=_span(match["first"], today)[0], until=_span(match["last"], today)[1])
    if match["since"]:
        return Filter(since=_span(match["since"], today)[0])
    if match["after"]:
        return Filter(since=_span(match["after"], today)[1])
    if match["before"]:
        return Filter(until=_span(match["before"], today)[0])
    since, until = _span(match["within"], today)
    return Filter(since=since, until=until)


def _span(said: str, today: date) -> tuple[float, float]:
    """Where "March 2023", "2023" or "last year" begins and has ended."""
    words = said.casefold().replace(".", " ").split()
    if words[-1].isdigit():
        month = next((MONTHS[word] for word in words if word in MONTHS), None)
        return moments(words[-1] if month is None else f"{words[-1]}-{month:02}")
    before = int(bool({"last", "letzten"} & set(words)))
    if {"year", "jahr"} & set(words):
        return moments(f"{today.year - before:04}")
    months = today.year * 12 + today.month - 1 - before
    return moments(f"{months // 12:04}-{months % 12 + 1:02}")


def _in_collection(question: str, collections: Mapping[str, str]) -> Narrowing:
    """The question without the collection that it names, if it names one."""
    ids: dict[str, list[str]] = {}
    for key, name in collections.items():
        ids.setdefault(_plain(name), []).append(key)
    quoted = re.search(rf"(?:{_CALLED}){_QUOTED}", question, re.IGNORECASE)
    if quoted and _plain(quoted[1]) not in ids:
        noun = re.findall(_NOUN, quoted[0], re.IGNORECASE)[0]
        return Narrowing(_without(question, quoted), unknown=(f"{noun} {quoted[1]}",))
    bare = re.search(rf"{_IN_THE}{_QUOTED}(?:\s+(?:collection|folder))?(?!\w)", question, re.IGNORECASE)
    for match in (quoted, bare):
        if match and (keys := ids.get(_plain(match[1]))):
            return Narrowing(_without(question, match), (_collection(match[1], keys),))
    # The longest name first: "Taxes 2023" is not "Taxes".
    for name in sorted(ids, key=len, reverse=True):
        spelled = r"\s+".join(map(re.escape, name.split()))
        form = rf"(?:{_CALLED})({spelled})(?!\w)|{_IN_THE}({spelled})\s+(?:collection|folder)(?!\w)"
        if match := re.search(form, question, re.IGNORECASE):
            return Narrowing(_without(question, match), (_collection(match[1] or match[2], ids[name]),))
    return Narrowing(question)


def _collection(name: str, keys: list[str]) -> Limit:
    return Limit(f"collection {name}", replace(EVERYTHING, collections=tuple(keys)))


def _without(question: str, match: re.Match[str]) -> str:
    text = " ".join(f"{question[: match.start()]} {question[match.end() :]}".split())
    text = re.sub(r"\s+([?.!,;:])", r"\1", text)
    return text if re.search(r"\w", text) else question


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
