"""Every sentence, list item or row that holds what is to be listed, in the order of the documents.

Some things are known by their form: a deadline is a date or a span of time with a word that makes it
one, an amount is a number with a currency, a decision has a word of deciding. Anything else is known by
its words, in the sentence or in the heading above it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.backend.ask.sentences import is_heading, split
from app.backend.ask.whole.material import Whole
from app.backend.ask.whole.telling import Told
from app.backend.ask.wording import content_words
from app.records import Passage

MOST = 30
"""Items in one answer."""

_LEAST_LETTERS = 3
# A longer word agrees where it begins with one of so many letters: "deadline" in "deadlined". With fewer
# "Organe" would be found in "organised".
_PREFIX = 6
_MONTH = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|march|märz|april|may|mai|june?|juni|july?|juli"
    r"|aug(?:ust)?|sept?(?:ember)?"
    r"|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)"
)
_DATE = (
    rf"\d{{1,2}}\.? {_MONTH}\b|\b{_MONTH} \d{{1,2}}\b|\b\d{{4}}-\d\d-\d\d\b"
    rf"|\b\d{{1,2}}[./]\d{{1,2}}[./]\d{{2,4}}\b"
)
_NUMBER = (
    r"(?:\d+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|fourteen|thirty|first"
    r"|second|third|fourth|fifth|tenth"
    r"|last|each|every|einem?r?n?s?|zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|zwölf"
    r"|vierzehn|dreißig)"
)
_SPAN = (
    rf"\b{_NUMBER}(?:st|nd|rd|th|\.)?[ -](?:\([^)]*\) )?(?:(?:working|business|calendar|full)[ -])?"
    r"(?:hours?|days?|weeks?|months?|quarters?|years?|stunden?|(?:werk|arbeits"
    r"|kalender)?tage?n?s?|wochen?|monate?n?s?|jahre?n?s?)\b"
)
_TIME = re.compile(rf"{_DATE}|{_SPAN}", re.IGNORECASE)
_DUE = re.compile(
    r"\b(?:deadlines?|due|no later than|at the latest|latest|by|within|until|before|not after"
    r"|expir\w+|notice|closes?|ends?|term|in advance|at least|no more than"
    r"|period|submit\w*|mindestens|längstens|höchstens|vorher|zuvor|im voraus"
    r"|spätestens|bis|innerhalb|binnen|fällig\w*|\w*frist(?:en)?|ablauf|läuft|endet)\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"(?:[€$£¥]|\b(?:EUR|USD|GBP|CHF))\s?\d|\d[\d.,'’]*\s?(?:€|£|\$|EUR\b|USD\b|GBP\b|CHF\b|kr\b"
    r"|(?:million |thousand )?(?:euros?|dollars?|pounds?|francs?|cents?|franken)\b)",
    re.IGNORECASE,
)
_PERSON = re.compile(
    r"\b(?:Mr|Mrs|Ms|Dr|Prof|Herrn?|Frau)\b\.? [A-ZÄÖÜ]|(?<![.?!] )(?<!^)\b[A-ZÄÖÜ][a-zäöüß]+ "
    r"(?:[A-Z]\. |von |van |de )?[A-ZÄÖÜ][a-zäöüß]+\b"
)
_DUTY = re.compile(
    r"\b(?:must|shall|ha(?:s|ve) to|(?:is|are) (?:required|obliged|obligated|responsible"
    r"|liable)|undertakes?|need(?:s|ed)? to|muss|müssen"
    r"|verpflichtet|(?:hat|haben) [^.]* zu \w+en|obliegt)\b",
    re.IGNORECASE,
)
_BAN = re.compile(
    r"\b(?:must not|may not|shall not|cannot|(?:is|are) (?:not (?:allowed|permitted)|forbidden"
    r"|prohibited)|no \w+ (?:may|is allowed)"
    r"|darf nicht|dürfen nicht|darf kein\w*|verboten|untersagt|nicht (?:gestattet|erlaubt|zulässig))\b",
    re.IGNORECASE,
)
_MAIL = re.compile(r"\S+@\S+\.\w{2,}")
_DECIDED = re.compile(
    r"\b(?:decide[sd]?|decision|resolve[sd]?|resolution|agreed|approve[sd]?|adopt(?:s|ed)?|elect(?:s|ed)"
    r"|reject(?:s|ed)?|unanimous(?:ly)?|carried|in favour|beschl(?:ie(?:ß|ss)t|oss(?:en)?|üsse?|uss)"
    r"|entschied(?:en)?|vereinbart|genehmigt|angenommen|abgelehnt|gewählt|einstimmig)\b",
    re.IGNORECASE,
)
_ASKED = re.compile(r"\?[\"'”’)]*$")
_LINK = re.compile(r"https?://\S|\bwww\.\w", re.IGNORECASE)
_PHONE = re.compile(r"(?:\+\d|\b0\d|\(\d)[\d ()/–-]{5,}\d|\b\d{3}-\d{3,4}(?:-\d{4})?\b")
_DEFINED = re.compile(
    r"[“\"„][^”\"“]{1,60}[”\"“] (?:means?|is|are|shall mean|bedeutet|ist|sind|bezeichnet)\b"
    r"|\b(?:is|are) (?:called|known as|defined as)\b|\bwe call\b|\b(?:heißt|heißen|nennt man|bezeichnet)\b",
    re.IGNORECASE,
)


def _deadline(text: str) -> bool:
    return _TIME.search(text) is not None and _DUE.search(text) is not None


def _matching(pattern: "re.Pattern[str]") -> Callable[[str], bool]:
    return lambda text: pattern.search(text) is not None


_FORMS: tuple[tuple["re.Pattern[str]", Callable[[str], bool]], ...] = tuple(
    (re.compile(rf"\b(?:{names})\b", re.IGNORECASE), test)
    for names, test in (
        (r"deadlines?|due dates?|time limits?|notice periods?|\w*fristen|termine", _deadline),
        (r"dates?|daten|datumsangaben", _matching(re.compile(_DATE, re.IGNORECASE))),
        (
            r"(?:amounts?|sums?|prices?|costs?|payments?|beträge|preise|kosten|zahlungen|summen)",
            _matching(_MONEY),
        ),
        (r"people|persons?|names?|personen|namen", _matching(_PERSON)),
        (
            r"obligations?|duties|requirements|responsibilities|pflichten|verpflichtungen|anforderungen",
            _matching(_DUTY),
        ),
        (r"prohibitions?|bans|restrictions|verbote|einschränkungen", _matching(_BAN)),
        (r"decisions?|resolutions?|beschlüsse|entscheidungen", _matching(_DECIDED)),
        (r"(?:open )?questions|(?:offene )?fragen", _matching(_ASKED)),
        (r"definitions|defined terms|definitionen|begriffsbestimmungen", _matching(_DEFINED)),
        (r"links|urls|web(?:sites| addresses| links)|internetadressen", _matching(_LINK)),
        (r"(?:tele)?phone numbers|telefonnummern", _matching(_PHONE)),
        (r"e-?mail(?: address(?:es)?|-adressen)?|mail addresses", _matching(_MAIL)),
    )
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is listed: known by its `form`, or (None) by its words. All of `words` have to be there."""

    form: Callable[[str], bool] | None
    names: frozenset[str]
    words: frozenset[str]

    def held_by(self, text: str, heading: str) -> bool:
        """Whether a sentence, with the heading above it, is one of those that are wanted."""
        there = frozenset(content_words(text))
        above = frozenset(content_words(heading))
        if not all(_has(there | above, word) for word in self.words):
            return False
        if self.form is None:
            return True
        # "The fee for ... is due in advance" is a fee without a number; the form alone would miss it.
        return self.form(text) or (bool(self.names) and all(_has(there, word) for word in self.names))


def wanted(matter: str) -> Wanted:
    """What "obligations of the tenant" asks for: sentences of duty in which the tenant stands."""
    for names, form in _FORMS:
        if (found := names.search(matter)) is not None:
            rest = f"{matter[: found.start()]} {matter[found.end() :]}"
            return Wanted(form, frozenset(content_words(found.group())), frozenset(content_words(rest)))
    return Wanted(None, frozenset(), frozenset(content_words(matter)))


def items(documents: Sequence[Whole], want: Wanted) -> list[Told]:
    """All that hold it, each text once, in order. `section` is the number of the document."""
    found: list[Told] = []
    if want.form is None and not want.words:
        return found
    seen: set[str] = set()
    for number, document in enumerate(documents):
        for passage in document.passages:
            heading = (passage.heading or "").rsplit(" › ", 1)[-1]
            for start, end, text in _units(passage):
                if text.casefold() in seen or not want.held_by(text, heading):
                    continue
                seen.add(text.casefold())
                found.append(Told(passage, number, len(found), start, end, text, frozenset(), False))
    return found


def of_document(told: Told, number: int) -> Told:
    """The same, marked as one of document `number`."""
    return replace(told, section=number)


def _units(passage: Passage) -> list[tuple[int, int, str]]:
    """Sentences, list items and rows with their offsets; no headings."""
    found = []
    for start, end in split(passage.text, wrapped=True):
        text = " ".join(passage.text[start:end].split())
        if sum(map(str.isalpha, text)) >= _LEAST_LETTERS and not is_heading(text, passage.heading):
            found.append((start, end, text))
    return found


def _has(there: frozenset[str], word: str) -> bool:
    if word in there:
        return True
    return len(word) >= _PREFIX and any(
        other.startswith(word) or (len(other) >= _PREFIX and word.startswith(other)) for other in there
    )
