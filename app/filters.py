"""What a search or a question is limited to: documents, collections, types and a time.

Several limits hold at once: what is searched meets all of them. Within one, any of its values will do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal, get_args

Kind = Literal[
    "pdf", "word", "spreadsheet", "presentation", "web", "mail", "ebook", "image", "text", "code", "data"
]
KINDS: tuple[Kind, ...] = get_args(Kind)

# Every media type of a document, by what people call it.
_KIND_OF: Mapping[str, Kind] = {
    "application/pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "word",
    "application/vnd.oasis.opendocument.text": "word",
    "application/rtf": "word",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "spreadsheet",
    "application/vnd.oasis.opendocument.spreadsheet": "spreadsheet",
    "text/csv": "spreadsheet",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "presentation",
    "application/vnd.oasis.opendocument.presentation": "presentation",
    "text/html": "web",
    "message/rfc822": "mail",
    "application/mbox": "mail",
    "application/vnd.ms-outlook": "mail",
    "application/epub+zip": "ebook",
    "image/*": "image",
    "text/plain": "text",
    "text/markdown": "text",
    "text/x-rst": "text",
    "application/x-tex": "text",
    "text/x-code": "code",
    "application/x-ipynb+json": "code",
    "application/json": "data",
    "application/xml": "data",
}
# Other names that people give them, in small letters without signs.
_ALSO: Mapping[str, Kind] = {
    **dict.fromkeys(("doc", "docx", "odt", "rtf", "worddocument"), "word"),
    **dict.fromkeys(("xls", "xlsx", "ods", "csv", "tsv", "excel", "table", "sheet"), "spreadsheet"),
    **dict.fromkeys(("ppt", "pptx", "odp", "powerpoint", "slides"), "presentation"),
    **dict.fromkeys(("html", "htm", "webpage"), "web"),
    **dict.fromkeys(("email", "eml", "msg", "mbox", "message"), "mail"),
    **dict.fromkeys(("epub", "book"), "ebook"),
    **dict.fromkeys(("picture", "scan", "png", "jpg", "jpeg", "tiff"), "image"),
    **dict.fromkeys(("txt", "md", "markdown", "plaintext"), "text"),
    **dict.fromkeys(("sourcecode", "source", "notebook", "ipynb"), "code"),
    **dict.fromkeys(("json", "xml"), "data"),
}
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# The years 5 and 9000, in seconds since the epoch: calendars of some systems begin and end close to them.
_FIRST, _LAST = -62_000_000_000.0, 221_845_392_000.0
_OTHER: Kind = "text"
KIND_WORDS: Mapping[Kind, tuple[str, str]] = {
    "pdf": ("a PDF", "PDFs"),
    "word": ("a Word document", "Word documents"),
    "spreadsheet": ("a spreadsheet", "spreadsheets"),
    "presentation": ("a presentation", "presentations"),
    "web": ("a web page", "web pages"),
    "mail": ("an email", "emails"),
    "ebook": ("an e-book", "e-books"),
    "image": ("an image", "images"),
    "text": ("a text file", "text files"),
    "code": ("source code", "source code"),
    "data": ("a data file", "data files"),
}
"""What one is called in a sentence, and what several are."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Limits of a search; an empty one does not limit.

    `documents` and `collections` are ids; a folder that is followed is a collection, too. `since` and
    `until` (not included) are seconds since the epoch, and hold for the date of a document's file: when
    it was last changed; of its copies the oldest counts; where no file lies anywhere (an upload), when
    it was added.
    """

    documents: tuple[str, ...] = ()
    collections: tuple[str, ...] = ()
    types: tuple[Kind, ...] = ()
    since: float | None = None
    until: float | None = None

    def __bool__(self) -> bool:
        """Whether it limits at all."""
        return self != EVERYTHING


EVERYTHING = Filter()


def kind_of(media_type: str) -> Kind:
    """What people call a document of this media type."""
    return _KIND_OF.get(media_type, _OTHER)


def media_types(kinds: tuple[Kind, ...]) -> tuple[str, ...]:
    """The media types that these names stand for."""
    return tuple(media_type for media_type, kind in _KIND_OF.items() if kind in kinds)


def kind_named(name: str) -> Kind:
    """The kind that a person means by "PDF", "e-mails", "xlsx" or ".docx".

    Raises:
        ValueError: none.
    """
    plain = "".join(letter for letter in name.casefold() if letter.isalnum())
    for form in (plain, plain.removesuffix("s")):
        if form in KINDS:
            return form
        if form in _ALSO:
            return _ALSO[form]
    raise ValueError(f"{name!r} is no type of document; there are {', '.join(KINDS)}.")


def moments(day: str) -> tuple[float, float]:
    """When a day, a month or a year begins and has ended, in seconds since the epoch.

    Args:
        day: "2024-03-31", "2024-03" or "2024", of this computer's calendar.

    Raises:
        ValueError: it is none.
    """
    parts = day.strip().split("-")
    digits = [len(part) for part in parts]
    if digits not in ([4], [4, 2], [4, 2, 2]) or not all(part.isdecimal() for part in parts):
        raise ValueError(f"{day!r} is no date; write 2024, 2024-03 or 2024-03-31.")
    year, month, number = (*map(int, parts), 1, 1)[:3]
    try:
        first = date(year, month, number)
        if len(parts) == 3:
            after = first + timedelta(days=1)
        elif len(parts) == 2:
            after = date(year + month // 12, month % 12 + 1, 1)
        else:
            after = date(year + 1, 1, 1)
        return _at(first), _at(after)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{day!r} is no date of the calendar.") from error


def moment(when: float | str, *, ends: bool = False) -> float:
    """Seconds since the epoch of a day, month or year as for `moments`; of other numbers themselves.

    Args:
        ends: its end is meant, which is the beginning of the next.

    Raises:
        ValueError: it is neither.
    """
    text = str(when).strip()
    if text.isdecimal() and len(text) == 4:
        return moments(text)[ends]
    try:
        seconds = float(text)
    except ValueError:
        return moments(text)[ends]
    if not in_calendar(seconds):
        raise ValueError(f"{text!r} is no time of this calendar.")
    return seconds


def in_calendar(moment: float) -> bool:
    """Whether seconds since the epoch are a day that can be written: files can have any time at all."""
    return _FIRST < moment < _LAST


def period(since: float | None, until: float | None) -> str:
    """A time in words: "March 2023", "2020 or later", "before 3 May 2021", "2 May 2021 to 4 May 2021"."""
    if since is None:
        return f"before {_day(until)}" if until is not None else "any time"
    if until is None:
        return f"{_day(since)} or later"
    first, last = datetime.fromtimestamp(since), datetime.fromtimestamp(until) - timedelta(seconds=1)
    day = first.date().isoformat()
    for form in (day[:4], day[:7]):
        if moments(form) == (since, until):
            return _day(since)
    if moments(day) == (since, until):
        return _date(first)
    years = (moments(f"{first.year:04}")[0], moments(f"{last.year:04}")[1])
    return f"{first.year} to {last.year}" if years == (since, until) else f"{_date(first)} to {_date(last)}"


def _day(moment: float) -> str:
    """A moment as shortly as can be: the beginning of a year is the year."""
    at = datetime.fromtimestamp(moment)
    if at.time() != time():
        return f"{_date(at)}, {at:%H:%M}"
    if at.day == 1:
        return str(at.year) if at.month == 1 else f"{_MONTHS[at.month - 1]} {at.year}"
    return _date(at)


def _date(day: date) -> str:
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _at(day: date) -> float:
    return datetime.combine(day, time()).timestamp()
