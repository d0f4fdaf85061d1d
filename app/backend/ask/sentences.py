"""Where one sentence ends and the next begins, in a whole text and in one that still streams.

Two kinds of text: an answer, where every line end ends a sentence, and the text of a page, where
lines are wrapped and a line end alone means nothing. Spans are half-open offsets without the
white space around them and without a list mark in front ("- ", "2. ").
"""

import re

Span = tuple[int, int]

# After these a full stop belongs to the word. Those that may also end a sentence are not here.
_ABBREVIATIONS = frozenset(
    re.findall(
        r"\S+",
        """
        mr mrs ms dr prof st sr jr no nos nr art arts sec secs fig figs p pp par para cl ch vol ed eds
        e.g i.e eg ie vs cf approx ca incl excl resp tel dept est gen rep sen hon rev capt col lt sgt
        jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri sat sun
        abs bzw ggf z.b d.h u.a v.a o.ä evtl inkl zzgl vgl str hr fr
        """,
    )
)
_MONTHS = frozenset(
    re.findall(
        r"\S+",
        """
        january february march april may june july august september october november december
        januar februar märz mai juni juli oktober dezember
        """,
    )
)
_ENDERS = ".!?…。！？"
_CLOSERS = "\"'”’»)]*_"
# How far a decision looks past the white space after a full stop.
_LOOK_AHEAD = 12
# A wrapped line and the next word together fill at least this share of the longest line.
_FULL_LINE = 0.85

_LIST_MARK = re.compile(r"\s*(?:[-*•–]\s+|#{1,6}\s+|>\s+|\(?(?:\d{1,3}(?:\.\d{1,3})*|[a-zA-Z])[.)]\s+|§\s?)")
_TITLE = re.compile(r"(?:§+\s?\d+[a-z]?|\d+(?:\.\d+)*[.)]?|[A-Z][.)]|[IVX]+\.)\s[^\d,.;:!?]{1,60}")
_RUNNING_HEAD = re.compile(r"\bpage \d+ of \d+\b", re.IGNORECASE)
_LEADING_MARK = re.compile(r"(?:[-*•–]\s+|#{1,6}\s+|>\s+|\d{1,3}[.)]\s+)+")
_LETTER = re.compile(r"[^\W\d_]\.(?!\w)")
_LETTER_BEFORE = re.compile(r"(?<!\w)[^\W\d_]\.\s+$")
_WORD_BEFORE = re.compile(r"[^\s(\[\"'“‘„«]+$")


def split(text: str, *, wrapped: bool = False) -> list[Span]:
    """The sentences of `text`, in order. `wrapped`: a single line end does not end a sentence."""
    stream = SentenceStream(wrapped=wrapped)
    return [*stream.feed(text), *stream.finish()]


def is_heading(sentence: str, heading: str | None = None) -> bool:
    """Whether a sentence of a page is only a title: numbered and short, or the known `heading`."""
    text = " ".join(sentence.split())
    if _TITLE.fullmatch(text) or _RUNNING_HEAD.search(text):
        return True
    letters = "".join(filter(str.isalnum, text)).casefold()
    known = "".join(filter(str.isalnum, heading or "")).casefold()
    return bool(letters) and known.endswith(letters)


class SentenceStream:
    """Finds sentences while their text arrives; however it is cut, the spans are the same.

    With `wrapped` the text has to come in one piece: the length of its lines says where they end.
    """

    def __init__(self, *, wrapped: bool = False) -> None:
        self.text = ""
        self._wrapped = wrapped
        self._start = 0
        self._seen = 0
        self._margin = 0

    def feed(self, text: str) -> list[Span]:
        """Take the next piece; return the spans of the sentences that are now known to have ended."""
        self.text += text
        if self._wrapped:
            self._margin = max(self._margin, *(len(line.strip()) for line in text.split("\n")))
        return self._take(final=False)

    def finish(self) -> list[Span]:
        """There is no more text: return what is left."""
        spans = self._take(final=True)
        if rest := _trimmed(self.text, self._start, len(self.text)):
            spans.append(rest)
        self._start = self._seen = len(self.text)
        return spans

    def _take(self, *, final: bool) -> list[Span]:
        spans = []
        at = self._seen
        while at < len(self.text):
            end = self._end_at(at, final=final)
            if end is None:
                break
            if end:
                if span := _trimmed(self.text, self._start, end):
                    spans.append(span)
                self._start = end
                at = end
            else:
                at += 1
        self._seen = at
        return spans

    def _end_at(self, at: int, *, final: bool) -> int | None:
        """The offset after the sentence whose end stands at `at`; 0: none ends; None: wait for more."""
        char = self.text[at]
        if char == "\n":
            return self._line_end(at, final=final)
        if char not in _ENDERS:
            return 0
        end = at + 1
        while end < len(self.text) and self.text[end] in _CLOSERS + _ENDERS:
            end += 1
        if end == len(self.text):
            return end if final else None
        if char in "。！？":
            return end
        if not self.text[end].isspace():
            return 0
        ahead = end
        while ahead < len(self.text) and self.text[ahead].isspace():
            ahead += 1
        if not final and len(self.text) - ahead < _LOOK_AHEAD:
            return None
        following = self.text[ahead : ahead + _LOOK_AHEAD]
        return end if self._ends(at, end, following) else 0

    def _ends(self, at: int, end: int, following: str) -> bool:
        if not following:
            return True
        if following[0].islower():
            return False
        if self.text[at] != "." or (end > at + 1 and self.text[at + 1] in _ENDERS):
            return True
        found = _WORD_BEFORE.search(self.text, self._start, at)
        word = found.group() if found else ""
        if word.lower() in _ABBREVIATIONS and not (word.lower() == "no" and following[0].isupper()):
            return False
        if len(word) == 1 and word.isupper():
            return False  # an initial: J. Smith
        if len(word) == 1 and word.isalpha() and self._spaced(at, following):
            return False  # an abbreviation in several words: z. B., e. V., i. V. m.
        if word.isdigit():
            listed = not self.text[self._start : at - len(word)].strip(" \t\n-*•–(")
            return not listed and re.split(r"\W", following)[0].lower() not in _MONTHS
        return True

    def _spaced(self, at: int, following: str) -> bool:
        """Whether the letter before the full stop at `at` has another such behind or before it."""
        before = self.text[max(self._start, at - _LOOK_AHEAD) : at - 1]
        return _LETTER.match(following) is not None or _LETTER_BEFORE.search(before) is not None

    def _line_end(self, at: int, *, final: bool) -> int | None:
        if not self._wrapped:
            return at + 1
        following = self.text[at + 1 : at + 1 + _LOOK_AHEAD]
        if not final and len(following) < _LOOK_AHEAD:
            return None
        if not following.strip(" \t") or following.lstrip(" \t\r")[0] == "\n":
            return at + 1
        if _LIST_MARK.match(following):
            return at + 1
        return at + 1 if self._heading_ends(at) else 0

    def _heading_ends(self, at: int) -> bool:
        """Whether the line that ends at `at` stops short of the margin and a new one begins.

        The margin is the longest line of the text. A line that was wrapped reaches it: the next
        word did not fit any more. Headings, rows of a table and addresses do not.
        """
        first = self.text.rfind("\n", 0, at) + 1
        line = self.text[first:at].strip()
        if not line or line[-1] in ",;-–(":
            return False
        next_word = self.text[at + 1 :].split(maxsplit=1)[0]
        if next_word[0].islower() or next_word[0] in ",;.)":
            return False
        return len(line) + 1 + len(next_word) < _FULL_LINE * self._margin


def _trimmed(text: str, start: int, end: int) -> Span | None:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    if found := _LEADING_MARK.match(text, start, end):
        start = found.end() if found.end() < end else start
    return (start, end) if start < end else None
