"""Grammars: rules to walk through, and what is refused of them whatever language they came in."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from app.errors import InvalidRequestError

END = 1 << 30
"""A position after the last symbol of an alternative."""

_MOST_SYMBOLS = 100_000
_LAST_CHARACTER = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)  # no UTF-8 has them

Ranges = tuple[tuple[int, int], ...]
"""Code points, as inclusive ranges in ascending order that do not touch."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Rules as positions in one list. Rule 0 is the root.

    Whatever it allows can be finished: alternatives that match no text are left out.

    `symbols` at a position is a rule (0 or more), a terminal (`-1 - t`, with t an index of
    `terminals`) or END; `alternatives` has the positions at which a rule's alternatives begin.
    """

    symbols: tuple[int, ...]
    alternatives: tuple[tuple[int, ...], ...]
    terminals: tuple[Ranges, ...]


@dataclass(slots=True)
class Rules:
    """A grammar being made: the alternatives of each rule, as lists of symbols; rule 0 is the root."""

    names: list[str] = field(default_factory=list)
    bodies: list[list[list[int]] | None] = field(default_factory=list)
    terminals: dict[Ranges, int] = field(default_factory=dict)
    size: int = 0

    def add(self, name: str) -> int:
        """A new rule, to be defined; `name` is for people, and several may have it."""
        self.names.append(name)
        self.bodies.append(None)
        return len(self.names) - 1

    def define(self, rule: int, body: list[list[int]]) -> None:
        self.bodies[rule] = body
        self.grow(sum(len(alternative) + 1 for alternative in body))

    def grow(self, symbols: int) -> None:
        """Count symbols before memory is taken for them."""
        self.size += symbols
        if self.size > _MOST_SYMBOLS:
            raise InvalidRequestError(
                f"The grammar is too large: written out it has more than {_MOST_SYMBOLS:,} symbols."
            )

    def terminal(self, ranges: Ranges) -> int:
        """The symbol of one character of `ranges`."""
        return -1 - self.terminals.setdefault(ranges, len(self.terminals))


def lay_out(rules: Rules) -> Grammar:
    """Finish a grammar of which every rule is defined.

    Raises:
        InvalidRequestError: a rule is recursive on its left, or no text would be allowed.
    """
    terminals = tuple(rules.terminals)
    bodies = [body or [] for body in rules.bodies]
    empty = {-1 - number for number, ranges in enumerate(terminals) if not ranges}
    finished = _fixpoint(bodies, lambda symbol: symbol < 0 and symbol not in empty)
    if 0 not in finished:
        raise InvalidRequestError("The grammar allows no text at all.")
    bodies = [
        [body for body in bodies_of if all(it in finished or (it < 0 and it not in empty) for it in body)]
        for bodies_of in bodies
    ]
    _refuse_left_recursion(bodies, rules.names)
    symbols: list[int] = []
    alternatives = []
    for body in bodies:
        starts = []
        for alternative in body:
            starts.append(len(symbols))
            symbols += alternative
            symbols.append(END)
        alternatives.append(tuple(starts))
    return Grammar(tuple(symbols), tuple(alternatives), terminals)


def _fixpoint(bodies: list[list[list[int]]], holds: Callable[[int], bool]) -> set[int]:
    """The rules with an alternative of which each symbol is such a rule itself, or `holds`."""
    users: dict[int, list[tuple[int, int]]] = {}
    missing: dict[tuple[int, int], int] = {}
    ready = []
    for rule, body in enumerate(bodies):
        for number, alternative in enumerate(body):
            open_symbols = [symbol for symbol in alternative if not holds(symbol)]
            missing[rule, number] = len(open_symbols)
            if not open_symbols:
                ready.append(rule)
            for symbol in open_symbols:
                users.setdefault(symbol, []).append((rule, number))
    found: set[int] = set()
    while ready:
        rule = ready.pop()
        if rule in found:
            continue
        found.add(rule)
        for user in users.get(rule, ()):
            missing[user] -= 1
            if not missing[user]:
                ready.append(user[0])
    return found


def _refuse_left_recursion(bodies: list[list[list[int]]], names: Sequence[str]) -> None:
    """A rule that begins with itself and goes on after that would be entered without end.

    One that begins with itself and ends there adds nothing, and a walk passes over it.
    """
    empty = _fixpoint(bodies, lambda _: False)
    firsts: list[set[int]] = [set() for _ in bodies]
    entered = []
    for rule, body in enumerate(bodies):
        for alternative in body:
            for place, symbol in enumerate(alternative):
                if symbol < 0:
                    break
                firsts[rule].add(symbol)
                if place + 1 < len(alternative):
                    entered.append((rule, symbol))
                if symbol not in empty:
                    break
    circle = _circles(firsts)
    for rule, symbol in entered:
        if circle[rule] == circle[symbol]:
            raise InvalidRequestError(
                f"The rule {names[symbol][:60]!r} of the grammar is recursive on its left."
            )


def _circles(following: Sequence[set[int]]) -> list[int]:
    """For each node a number; two nodes that reach each other have the same (Kosaraju)."""
    preceding: list[list[int]] = [[] for _ in following]
    for node, successors in enumerate(following):
        for successor in successors:
            preceding[successor].append(node)
    finished: list[int] = []
    seen: set[int] = set()
    for start in range(len(following)):
        path = [(start, iter(following[start]))] if start not in seen else []
        seen.add(start)
        while path:
            node, successors_left = path[-1]
            for successor in successors_left:
                if successor not in seen:
                    seen.add(successor)
                    path.append((successor, iter(following[successor])))
                    break
            else:
                finished.append(node)
                path.pop()
    circle = [-1] * len(following)
    for start in reversed(finished):
        todo = [start] if circle[start] < 0 else []
        while todo:
            node = todo.pop()
            if circle[node] < 0:
                circle[node] = start
                todo += preceding[node]
    return circle


def ascending(ranges: list[tuple[int, int]]) -> Ranges:
    """The same characters in order, without those that are only half of one in UTF-16."""
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    first, last = _SURROGATES
    kept = []
    for low, high in merged:
        kept += [(low, min(high, first - 1)), (max(low, last + 1), high)] if high >= first else [(low, high)]
    return tuple((low, high) for low, high in kept if low <= high)


def complement(ranges: list[tuple[int, int]]) -> Ranges:
    """All other characters."""
    gaps = []
    begin = 0
    for low, high in ascending(ranges):
        gaps.append((begin, low - 1))
        begin = high + 1
    gaps.append((begin, _LAST_CHARACTER))
    return ascending([(low, high) for low, high in gaps if low <= high])
