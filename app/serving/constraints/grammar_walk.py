"""Walking through a grammar, byte by byte: what may come next, and whether the text may end.

A walk is in a state: the set of all stacks of rules that agree with the text so far, llama.cpp's
way (llama-grammar.cpp, `llama_grammar_advance_stack`), with three differences. The stacks share
their tails. A state remembers where each byte led, so that what was walked once is a look-up. And
work is counted: a grammar that agrees with a text in thousands of ways ends in an error, where
llama.cpp's has no bound, and a step that does not fit raises nothing through C.
"""

from bisect import bisect_right

from app.errors import InvalidRequestError
from app.serving.constraints.grammar import END, Grammar, Ranges

_BOTTOM = -1
_MOST_STACKS = 2_000
_MOST_WORK = 300_000  # looks at a rule or a terminal for one token: well under a second
_MOST_STATES = 20_000
_MOST_NODES = 1_000_000
_AMBIGUOUS = "The grammar can be followed in too many ways at once."

# By the number of bytes after the first of a UTF-8 character: its smallest code point, the bits of the first.
_LEADS = {1: (0x80, 0x1F), 2: (0x800, 0x0F), 3: (0x10000, 0x07)}
_LAST_CHARACTER = 0x10FFFF

Stack = tuple[int, int]
"""A position of the grammar, and the number of the node to go back to after its alternative."""


class State:
    """One place of a walk.

    Attributes:
        complete: the text may end here.
        over: it must end here.
    """

    __slots__ = ("after", "complete", "over", "stacks")

    def __init__(self, stacks: tuple[Stack, ...], *, complete: bool) -> None:
        self.stacks = stacks
        self.complete = complete
        self.over = complete and not stacks
        self.after: dict[int, State | None] = {}


class _Inside(State):
    """Inside a character of several bytes: `missing` bytes after `value` complete it."""

    __slots__ = ("before", "missing", "smallest", "value")

    def __init__(self, before: State, value: int, missing: int, smallest: int) -> None:
        super().__init__((), complete=False)
        self.before, self.value, self.missing, self.smallest = before, value, missing, smallest


class Walk:
    """All states of one grammar that were met so far. Belongs to one thread.

    Attributes:
        start: the state before any text.
    """

    def __init__(self, grammar: Grammar) -> None:
        """
        Raises:
            InvalidRequestError: it begins in too many ways.
        """
        self._symbols, self._alternatives = grammar.symbols, grammar.alternatives
        self._terminals = grammar.terminals
        self._lows = [[low for low, _ in ranges] for ranges in grammar.terminals]
        self._nodes: list[Stack] = []
        self._numbers: dict[Stack, int] = {}
        self._states: dict[tuple[frozenset[Stack], bool], State] = {}
        self._work = 0
        self.start = self._expand([(start, _BOTTOM) for start in grammar.alternatives[0]])

    def rest(self) -> None:
        """A token was chosen: the count of work begins anew, and old states may go."""
        self._work = 0
        if len(self._states) > _MOST_STATES:
            self._states.clear()

    def along(self, state: State, data: bytes) -> State | None:
        """The state after `data`; None where the grammar does not allow it.

        Raises:
            InvalidRequestError: it agrees with the text in too many ways.
        """
        current: State | None = state
        for byte in data:
            if current is None:
                return None
            current = self.step(current, byte)
        return current

    def step(self, state: State, byte: int) -> State | None:
        """The state after one more byte, like `along`."""
        try:
            return state.after[byte]
        except KeyError:
            pass
        if isinstance(state, _Inside):
            found = self._continue(state, byte)
        elif byte < 0x80:
            found = self._accept(state, byte)
        else:
            found = self._begin(state, byte)
        state.after[byte] = found
        return found

    def _begin(self, state: State, byte: int) -> State | None:
        missing = 1 if 0xC2 <= byte < 0xE0 else 2 if 0xE0 <= byte < 0xF0 else 3 if 0xF0 <= byte < 0xF5 else 0
        if not missing:
            return None
        smallest, bits = _LEADS[missing]
        return self._possible(_Inside(state, byte & bits, missing, smallest))

    def _continue(self, state: _Inside, byte: int) -> State | None:
        if byte & 0xC0 != 0x80:
            return None
        value = state.value << 6 | byte & 0x3F
        if state.missing > 1:
            return self._possible(_Inside(state.before, value, state.missing - 1, state.smallest))
        return self._accept(state.before, value) if value >= state.smallest else None

    def _possible(self, inside: _Inside) -> State | None:
        bits = 6 * inside.missing
        low = max(inside.value << bits, inside.smallest)
        high = min(((inside.value + 1) << bits) - 1, _LAST_CHARACTER)
        self._spend(len(inside.before.stacks))
        for position, _ in inside.before.stacks:
            if _meets(self._terminals[-1 - self._symbols[position]], low, high):
                return inside
        return None

    def _accept(self, state: State, code: int) -> State | None:
        self._spend(len(state.stacks))
        after = []
        for position, back in state.stacks:
            terminal = -1 - self._symbols[position]
            place = bisect_right(self._lows[terminal], code) - 1
            if place >= 0 and code <= self._terminals[terminal][place][1]:
                after.append((position + 1, back))
        return self._expand(after) if after else None

    def _expand(self, todo: list[Stack]) -> State:
        """Follow rules and their ends down to what can be read next."""
        symbols, seen, stacks, complete = self._symbols, set(todo), [], False
        todo = list(seen)
        while todo:
            position, back = todo.pop()
            symbol = symbols[position]
            following: list[Stack] = []
            if symbol == END:
                if back == _BOTTOM:
                    complete = True
                else:
                    following = [self._nodes[back]]
            elif symbol < 0:
                stacks.append((position, back))
            else:
                # Nothing left of this alternative: what the rule was called from need not come back.
                last = symbols[position + 1] == END
                to = back if last else self._node((position + 1, back))
                following = [(start, to) for start in self._alternatives[symbol]]
            for stack in following:
                if stack not in seen:
                    seen.add(stack)
                    todo.append(stack)
            self._spend(1)
            if len(stacks) > _MOST_STACKS:
                raise InvalidRequestError(_AMBIGUOUS)
        key = (frozenset(stacks), complete)
        if (state := self._states.get(key)) is None:
            state = self._states[key] = State(tuple(stacks), complete=complete)
        return state

    def _node(self, stack: Stack) -> int:
        number = self._numbers.get(stack)
        if number is None:
            number = self._numbers[stack] = len(self._nodes)
            self._nodes.append(stack)
            if number >= _MOST_NODES:
                raise InvalidRequestError("The text is nested too deeply for the grammar.")
        return number

    def _spend(self, work: int) -> None:
        self._work += work
        if self._work > _MOST_WORK:
            raise InvalidRequestError(_AMBIGUOUS)


def _meets(ranges: Ranges, low: int, high: int) -> bool:
    place = bisect_right(ranges, (high, _LAST_CHARACTER)) - 1
    return place >= 0 and ranges[place][1] >= low
