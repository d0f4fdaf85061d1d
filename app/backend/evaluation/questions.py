"""Questions made by code from the sentences of pages: a fact is taken out, and asked for.

They are made from the text of the pages, not from passages, so they stay the same however it is cut
and embedded; the same library always gives the same ones. Made for English; of other languages
numbers, sums and dates in figures are asked for. A question of this kind shares words with its
sentence, so finding is easier than with a person's question: the numbers compare models and
settings, they do not foretell how satisfied anybody will be.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.backend.ask.sentences import is_heading, split
from app.backend.ask.wording import content_words
from app.records import Passage

_FEWEST_WORDS, _MOST_WORDS = 6, 40
_MOST_DIGITS = 0.2
# What of a sentence stands around the gap.
_BEFORE, _AFTER = 5, 4
_LEAST_AROUND = 4
# Of a fact of several words so many have to come back.
_HELD = 0.6

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_WORDED = "two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fourteen|fifteen|eighteen|twenty|thirty"
_FIGURE = r"\d[\d.,]*\d|\d"
_FACTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "money",
        re.compile(
            rf"[€$£] ?(?:{_FIGURE})|\b(?:{_FIGURE}) ?(?:€|euros?\b|dollars?\b|pounds?\b|EUR\b|USD\b|GBP\b)"
        ),
    ),
    ("percent", re.compile(rf"\b(?:{_FIGURE}) ?(?:%|per ?cent\b)")),
    (
        "date",
        re.compile(
            rf"\b\d{{1,2}}(?:st|nd|rd|th)? (?:{_MONTHS})(?: \d{{4}})?|\b(?:{_MONTHS}) \d{{1,2}}(?:, \d{{4}})?"
            r"|\b\d{4}-\d{2}-\d{2}\b|\b\d{1,2}\.\d{1,2}\.\d{4}\b"
        ),
    ),
    (
        "count",
        re.compile(
            rf"\b(?:{_FIGURE}|{_WORDED}) (?P<unit>(?:square |cubic |working |calendar )?[a-z]{{3,}}s)\b"
        ),
    ),
    ("name", re.compile(r"(?<=[\w,;] )[A-ZÄÖÜ][\w’-]{2,}(?: [A-ZÄÖÜ][\w-]{2,})+")),
)
_LEADS = {"money": "How much", "percent": "What percentage", "date": "When", "name": "Who or what"}
# "Pump 16 stands" counts nothing, nor does "twelve remain free".
_NUMBERED = re.compile(r"\b[A-Z][\w-]*[ -]$")
_AFTER_UNIT = re.compile(r"[.,;’]| (?:of|in|to|at|for|and|or|per|an?|before|after|until|ahead|long|the)\b|$")
# "The notice period is three months": asked as a person would.
_SAYS = re.compile(
    r"^(?P<subject>(?:The|A|An|Each|Every) [\w’'-]+(?: [\w’'-]+){0,6}) (?P<verb>is|are|was|were)"
    r" (?:about |on |at least |at most |exactly )?$"
)
_MEANS = re.compile(
    r"^(?P<subject>(?:The |An? )?[\w’'-]+(?: [\w’'-]+){0,4}) (?P<verb>is|are|means)"
    r" (?P<fact>(?:an?|the) [^,;:]{12,90})[.]$"
)
_POINTING = re.compile(
    r"(?:it|this|that|these|those|they|there|he|she|which|what|who|such|here|one)\b", re.IGNORECASE
)
# "How much is the rent?" has an answer in every lease: more has to be named.
_LEAST_NAMED = 2
_ARTICLE = re.compile(r"^(?:The|A|An|Each|Every|In|On|At|For|Of|By|From|After|Before|If|When|Where|No|All) ")


@dataclass(frozen=True, slots=True)
class Made:
    """A question, the words that answer it, and where they stand: page text[start:end] is `sentence`."""

    text: str
    fact: str
    kind: str
    sentence: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Question:
    """A question made from a page of a document."""

    made: Made
    document_id: str
    page: int

    def answered_by(self, passage: Passage) -> bool:
        """Whether a passage holds the sentence, or most of it; also where it stands a second time."""
        if self.made.sentence in _line(passage.text):
            return True
        if (passage.document_id, passage.page) != (self.document_id, self.page):
            return False
        shared = min(passage.end, self.made.end) - max(passage.start, self.made.start)
        return shared > (self.made.end - self.made.start) / 2


def questions(page: str) -> Iterator[Made]:
    """The questions of one page's text, at most one a sentence, in order."""
    for start, end in split(page, wrapped=True):
        sentence = _line(page[start:end])
        if _usable(sentence) and (asked := _asked(sentence)) is not None:
            text, fact, kind = asked
            yield Made(text, fact, kind, sentence, start, end)


def holds(text: str, fact: str) -> bool:
    """Whether an answer says a fact: the very words, or most of those of a longer one."""
    if _plain(fact) in _plain(text):
        return True
    wanted = set(content_words(fact))
    return len(wanted) > 3 and len(wanted & set(content_words(text))) >= _HELD * len(wanted)


def _asked(sentence: str) -> tuple[str, str, str] | None:
    for kind, pattern in _FACTS:
        for found in pattern.finditer(sentence):
            before, after = sentence[: found.start()], sentence[found.end() :]
            if kind == "count" and (_NUMBERED.search(before) or not _AFTER_UNIT.match(after)):
                continue
            lead = f"How many {found['unit']}" if kind == "count" else _LEADS[kind]
            said = _SAYS.match(before)
            if said is not None and _names_enough(said["subject"]):
                return f"{lead} {said['verb']} {_begun(said['subject'])}?", found.group(), kind
            left, right = before.split(), after.rstrip(".!").split()
            if len(left) + len(right) >= _LEAST_AROUND:
                around = " ".join([*left[-_BEFORE:], "…", *right[:_AFTER]])
                return f"{lead}: {_begun(around)}?", found.group(), kind
    means = _MEANS.match(sentence)
    if means is not None and _names_enough(means["subject"]):
        verb = "are" if means["verb"] == "are" else "is"
        return f"What {verb} {_begun(means['subject'])}?", means["fact"], "definition"
    return None


def _names_enough(subject: str) -> bool:
    return len(set(content_words(subject))) >= _LEAST_NAMED


def _usable(sentence: str) -> bool:
    words = sentence.split()
    digits = sum(letter.isdigit() for letter in sentence)
    return (
        _FEWEST_WORDS <= len(words) <= _MOST_WORDS
        and sentence[0].isupper()
        and sentence[-1] in ".!"
        and not _POINTING.match(sentence)
        and digits <= _MOST_DIGITS * len(sentence)
        and "://" not in sentence
        and not is_heading(sentence)
    )


def _begun(words: str) -> str:
    """Inside a sentence its first word is small, unless it is a name."""
    return words[0].lower() + words[1:] if _ARTICLE.match(words) else words


def _line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    """For comparing: no case, no signs, one spelling of what is spelled in two ways."""
    bare = re.sub(r"[^\w%€$£.,]+", " ", text.casefold()).replace("per cent", "percent")
    return " ".join(re.sub(r"\b(kilo|centi|milli)?(met|lit)re", r"\1\2er", bare).split()).rstrip(".,")
