"""Where in a document a question points: "on page 12", "pp. 3-5", "section 3.2", "§ 5", "Seite 12".

English and German. Pages are the document's own, from 1. A section is told by its number, where that
begins a heading or a line.
"""

import re
from collections.abc import Iterator

from app.records import Passage

_MOST_PAGES = 50
_ONE_PAGE = r"\d{1,5}(?!\d|[.,]\d)"
_PAGES = re.compile(
    rf"(?<![\w.])(?:(?:(?i:pages|pp\.|seiten)\s*({_ONE_PAGE}(?:\s*(?:,|-|–|to|bis|and|und|or|oder)\s*{_ONE_PAGE})*)"
    rf"|(?:(?i:page|seite)|p\.|S\.)\s*(?:(?i:no\.?|number|nr\.?)\s*)?({_ONE_PAGE}(?:\s*[-–]\s*{_ONE_PAGE})?)"
    rf"|(?i:the|der|die)\s+({_ONE_PAGE})(?:st|nd|rd|th|\.)\s*(?i:page|seite)))"
)
_BETWEEN = re.compile(r"(\d+)\s*(?:-|–|to|bis)\s*(\d+)")
# Said before and behind a page: "on page 12 of the lease".
_LEAD = r"(?:\b(?i:on|in|from|at|of|auf|von|an)\s+)?(?:\b(?i:the|der)\s+)?"

_LABEL = (
    r"(?i:sections?|sec\.|chapters?|clauses?|articles?|paragraphs?|para\.|abschnitte?|kapitel|absatz|ziffer|"
    r"artikel|art\.)|§{1,2}"
)
_NUMBER = r"\d+(?:\.\d+)*[a-z]?"
_SECTION = re.compile(
    rf"(?<!\w)(?:(?:{_LABEL})\s*({_NUMBER}|[IVXLC]{{2,}})|(?i:appendix|annex|anhang)\s+({_NUMBER}|[A-Z]))(?!\w)"
)
SECTION_LABELS = frozenset(
    ("section", "sections", "chapter", "clause", "article", "paragraph", "abschnitt", "kapitel", "absatz",
     "ziffer", "artikel", "appendix", "annex", "anhang")
)  # fmt: skip


def pages(question: str) -> tuple[int, ...]:
    """The pages that a question names, each once; at most 50."""
    found: dict[int, None] = {}
    for match in _PAGES.finditer(question):
        found.update(dict.fromkeys(_numbers(next(filter(None, match.groups())))))
    return tuple(found)[:_MOST_PAGES]


def sections(question: str) -> tuple[str, ...]:
    """The numbers of the sections that a question names, as it writes them, each once."""
    found = (match[1] or match[2] for match in _SECTION.finditer(question))
    return tuple(dict.fromkeys(found))


def without_pages(question: str) -> str:
    """The question without the pages it names: they say where to look, not for what."""
    return re.sub(rf"{_LEAD}(?:{_PAGES.pattern})", " ", question).strip() or question


def without_places(text: str) -> str:
    """The text without the pages and sections it names; empty where it names nothing else."""
    text = re.sub(rf"{_LEAD}(?:{_PAGES.pattern})", " ", text)
    return " ".join(re.sub(rf"{_LEAD}(?:{_SECTION.pattern})", " ", text).split())


def lies_in(section: str, passage: Passage) -> bool:
    """Whether the passage stands below that number, or below one within it (3.2.1 lies in 3.2)."""
    number = rf"{re.escape(section)}(?:\.\d+)*"
    labelled = rf"(?:{_LABEL}|(?i:appendix|annex|anhang))\s*{number}(?!\w)"
    begins = rf"[^\w§]*(?:{labelled}|{number}[.)]?(?=\s+[^\W\d_a-z]|$))"
    if passage.heading and re.search(rf"(?:^|›){begins}", passage.heading):
        return True
    return re.search(rf"^{begins}", passage.text, re.MULTILINE) is not None


def _numbers(written: str) -> Iterator[int]:
    """The numbers of "3, 5-7 and 9": a range gives all of its pages."""
    for first, last in _BETWEEN.findall(written):
        yield from range(int(first), min(int(last), int(first) + _MOST_PAGES) + 1)
    for number in re.findall(r"\d+", _BETWEEN.sub(" ", written)):
        yield int(number)
