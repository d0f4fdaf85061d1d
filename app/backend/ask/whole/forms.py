"""What can be listed by its form: whether a sentence is a deadline, an amount, a duty, a decision.

Each is a name as questions have it, in English and German, and a test of one sentence.
"""

import re
from collections.abc import Callable

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
# In a contract or in statutes a duty is what a party does: "The tenant pays a deposit."
_PARTY_DOES = re.compile(
    r"(?:^|[,;] )(?:the|each|every|either) (?:tenant|landlord|less(?:ee|or)|buyer|purchaser|seller|vendor"
    r"|employe[er]|contractor|client|customer|supplier|provider|licens(?:ee|or)|lender|borrower|member"
    r"|party|board|agent|owner) (?!has\b|is\b|was\b|does\b|lets\b|receives\b|gets\b)[a-z]+(?<!s)s\b"
    r"|^(?:der|die|das|jeder|jedes) (?:mieter|vermieter|käufer|verkäufer|arbeitnehmer|arbeitgeber"
    r"|auftragnehmer|auftraggeber|kunde|mitglied|vorstand|eigentümer)(?:in)? "
    r"(?!hat\b|ist\b|erhält\b|kann\b|darf\b)[a-zäöü]+t\b",
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


FORMS: tuple[tuple["re.Pattern[str]", Callable[[str], bool]], ...] = tuple(
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
            lambda text: bool(_DUTY.search(text) or _PARTY_DOES.search(text)),
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
"""The names a form goes by, and whether a sentence has it."""
