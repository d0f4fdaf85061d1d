"""Regular expressions of JSON Schema's `pattern` as GBNF, matching inside a JSON string.

Understood are letters, `.`, classes, \\d \\w \\s and their opposites, groups, `|`, and the
quantifiers; what looks around, back or at word borders is refused. A pattern without ^ or $ may
have anything before or after it, as the standard says.
"""

from app.errors import InvalidRequestError
from app.serving.constraints.json_texts import CHARACTER

_DEEPEST = 32
_LAST = 0x10FFFF
# Inside a JSON string these are written with a backslash; other characters below a space are left out.
_ESCAPED = {0x22: r"\\\"", 0x5C: r"\\\\", 0x0A: r"\\n", 0x0D: r"\\r", 0x09: r"\\t"}
_DIGIT = [(0x30, 0x39)]
_WORD = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
_BLANK = [(0x09, 0x0A), (0x0D, 0x0D), (0x20, 0x20)]
_SETS = {"d": _DIGIT, "w": _WORD, "s": _BLANK}
_CONTROLS = {"n": 0x0A, "r": 0x0D, "t": 0x09}

Ranges = list[tuple[int, int]]


def matching(pattern: str) -> str:
    """The inside of a JSON string that matches `pattern`, as an expression of GBNF.

    Raises:
        InvalidRequestError: something in it cannot be expressed.
    """
    return _Pattern(pattern).whole()


def literal(text: str) -> str:
    """`text` as a literal of GBNF."""
    return '"' + "".join(map(_spelled, map(ord, text))) + '"'


class _Pattern:
    def __init__(self, pattern: str) -> None:
        self._whole = self._pattern = pattern
        self._at = 0
        self._depth = 0
        self._split = False  # into alternatives, outside of all parentheses

    def whole(self) -> str:
        anchored_before = self._take("^")
        # An escaped dollar is a letter.
        text = self._pattern
        escapes = len(text[:-1]) - len(text[:-1].rstrip("\\"))
        anchored_after = text.endswith("$") and escapes % 2 == 0
        end = len(text) - 1 if anchored_after else len(text)
        self._pattern = text[:end]
        inside = self._alternatives()
        if self._at < len(self._pattern):
            raise self._refused("a parenthesis closes nothing")
        if (anchored_before or anchored_after) and self._split:
            raise self._refused("alternatives beside ^ or $ belong in parentheses")
        free = f"{CHARACTER}*"
        return " ".join(
            part
            for part in ("" if anchored_before else free, f"({inside})", "" if anchored_after else free)
            if part
        )

    def _alternatives(self) -> str:
        found = [self._sequence()]
        while self._take("|"):
            found.append(self._sequence())
        if not self._depth:
            self._split = len(found) > 1
        return " | ".join(found)

    def _sequence(self) -> str:
        items = []
        while self._at < len(self._pattern) and self._pattern[self._at] not in "|)":
            items.append(self._item() + self._quantifier())
        return " ".join(items) or '""'

    def _item(self) -> str:
        if self._take("("):
            if self._take("?") and not self._take(":"):
                raise self._refused("groups that begin with ? are not supported")
            self._depth += 1
            if self._depth > _DEEPEST:
                raise self._refused("it is nested too deeply")
            inside = self._alternatives()
            if not self._take(")"):
                raise self._refused("a parenthesis is not closed")
            self._depth -= 1
            return f"({inside})"
        if self._take("["):
            return _one_of(self._class())
        if self._take("."):
            return _one_of(_but([(0x0A, 0x0A), (0x0D, 0x0D)]))
        character = self._next()
        if character in "^$*+?{":
            raise self._refused(f"{character} is not supported here")
        return _one_of(self._escape() if character == "\\" else [(ord(character), ord(character))])

    def _quantifier(self) -> str:
        found = ""
        if self._at < len(self._pattern) and self._pattern[self._at] in "*+?":
            found = self._next()
        elif self._take("{"):
            inside, closed, _ = self._pattern[self._at :].partition("}")
            least, comma, most = inside.partition(",")
            if not (closed and least.isdecimal() and (most.isdecimal() or not most)):
                raise self._refused("{ needs one or two numbers and }")
            self._at += len(inside) + 1
            found = "{" + least + comma + most + "}"
        if found:
            self._take("?")  # lazy or not, the texts are the same
        return found

    def _class(self) -> Ranges:
        negated = self._take("^")
        ranges: Ranges = []
        while not self._take("]"):
            members = self._member()
            low = members[0][0]
            following = self._pattern[self._at : self._at + 2]
            if len(members) == 1 and members[0][1] == low and following[:1] == "-" and following != "-]":
                self._at += 1
                ((_, high), *more) = self._member()
                if more or high < low:
                    raise self._refused("a range runs backwards")
                members = [(low, high)]
            ranges += members
        return _but(ranges) if negated else ranges

    def _member(self) -> Ranges:
        character = self._next()
        return self._escape() if character == "\\" else [(ord(character), ord(character))]

    def _escape(self) -> Ranges:
        character = self._next()
        if (found := _SETS.get(character.lower())) is not None:
            return found if character.islower() else _but(found)
        if character in "xu":
            digits = self._pattern[self._at : self._at + (2 if character == "x" else 4)]
            self._at += len(digits)
            try:
                code = int(digits, 16)
            except ValueError:
                raise self._refused(f"\\{character} needs hexadecimal digits") from None
            return [(code, code)]
        if character.isalnum() and character not in _CONTROLS:
            raise self._refused(f"\\{character} is not supported")
        code = _CONTROLS.get(character, ord(character))
        return [(code, code)]

    def _next(self) -> str:
        if self._at >= len(self._pattern):
            raise self._refused("it ends too early")
        self._at += 1
        return self._pattern[self._at - 1]

    def _take(self, wanted: str) -> bool:
        if not self._pattern.startswith(wanted, self._at):
            return False
        self._at += len(wanted)
        return True

    def _refused(self, why: str) -> InvalidRequestError:
        return InvalidRequestError(f"The pattern {self._whole[:100]!r} cannot be followed: {why}.")


def _but(ranges: Ranges) -> Ranges:
    """Every character that is in none of the ranges."""
    gaps, begin = [], 0
    for low, high in sorted(ranges):
        gaps.append((begin, low - 1))
        begin = max(begin, high + 1)
    gaps.append((begin, _LAST))
    return [(low, high) for low, high in gaps if low <= high]


def _one_of(ranges: Ranges) -> str:
    """A character as it stands in a JSON string: as it is, or escaped."""
    plain = _but([(0x00, 0x1F), (0x22, 0x22), (0x5C, 0x5C), (0x7F, 0x7F)])
    bare = [
        (max(low, first), min(high, last))
        for low, high in ranges
        for first, last in plain
        if max(low, first) <= min(high, last)
    ]
    escaped = [
        f'"{text}"' for code, text in _ESCAPED.items() if any(low <= code <= high for low, high in ranges)
    ]
    members = "".join(
        f"{_spelled(low)}-{_spelled(high)}" if low < high else _spelled(low) for low, high in bare
    )
    options = ([f"[{members}]"] if bare or not escaped else []) + escaped
    return options[0] if len(options) == 1 else f"({' | '.join(options)})"


def _spelled(code: int) -> str:
    """A character inside a literal or a class of GBNF."""
    character = chr(code)
    return character if character.isascii() and character.isalnum() else f"\\U{code:08X}"
