"""Pages cut into passages: by headings and paragraphs first, then by sentences, then by size.

Every character that is not blank is in exactly one passage, and a passage is a piece of its
page's text as it stands: text == page_text[start:end]. Sizes are tokens of the embedder.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from app.backend.documents.parsing.messages import Heading, ReadPage
from app.database.documents import NewPassage

# Small passages are found and cited more exactly; much smaller ones lose their sense.
TARGET_TOKENS = 160
_LEAST_TOKENS = 40
# So little text before a page's first heading is a running head (or foot, which PDFs often draw
# first); alone it would be a passage that says nothing.
_RUNNING_HEAD_TOKENS = 24
_LONGEST_PATH = 160
_PATH_SEPARATOR = " › "

_PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*\s+|[。！？]\s*|\n(?=[ \t]*(?:[-*•‣–]|\d{1,3}[.)])\s)")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[„“\"'])(?:[^\W\d_]|[^\W\d_](?:\.[^\W\d_])+|Dr|Mr|Mrs|Ms|Prof|St|Nr|No|Art|Abs|Sec|Fig|Eq|"
    r"Tab|Vol|pp|ca|vs|cf|al|bzw|usw|etc|vgl|Bd|Hrsg|approx|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\.$"
)
_WORD = re.compile(r"\S+\s*")


def chunks(
    pages: Iterable[ReadPage], count: Callable[[str], int], limit: int, target: int = TARGET_TOKENS
) -> list[NewPassage]:
    """Cut pages, in order, into passages of about `target` and never more than `limit` tokens.

    Args:
        count: tokens of a text; one character never counts more than `limit`.
    """
    chunker = Chunker(count, limit, target)
    return [passage for page in pages for passage in chunker.page(page)]


class Headed(Protocol):
    """A text below the headings it stands under, if there are any."""

    @property
    def heading(self) -> str | None: ...
    @property
    def text(self) -> str: ...


def embedding_text(passage: Headed) -> str:
    """What is embedded for a passage: its text below the headings it stands under.

    The limit of `chunks` holds for this text, too.
    """
    return f"{passage.heading}\n{passage.text}" if passage.heading else passage.text


class Chunker:
    """Cuts one document page by page; a heading holds until the next one, across pages."""

    def __init__(self, count: Callable[[str], int], limit: int, target: int = TARGET_TOKENS) -> None:
        self._count = count
        self._limit = limit
        self._target = min(target, limit)
        self._headings: list[Heading] = []

    def page(self, page: ReadPage) -> list[NewPassage]:
        """The passages of the next page."""
        passages = []
        for section in self._sections(page):
            path, room = self._path()
            units = list(self._units(page.text, section, room))
            for start, end in self._packed(page.text, units, room):
                text = page.text[start:end]
                digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
                passages.append(NewPassage(page.number, start, end, path, text, digest))
        return passages

    def _sections(self, page: ReadPage) -> Iterator[tuple[int, int]]:
        """The page's spans between headings; `self._headings` is the path to the one yielded.

        Headings that follow each other without text between them begin one section.
        """
        start = 0
        for place, heading in enumerate(page.headings):
            before = page.text[start : heading.start]
            running_head = place == 0 and self._count(before) <= _RUNNING_HEAD_TOKENS
            if before.strip() and not running_head and not self._only_headings(before):
                yield start, heading.start
                start = heading.start
            self._headings = [above for above in self._headings if above.level < heading.level]
            self._headings.append(heading)
        yield start, len(page.text)

    def _only_headings(self, text: str) -> bool:
        titles = {_letters(heading.title) for heading in self._headings}
        return all(_letters(line) in titles for line in text.splitlines() if _letters(line))

    def _path(self) -> tuple[str | None, int]:
        """The headings above, outermost first, and the tokens they leave for the text."""
        titles = [heading.title for heading in self._headings]
        while titles:
            path = _PATH_SEPARATOR.join(titles)
            if len(path) <= _LONGEST_PATH:
                taken = self._count(path) + 2
                if taken <= self._limit // 3:
                    return path, self._limit - taken
            titles = titles[1:]
        return None, self._limit

    def _units(self, text: str, section: tuple[int, int], room: int) -> Iterator["_Unit"]:
        """Sentences with their sizes; a sentence that is too long in pieces."""
        for paragraph in _paragraphs(text, *section):
            begins = True
            for start, end in _sentences(text, *paragraph):
                tokens = self._count(text[start:end])
                if tokens <= room:
                    yield _Unit(start, end, tokens, begins)
                else:
                    for piece in self._pieces(text, start, end, min(self._target, room)):
                        yield _Unit(*piece, self._count(text[slice(*piece)].rstrip()), begins)
                        begins = False
                begins = False

    def _pieces(self, text: str, start: int, end: int, room: int) -> Iterator[tuple[int, int]]:
        """Pieces that fit, as long as can be: cut between words, inside one only if it must be."""
        words = [match.end() for match in _WORD.finditer(text, start, end)]
        begun, position = start, 0
        while position < len(words):
            last = self._last_fitting(text, begun, words, position, room)
            if last >= position:
                yield begun, words[last]
            else:
                last = position
                letters = range(begun + 1, words[position] + 1)
                letter = 0
                while letter < len(letters):
                    fitting = max(self._last_fitting(text, begun, letters, letter, room), letter)
                    yield begun, letters[fitting]
                    begun, letter = letters[fitting], fitting + 1
            begun, position = words[last], last + 1

    def _last_fitting(self, text: str, start: int, ends: Sequence[int], first: int, room: int) -> int:
        """The largest index from `first` whose end still fits; first - 1 if none does."""

        def fits(index: int) -> bool:
            return self._count(text[start : ends[index]].rstrip()) <= room

        # Gallop, then bisect: counting from far beyond the limit would cost the whole text each time.
        step, good = 1, first - 1
        while good + step < len(ends) and fits(good + step):
            good += step
            step *= 2
        bad = min(good + step, len(ends))
        while bad - good > 1:
            middle = (good + bad) // 2
            if fits(middle):
                good = middle
            else:
                bad = middle
        return good

    def _packed(self, text: str, units: Sequence["_Unit"], room: int) -> Iterator[tuple[int, int]]:
        """Neighbouring units joined to spans near the target; spans without blank ends."""
        target = min(self._target, room)
        spans: list[_Unit] = []
        open_span: _Unit | None = None
        for unit in units:
            if open_span is None:
                open_span = unit
                continue
            joined = open_span.tokens + unit.tokens
            full = joined > target or (unit.begins and open_span.tokens >= 0.6 * target)
            if full and not (open_span.tokens < _LEAST_TOKENS and joined <= room):
                spans.append(open_span)
                open_span = unit
            else:
                open_span = _Unit(open_span.start, unit.end, joined, open_span.begins)
        if open_span is not None:
            spans.append(open_span)
        if len(spans) > 1 and spans[-1].tokens < _LEAST_TOKENS:
            whole = spans[-2].tokens + spans[-1].tokens
            if whole <= room:
                spans[-2:] = [_Unit(spans[-2].start, spans[-1].end, whole, spans[-2].begins)]
        for span in spans:
            start, end = _trimmed(text, span.start, span.end)
            if start == end:
                continue
            # Token counts of parts need not add up to that of the whole in every vocabulary.
            if self._count(text[start:end]) <= room:
                yield start, end
            else:
                for piece in self._pieces(text, start, end, room):
                    yield _trimmed(text, *piece)


@dataclass(frozen=True, slots=True)
class _Unit:
    """text[start:end] with its size; `begins` a paragraph."""

    start: int
    end: int
    tokens: int
    begins: bool


def _paragraphs(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begun = start
    for gap in _PARAGRAPH.finditer(text, start, end):
        if text[begun : gap.start()].strip():
            yield begun, gap.end()
            begun = gap.end()
    if text[begun:end].strip():
        yield begun, end


def _sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    begun = start
    for mark in _SENTENCE_END.finditer(text, start, end):
        if mark.end() >= end:
            break
        if text[mark.start()] == "." and _ABBREVIATION.search(
            text[max(begun, mark.start() - 12) : mark.start() + 1]
        ):
            continue
        if text[mark.start()] in ".…" and text[mark.end()].islower():
            continue
        yield begun, mark.end()
        begun = mark.end()
    yield begun, end


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    end = start + len(piece.rstrip())
    return end - len(piece.strip()), end


def _letters(text: str) -> str:
    """What of a title stays the same with and without its markup."""
    return "".join(filter(str.isalnum, text))
