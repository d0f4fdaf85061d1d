"""GBNF: the text of a grammar in, rules to walk through out.

The language is llama.cpp's (grammars/README.md there), without tokens named by `<…>`. The parser is
ours because a grammar comes from outside. llama.cpp's own, version 0.3.36 of the binding, was tried
in child processes: deep parentheses and long chains of rules end the process; a class like [z-a]
ends it one token later, by an exception that leaves C; `r0 ::= r1 | r1` forty times over, and a rule
that is recursive on its left behind an empty one, never return. Here all of these are refused with
a sentence, in time linear in the length.
"""

from functools import lru_cache

from app.errors import InvalidRequestError
from app.serving.constraints.grammar import Grammar, Ranges, Rules, ascending, complement, lay_out

LONGEST = 65_536
"""Characters of a grammar."""

_DEEPEST = 64  # parentheses within each other
_LAST_CHARACTER = 0x10FFFF


@lru_cache(maxsize=16)
def parse(text: str) -> Grammar:
    """Read a grammar; the answer begins with the rule `root`.

    Raises:
        InvalidRequestError: too long or too large, a mistake in it, a rule that is missing or recursive
            on its left, or no text that it would allow.
    """
    if len(text) > LONGEST:
        raise InvalidRequestError(
            f"A grammar has at most {LONGEST:,} characters; this one has {len(text):,}."
        )
    rules = _Parser(text).rules()
    return lay_out(rules)


class _Parser:
    """Recursive descent, bounded in depth."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._rules = Rules()
        self._named: dict[str, int] = {}

    def rules(self) -> Rules:
        root = self._rule("root")
        self._space(lines=True)
        while self._at < len(self._text):
            self._definition()
        if not self._named or self._rules.bodies[root] is None:
            raise InvalidRequestError("The grammar has no rule called root.")
        for name, number in self._named.items():
            if self._rules.bodies[number] is None:
                raise InvalidRequestError(f"The grammar uses the rule {name[:60]!r} and does not define it.")
        return self._rules

    def _definition(self) -> None:
        name = self._name()
        rule = self._rule(name)
        if self._rules.bodies[rule] is not None:
            raise self._mistake(f"the rule {name[:60]!r} is defined twice")
        self._space(lines=False)
        if not self._take("::="):
            raise self._mistake("::= is missing after the name of a rule")
        self._space(lines=True)
        self._rules.define(rule, self._alternatives(name, nested=False))
        if self._at < len(self._text) and self._peek() not in "\r\n":
            raise self._mistake(f"{self._peek()!r} does not belong here")
        self._space(lines=True)

    def _alternatives(self, name: str, *, nested: bool) -> list[list[int]]:
        found = [self._sequence(name, nested=nested)]
        while self._take("|"):
            self._space(lines=True)
            found.append(self._sequence(name, nested=nested))
        return found

    def _sequence(self, name: str, *, nested: bool) -> list[int]:
        symbols: list[int] = []
        item: list[int] | None = None  # what a repetition repeats
        while True:
            if (counts := self._repetition()) is not None:
                if item is None:
                    raise self._mistake("there is nothing before the repetition")
                del symbols[len(symbols) - len(item) :]
                item = self._repeated(item, *counts, name)
            elif (item := self._item(name)) is None:
                return symbols
            symbols += item
            self._space(lines=nested)

    def _item(self, name: str) -> list[int] | None:
        following = self._peek()
        if following == '"':
            return self._literal()
        if following == "[":
            return [self._rules.terminal(self._character_class())]
        if following == ".":
            self._at += 1
            return [self._rules.terminal(complement([]))]
        if following == "(":
            return [self._group(name)]
        if following and following in "<!":
            raise self._mistake("tokens named by <…> are not supported")
        if _is_word(following):
            return [self._rule(self._name())]
        return None

    def _group(self, name: str) -> int:
        self._at += 1
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._mistake(f"parentheses are nested more than {_DEEPEST} deep")
        self._space(lines=True)
        rule = self._rules.add(name)
        self._rules.define(rule, self._alternatives(name, nested=True))
        if not self._take(")"):
            raise self._mistake("a closing parenthesis is missing")
        self._depth -= 1
        return rule

    def _repetition(self) -> tuple[int, int | None] | None:
        """The least and the most times; None as the most: without end."""
        simple: dict[str, tuple[int, int | None]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
        if (counts := simple.get(self._peek())) is not None:
            self._at += 1
            return counts
        if not self._take("{"):
            return None
        least = self._number()
        most: int | None = least
        if self._take(","):
            self._space(lines=False)
            most = None if self._peek() == "}" else self._number()
        if not self._take("}"):
            raise self._mistake("a repetition ends in }")
        if most is not None and most < least:
            raise self._mistake(f"a repetition from {least} to {most} is none")
        return least, most

    def _repeated(self, item: list[int], least: int, most: int | None, name: str) -> list[int]:
        if len(item) != 1:
            rule = self._rules.add(name)
            self._rules.define(rule, [item])
            item = [rule]
        optional = 0 if most is None else most - least
        # Counted before memory is taken for them; each optional one is a rule and counts itself.
        self._rules.grow(least)
        symbols = item * least
        if most is None:
            rest = self._rules.add(name)
            self._rules.define(rest, [[*item, rest], []])
            return [*symbols, rest]
        last: list[int] = []
        for _ in range(optional):
            rule = self._rules.add(name)
            self._rules.define(rule, [item + last, []])
            last = [rule]
        return symbols + last

    def _literal(self) -> list[int]:
        self._at += 1
        symbols = []
        while not self._take('"'):
            code = self._character()
            symbols.append(self._rules.terminal(ascending([(code, code)])))
        return symbols

    def _character_class(self) -> Ranges:
        self._at += 1
        negated = self._take("^")
        ranges = []
        while not self._take("]"):
            low = high = self._character()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                high = self._character()
            if high < low:
                raise self._mistake("a range of characters runs backwards")
            ranges.append((low, high))
        return complement(ranges) if negated else ascending(ranges)

    def _character(self) -> int:
        if self._at >= len(self._text):
            raise self._mistake("the grammar ends inside quotation marks or brackets")
        character = self._text[self._at]
        self._at += 1
        if character != "\\":
            return ord(character)
        escaped = self._peek()
        self._at += 1
        if escaped and escaped in "xuU":
            digits = self._text[self._at : self._at + {"x": 2, "u": 4, "U": 8}[escaped]]
            self._at += len(digits)
            try:
                code = int(digits, 16)
            except ValueError:
                raise self._mistake(f"\\{escaped} needs hexadecimal digits after it") from None
            if code > _LAST_CHARACTER:
                raise self._mistake("there is no such character")
            return code
        plain = {"t": "\t", "r": "\r", "n": "\n"}.get(escaped, escaped)
        if not plain or (plain == escaped and plain not in '\\"[]-^'):
            raise self._mistake(f"\\{escaped} means nothing")
        return ord(plain)

    def _number(self) -> int:
        self._space(lines=False)
        begin = self._at
        while self._peek() and self._peek() in "0123456789":
            self._at += 1
        digits = self._text[begin : self._at]
        if not 0 < len(digits) < 10:
            raise self._mistake("a repetition needs a number of at most nine digits")
        self._space(lines=False)
        return int(digits)

    def _name(self) -> str:
        begin = self._at
        while _is_word(self._peek()):
            self._at += 1
        if begin == self._at:
            raise self._mistake("the name of a rule belongs here")
        return self._text[begin : self._at]

    def _rule(self, name: str) -> int:
        if name not in self._named:
            self._named[name] = self._rules.add(name)
        return self._named[name]

    def _space(self, *, lines: bool) -> None:
        blank = " \t\r\n" if lines else " \t"
        while following := self._peek():
            if following == "#":
                while self._peek() and self._peek() not in "\r\n":
                    self._at += 1
            elif following in blank:
                self._at += 1
            else:
                return

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, wanted: str) -> bool:
        if not self._text.startswith(wanted, self._at):
            return False
        self._at += len(wanted)
        return True

    def _mistake(self, what: str) -> InvalidRequestError:
        before = self._text[: self._at]
        line, column = before.count("\n") + 1, self._at - (before.rfind("\n") + 1) + 1
        return InvalidRequestError(f"The grammar has a mistake in line {line}, column {column}: {what}.")


def _is_word(character: str) -> bool:
    return character.isascii() and (character.isalnum() or character == "-")
