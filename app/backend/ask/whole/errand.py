"""Whether a question is about whole documents: to sum up, say what about, compare, or list all of something.

Pure functions of the question. A question about one fact is never taken for one of these: a verb only
counts where the request begins with it, and what stands in quotation marks says nothing. What the errand
is about ("the lease", "deadlines") is left as it stands; `scope` finds out whether a document is meant.
"""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

Kind = Literal["summary", "overview", "comparison", "list"]


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be done with whole documents.

    `matter` is what it is about or, of a list, what is to be listed, in the words of the question;
    empty where that is only "the document". `pointing`: it says "this" or "it". `every`: it says that
    all documents are meant. `aspect`: with respect to what documents are compared or summed up.
    `named_only`: where the matter names no document, it is none after all: what "the clause" is about,
    or the main points of a dispute, is better looked for.
    """

    kind: Kind
    matter: str = ""
    aspect: str = ""
    pointing: bool = False
    every: bool = False
    named_only: bool = False


_QUOTED = re.compile(r"[\"“„«][^\"“”„«»]*[\"”“»]")
_POLITE = re.compile(
    r"(?:(?:hi|hello|hallo|ok|okay|so|now|and|und|then|dann|please|pls|bitte|quickly|briefly|kurz)[ ,]+"
    r"|(?:can|could|would|will) you(?: please| kindly| briefly| quickly)* "
    r"|(?:kannst|könntest|würdest) du(?: mir| uns)?(?: bitte| mal| kurz)* "
    r"|(?:können|könnten) sie(?: mir| uns)?(?: bitte| kurz)* "
    r"|(?:tell|explain to) (?:me|us) (?=what\b)"
    r"|i(?: would|['’]d) like(?: you to| to have)? |i (?:want|need)(?: you to)? |ich (?:möchte"
    r"|brauche|hätte gern) )+",
    re.IGNORECASE,
)
_TAIL = re.compile(
    r"(?:[ ,]+(?:please|bitte|for me|für mich|briefly|shortly|in short|kurz"
    r"|in (?:one|two|three|four|five|a few|[0-9]+|einem|zwei|drei|wenigen) (?:short )?"
    r"(?:sentences?|words?|bullet points?|points|paragraphs?|lines?|sätzen?|worten|stichpunkten)"
    r"|in (?:simple|plain) (?:words|terms|english|language)|in (?:bullet points|stichpunkten)|as (?:a )?"
    r"(?:bullet )?list|as bullet points|als liste"
    r"|in (?:english|german|french|italian|spanish|portuguese|dutch|polish)"
    r"|auf (?:englisch|deutsch|französisch|italienisch|spanisch|portugiesisch|niederländisch|polnisch)))+$",
    re.IGNORECASE,
)

_SIZE = (
    r"(?:(?:a|an|the|me|us|eine?n?|die|der|das|mir|uns|very|short|brief|quick|concise|detailed"
    r"|kurze[nr]?|gute[nr]?) )*"
)
_OF = r"(?:of|on|about|for|from|in|over|von|vom|über|zu[mr]?|aus|des|der) "
_MAIN = (
    r"(?:most important|key|main|central|principal|essential|wichtigsten|zentralen|wesentlichen"
    r"|hauptsächlichen)"
)
_POINTS = (
    r"(?:points?|takeaways?|take-aways?|messages?|ideas?|statements?|themes?|topics?|findings"
    r"|arguments|facts"
    r"|contents?|conclusions|things|insights"
    r"|punkte|aussagen|themen|inhalte|ergebnisse|erkenntnisse|argumente|fakten)"
)
_GERMAN_POINTS = r"(?:kernpunkte|kernaussagen|hauptpunkte|hauptaussagen|hauptthemen|kernthemen|eckpunkte)"

# "Summarise the key points of the lease" asks for no more than "Summarise the lease".
_POINTS_OF = re.compile(
    rf"^(?:the |die )?(?:{_MAIN} {_POINTS}|{_GERMAN_POINTS}) (?:{_OF})?(?=\S)", re.IGNORECASE
)

# What is a document for certain: "this report", "the second document", "Lease.pdf".
_DOCUMENT = (
    r"(?:this|it|these|the|my|our|that|dem|den|der|des|diese[mnrs])?(?: ?[\w-]+)? ?"
    r"(?:documents?|files?|papers?|reports?|pdfs?|books?|articles?|texts?|stud(?:y|ies)"
    r"|contracts?|[^ ]+\.[a-z]{2,5}"
    r"|dokument(?:e[ns]?|s)?|datei(?:en)?|bericht(?:e[ns]?|s)?|text(?:e[ns]?|s)?|(?:\w+)?vertrag(?:e?s)?"
    r"|verträgen?)|this|it|these"
)

_SUMMARIES = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:summari[sz]e|sum up)(?: (?P<matter>.+))?",
        r"(?:recap|digest)(?: (?P<matter>(?:this|the|my|our|all|these|it)\b.*))?",
        rf"(?:give|write|make|show|create|provide|draft|get|i want)? ?{_SIZE}(?:summary|synopsis"
        r"|recap|abstract|tl;?dr)"
        rf"(?: {_OF}(?P<matter>.+))?",
        r"tl;?dr(?:[ :,]+(?P<matter>.+))?",
        r"(?:fass|fasse|fassen sie)(?: mir| uns)?(?: bitte| mal| kurz)*(?: (?P<matter>.+?))?"
        r"(?: bitte| mal| kurz)* ?(?:zusammen)",
        r"(?P<matter>(?:den|das|die|dieses|diesen|diese|alle) .+) (?:kurz )?zusammenfassen",
        rf"(?:gib|erstelle|schreib|schreibe|mach|mache)? ?{_SIZE}(?:zusammenfassung|kurzfassung)"
        rf"(?: (?:{_OF})?(?P<matter>.+))?",
        r"what (?:should|must|do) i (?:need to )?know about (?P<matter>(?:this|these|the|my|our) .+)",
        r"was (?:sollte|muss) ich (?:über|von|zu) (?P<matter>(?:diese[mnrs]?|d[aei][srmne]) .+) wissen",
    )
)
_OF_DOCUMENTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:what are|what['’]s|list|give me|tell me|show me|name|which are)? ?(?:all )?"
        rf"(?:the )?{_MAIN} {_POINTS}"
        rf"(?: (?:{_OF}|made in |that (?:are made|stand) in )(?P<matter>.+))?",
        rf"(?:what are|list|give me|tell me|show me)? ?(?:the )?highlights(?: {_OF}(?P<matter>.+))?",
        rf"(?:was sind|welches sind|nenne?(?: mir| uns)?|gib(?: mir| uns)?)? ?(?:die )?(?:{_MAIN} {_POINTS}"
        rf"|{_GERMAN_POINTS})"
        rf"(?: (?:{_OF})?(?P<matter>.+))?",
    )
)
_OVERVIEWS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"what(?: is|['’]s|s| are| was) (?P<matter>.+) (?:all |mainly |mostly |basically )?about",
        rf"what (?P<matter>{_DOCUMENT}) (?:is|are) (?:all |mainly |mostly |basically )?about",
        rf"what (?:do|does) (?!it |they )(?P<matter>{_DOCUMENT}) "
        r"(?:deal with|cover|talk about|discuss|say|contain)",
        r"what (?:is|['’]s|are) (?:in|inside|the (?:contents?|topics?|subjects?|gist) of) "
        rf"(?P<matter>{_DOCUMENT})",
        rf"(?:give|write|show)? ?{_SIZE}(?:overview|gist)(?: {_OF}(?P<matter>.+))?",
        rf"(?:describe|explain|outline) (?P<matter>{_DOCUMENT})(?: to (?:me|us))?",
        r"(?:wo?rum|um was) (?:geht(?: es|['’]s)?|dreht es sich)(?: (?:hier|eigentlich))?(?: (?:in|bei) "
        r"(?P<matter>.+))?",
        r"wovon handel(?:t|n) (?P<matter>.+)",
        rf"was steht i[nm] (?P<matter>{_DOCUMENT})(?: drin)?",
        rf"(?:was|wie) ist der inhalt (?:{_OF})?(?P<matter>{_DOCUMENT})",
        rf"(?:gib|verschaff)? ?{_SIZE}(?:überblick|übersicht)(?: (?:{_OF})?(?P<matter>.+))?",
    )
)
_COMPARISONS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:compare|contrast|compare and contrast) (?P<matter>.+)",
        rf"(?:give|make|write|show)? ?{_SIZE}comparison (?:of|between) (?P<matter>.+)",
        r"(?:(?:what|which)(?: is| are|['’]s)(?: all)? )?(?:the )?(?:main |key |most important )?"
        r"(?:differences?|similarities) (?:between|among) (?P<matter>.+)",
        r"how (?:do|does|is|are) (?P<matter>.+?) (?:differ(?:ent)?)(?: from (?P<other>.+))?",
        r"(?:vergleiche?|vergleichen sie)(?: mir| uns)?(?: bitte)? (?P<matter>.+?)(?: miteinander)?",
        r"(?:stelle?)(?: mir| uns)?(?: bitte)? (?P<matter>.+?) (?:einander )?gegenüber",
        r"(?:was (?:ist|sind)|welche|worin (?:liegen|bestehen|liegt|besteht))(?: die| der)? "
        r"(?:wichtigsten |wesentlichen )?unterschiede?(?: (?:gibt es|bestehen))? (?:zwischen"
        r"|von) (?P<matter>.+)",
        r"(?:wie|worin) unterscheide[tn] sich (?P<matter>.+)",
    )
)
_ALL = r"(?:all|every|each|alle|jede[ns]?|sämtliche)(?: of)?(?: (?:the|my|our|die|der))?"
_LISTS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"(?:list|enumerate|itemi[sz]e)(?: me| us| out)?(?: down)? (?:{_ALL}|the|any|its"
        r"|their) (?P<matter>.+)",
        rf"(?:name|show|find|give|tell|get|extract|collect|identify|gather)(?: me| us)? {_ALL} "
        r"(?P<matter>.+)",
        rf"(?:give|make|write|create|show|compile)(?: me| us)? {_SIZE}(?:complete "
        rf"|full )?list of (?:{_ALL} |the )?"
        r"(?P<matter>.+)",
        rf"(?:a |the )?(?:complete |full )?list of {_ALL} (?P<matter>.+)",
        rf"what are {_ALL} (?P<matter>.+)",
        r"(?:what|which) (?P<matter>[^\W\d_]+(?: [^\W\d_]+)?s) (?:are|can be) (?:there"
        r"|mentioned|listed|named|given|set"
        r"|stated|found|defined)(?: (?P<where>(?:in|on|by) .+))?",
        rf"(?:liste|listen sie)(?: mir| uns)?(?: bitte)? (?:{_ALL}|die) (?P<matter>.+?) auf"
        r"(?P<where> .+)?",
        rf"(?:zähle?|zählen sie)(?: mir| uns)? (?:{_ALL}|die) (?P<matter>.+?) auf(?P<where> .+)?",
        r"(?:nenne?|nennen sie|zeige?|finde?|gib|such|suche|liste)(?: mir| uns)?"
        rf"(?: bitte)? {_ALL} (?P<matter>.+)",
        rf"(?:eine )?(?:vollständige )?liste (?:von |der |mit )?{_ALL} (?P<matter>.+)",
        r"(?:erstelle?|mach|mache|schreibe?)(?: mir| uns)?(?: bitte)? eine (?:vollständige )?"
        r"(?:liste|übersicht|aufstellung) "
        r"(?:von |mit )?(?:aller|allen|der) (?P<matter>.+)",
        r"(?:alle|sämtliche) (?P<matter>.+) (?:auflisten|aufzählen|nennen|zeigen)",
        r"welche (?P<matter>[^\W\d_]+(?:n|s|e|er)) (?:gibt es|werden genannt|sind genannt"
        r"|stehen|kommen vor|sind festgelegt)"
        r"(?: (?P<where>(?:in|im) .+))?",
    )
)

# Only a document as such: these words name none, and nothing in it.
_GENERIC = re.compile(
    r"(?:(?:the|this|that|these|those|my|our|all|of|both|whole|entire|complete|full|attached"
    r"|uploaded|following|here"
    r"|two|three|four|five|it|its|them|everything|each|every|other|another|one|ones|with|and|to"
    r"|contents?|text|texts|"
    r"documents?|files?|pdfs?|papers?|pages?|library|collection|stuff"
    r"|der|die|das|den|dem|des|dieser|diese|dieses|diesem|diesen|mein|meine|meinen|meiner"
    r"|unsere|unserer|unseren|alle|aller"
    r"|allen|beide|beiden|ganze|ganzen|es|ihn|sie|alles|hier|zwei|drei|vier|miteinander|inhalt"
    r"|inhalte|texte?s?|dokumente?n?s?|dateien?"
    r"|unterlagen|seiten?|und|mit|von|in|vom|zum)\b[ ,]*)+",
    re.IGNORECASE,
)
_POINTING = re.compile(r"\b(?:this|it|that one|dies|diese[mnrs]?|es)\b", re.IGNORECASE)
_EVERY = re.compile(
    r"\b(?:all|every|everything|alle[nmr]?|sämtliche[nr]?|alles)\b(?: (?:of )?(?:the|my|our"
    r"|these|die|der|meine[nr]?|unsere[nr]?))?"
    r"(?: (?:documents?|files?|pdfs?|papers?|texts?|dokumenten?|dateien|unterlagen)\b|$)",
    re.IGNORECASE,
)
_ASPECT = re.compile(
    r"(?:,? (?:with (?:respect|regard) to|regarding|concerning|in terms of|as to"
    r"|on the basis of|focus(?:s?ing|ed)? on"
    r"|with (?:a )?focus on|by|what (?:they|it|he|she) says? (?:about|on)"
    r"|hinsichtlich(?: der| des)?|bezüglich(?: der| des)?|in bezug auf|mit blick auf|nach"
    r"|im hinblick auf)) (?P<aspect>.+)$",
    re.IGNORECASE,
)
_SAYS = re.compile(
    r"what (?P<matter>.+?) (?:says?|states?|contains?|tells?)(?: us| me)?(?: (?:about|on) "
    r"(?P<aspect>.+))?"
    r"|was (?P<german>.+?) (?:über|zu[mr]?) (?P<thema>.+?) (?:sag[te]n?|steht)",
    re.IGNORECASE,
)
_NOT_LISTED = re.compile(
    r"(?:about|over|über|that|which|who|documents?|files?|pdfs?|dokumente|dateien"
    r"|conversations?|models?)\b",
    re.IGNORECASE,
)
_LONGEST = 300


def errand(question: str) -> Errand | None:
    """What the question wants done with whole documents; None: it asks for a fact."""
    if len(question) > _LONGEST:
        return None
    plain = " ".join(unicodedata.normalize("NFC", question).split())
    # What is quoted names something. It stays in the matter, but makes no verb of the request.
    quoted = _QUOTED.findall(plain)
    plain = _QUOTED.sub("\ufffc", plain)
    plain = plain.strip(" .!?…")
    if (polite := _POLITE.match(plain)) is not None:
        plain = plain[polite.end() :]
    plain = _TAIL.sub("", plain).strip(" .!?…,")
    if not plain or re.search(r"[.?!] [A-ZÄÖÜ]", plain):
        return None  # more than one sentence: a story, not an errand
    for kind, patterns in _KINDS:
        for pattern in patterns:
            if (found := pattern.fullmatch(plain)) is not None:
                return _errand(kind, found, quoted)
    return None


def without_every(matter: str) -> str:
    """Of "the rent in all documents" what is not "all documents"."""
    return _EVERY.sub("", matter).strip()


def _errand(kind: Kind, found: "re.Match[str]", quoted: list[str]) -> Errand | None:
    groups = found.groupdict()
    matter = " and ".join(part for part in (groups.get("matter"), groups.get("other")) if part)
    aspect = ""
    if kind != "list" and (split := _ASPECT.search(matter)) is not None:
        matter, aspect = matter[: split.start()], split["aspect"]
    if kind == "summary":
        matter = _POINTS_OF.sub("", matter)
    if kind == "summary" and (says := _SAYS.fullmatch(matter)) is not None:
        matter = says["matter"] or says["german"] or ""
        aspect = " ".join(filter(None, (says["aspect"] or says["thema"], aspect)))
    if kind == "list" and groups.get("where"):
        matter = f"{matter} {groups['where'].strip()}"
    pointing, every = _POINTING.search(matter) is not None, _EVERY.search(matter) is not None
    if kind == "list" and (_GENERIC.fullmatch(matter) or _NOT_LISTED.match(matter)):
        return None  # "list all documents" asks for the library, which the window shows
    if kind != "list" and _GENERIC.fullmatch(matter):
        matter = ""
    # The aspect stands behind the matter in every form of a request, and so do its quotes.
    names = iter(quoted)
    matter, aspect = (re.sub("\ufffc", lambda _: next(names, ""), text) for text in (matter, aspect))
    named_only = kind == "overview" or (kind == "summary" and found.re in _OF_DOCUMENTS)
    return Errand(kind, matter.strip(), aspect.strip(), pointing, every, named_only)


_KINDS: tuple[tuple[Kind, tuple["re.Pattern[str]", ...]], ...] = (
    ("comparison", _COMPARISONS),
    ("summary", _SUMMARIES),
    ("summary", _OF_DOCUMENTS),
    ("overview", _OVERVIEWS),
    ("list", _LISTS),
)
