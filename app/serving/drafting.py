"""Prompt-lookup drafting: an answer that quotes goes on, for a while, as the text it quotes.

Where the last few tokens stood before, in the prompt or in the answer so far, what followed them
there is a guess at what follows now: a draft. One row computes it together with the token it comes
after, and the sampler then draws each position from its own scores, as without a draft; as long as
it draws what was guessed, the scores after that are those of the right text already. What was
guessed wrong is cut off. So a draft changes how many tokens a step gives, and not which.

A draft that is wrong costs time. So nothing is drafted on trust: `Drafter` does it where it knows
from this model, on this machine and with this answer that it gains, and tries it out from an
allowance which is small.
"""

from collections import deque
from collections.abc import Iterator
from collections.abc import Sequence as Tokens
from statistics import median, median_low
from typing import Literal

from app.serving.sequence import Sequence

Drafting = Literal["automatic", "off"]
"""Automatic: where it is found to gain."""

LENGTHS = (1, 3, 7, 15)
"""How many tokens a draft may have: a few lengths only, each of whose costs is soon known."""

MOST = LENGTHS[-1]

REMEMBERED = 8_192
"""The latest tokens of an answer and its prompt in which a draft is looked for; at times twice as many."""

_GRAM = 3  # tokens that must be as they were before
_LEVELS = 6  # of certainty; they double: a guess that came true 0, 1, 2, 4, 8, 16 times in a row
_UNKNOWN, _PRIOR = 0.5, 4.0  # what is thought of a guess at first, and how many guesses weigh as much
_FADES = 0.99  # the weight that earlier guesses keep with each further one

_PAYS = 1.25  # tokens in the time of one, from which a draft is worth it: runs end at once or go on for long
_ALLOWANCE = 8.0  # plain steps that trying out may lose
_EARNED = 0.01  # of it, what each plain step gives back
_WORTH_A_TRY = 0.5  # of a step's tokens, which must be expected to come true
_KNOWN = 2  # drafts of a length, after which its costs are known
_AGAIN = 2_000  # plain steps after which they are not any more
_FRESH = 3  # plain steps of an answer after which their time is known
_IN_A_ROW = 16  # drafts, after which one plain step shows what it takes by now


class Lookup:
    """Where the end of a text stood before. Grows with the text, at the same cost for each token."""

    def __init__(self, tokens: Tokens[int]) -> None:
        self._tokens = list(tokens[-REMEMBERED:])
        self._seen = len(tokens)
        self._places: dict[tuple[int, ...], int] = {}  # of a gram's next token, where it stood last
        self._next: int | None = None  # where the guess is
        self._index()

    @property
    def seen(self) -> int:
        """Tokens of the text so far."""
        return self._seen

    def add(self, token: int) -> bool | None:
        """The text goes on. Returns whether that was the guess; None if there was none."""
        tokens, guess = self._tokens, self._next
        right = None if guess is None else tokens[guess] == token
        tokens.append(token)
        self._seen += 1
        if len(tokens) > 2 * REMEMBERED:
            del tokens[:-REMEMBERED]
            self._index()
            return right
        end = len(tokens) - 1
        if end >= _GRAM:
            self._places[tuple(tokens[end - _GRAM : end])] = end
        self._next = guess + 1 if guess is not None and right else self._find()
        return right

    def draft(self, length: int) -> tuple[int, ...]:
        """What comes next, if all goes on as it did before: `length` tokens, or none."""
        if self._next is None:
            return ()
        before = self._tokens[self._next : self._next + length]
        while len(before) < length:  # it repeats itself, and the last repetition is not over
            before += before[: length - len(before)]
        return tuple(before)

    def _index(self) -> None:
        tokens = self._tokens
        grams = zip(*(tokens[offset:] for offset in range(_GRAM)), strict=False)
        self._places = dict(zip(grams, range(_GRAM, len(tokens)), strict=False))
        self._next = self._find()

    def _find(self) -> int | None:
        return self._places.get(tuple(self._tokens[-_GRAM:]))


class Odds:
    """How likely a guess is to come true, by how many did before it in a row."""

    def __init__(self, others: "Odds | None" = None) -> None:
        """`others`: what is known of other answers; stands in for what this one has not shown yet."""
        self._others = others
        self._right = [0.0] * _LEVELS
        self._made = [0.0] * _LEVELS

    def tell(self, run: int, *, right: bool) -> None:
        """A guess after `run` right ones was `right` or not."""
        level = _level(run)
        self._right[level] = _FADES * self._right[level] + right
        self._made[level] = _FADES * self._made[level] + 1.0
        if self._others is not None:
            self._others.tell(run, right=right)

    def of(self, run: int) -> float:
        """The probability that the next guess is right."""
        level = _level(run)
        prior = _UNKNOWN if self._others is None else self._others.of(run)
        return (self._right[level] + _PRIOR * prior) / (self._made[level] + _PRIOR)

    def expected(self, run: int, most: int) -> Iterator[tuple[int, float]]:
        """Each of LENGTHS up to `most`, and the tokens that a step with such a draft gives on average."""
        tokens, chance, done = 1.0, 1.0, 0
        for length in LENGTHS:
            if length > most:
                return
            for at in range(run + done, run + length):
                chance *= self.of(at)
                tokens += chance
            done = length
            yield length, tokens


class Costs:
    """What steps with a draft cost, in plain steps: those without one. Has no clock: it is told."""

    def __init__(self) -> None:
        self._plain: deque[float] = deque(maxlen=5)  # seconds, of the answer at hand
        self._plain_steps = 0
        self._found: dict[int, deque[float]] = {length: deque(maxlen=5) for length in LENGTHS}
        self._found_at = dict.fromkeys(LENGTHS, 0)  # so many plain steps
        self._in_a_row = 0

    @property
    def comparable(self) -> bool:
        """Whether the time of plain steps is known as it is now."""
        return len(self._plain) >= _FRESH and self._in_a_row < _IN_A_ROW

    def another(self) -> None:
        """Another answer is being written: with more or less in memory its steps take another time."""
        self._plain.clear()

    def took(self, drafted: int, seconds: float) -> float | None:
        """A step was over after `seconds`; returns that in plain steps, if it can be compared."""
        if not drafted:
            self._plain.append(seconds)
            self._plain_steps += 1
            self._in_a_row = 0
            return 1.0
        self._in_a_row += 1
        if not self._plain or drafted not in self._found:
            return None
        # What takes longer than its tokens one by one is the machine, at work on something else.
        cost = min(seconds / max(median(self._plain), 1e-9), drafted + 1.0)
        self._found[drafted].append(cost)
        self._found_at[drafted] = self._plain_steps
        return cost

    def known(self, length: int) -> bool:
        """Whether a draft of `length` was tried of late, and more than once."""
        if self._plain_steps - self._found_at[length] > _AGAIN:
            self._found[length].clear()
        return len(self._found[length]) >= _KNOWN

    def of(self, length: int) -> float:
        """What a step with a draft of `length` costs; of one never tried, what it may cost at most."""
        if self._found[length]:
            return median_low(self._found[length])
        shorter = max((other for other in LENGTHS if other < length and self._found[other]), default=0)
        cost = median_low(self._found[shorter]) if shorter else 1.0
        return cost * (length + 1) / (shorter + 1)


class Drafter:
    """Decides for an answer, step by step, whether to draft and how much. Has no clock: it is told.

    Only one answer at a time is drafted for, the one that is alone: where several are written, the
    tokens that one of them guesses would let the others wait.
    """

    def __init__(self) -> None:
        self._costs = Costs()
        self._odds = Odds()  # of all answers
        self._allowance = _ALLOWANCE  # in plain steps
        self._sequence: Sequence | None = None
        self._lookup = Lookup(())
        self._own_odds = Odds(self._odds)
        self._run = 0  # guesses that came true, the last one included

    def draft(self, sequence: Sequence, most: int) -> tuple[int, ...]:
        """What to guess of `sequence` in the next step, at most `most` tokens; mostly nothing.

        Must be asked before every step in which `sequence` is alone: it learns from what is written.
        Whoever gives a seed wants the same answer again. Scores are rounded a little differently by
        the shape of the batch, and what is drafted depends on the clock: so that one is never
        drafted for.
        """
        if sequence.generation.sampling.seed is not None:
            return ()
        self._catch_up(sequence)
        if most < LENGTHS[0] or not self._costs.comparable or not self._lookup.draft(1):
            return ()
        length = self._best(most)
        return self._lookup.draft(length) if length else ()

    def took(self, sequence: Sequence, drafted: int, right: int, seconds: float) -> None:
        """A step of `sequence` alone was over after `seconds`; `right` of `drafted` tokens came true."""
        if sequence is not self._sequence:
            return
        cost = self._costs.took(drafted, seconds)
        gained = _EARNED if not drafted else 0.0 if cost is None else right + 1 - cost
        self._allowance = min(_ALLOWANCE, self._allowance + gained)

    def forget(self, sequence: Sequence) -> None:
        """The sequence is over: nothing of its text is kept."""
        if sequence is self._sequence:
            self._sequence, self._lookup = None, Lookup(())

    def _catch_up(self, sequence: Sequence) -> None:
        if sequence is not self._sequence:
            self._sequence, self._lookup = sequence, Lookup(sequence.tokens)
            self._own_odds, self._run = Odds(self._odds), 0
            self._costs.another()
            return
        for token in sequence.tokens[self._lookup.seen :]:
            right = self._lookup.add(token)
            if right is not None:
                self._own_odds.tell(self._run, right=right)
            self._run = self._run + 1 if right else 0

    def _best(self, most: int) -> int:
        """The length that gives most tokens for its time; 0: a plain step does."""
        best, pays = 0, _PAYS
        if self._allowance <= 0:
            return 0
        for length, tokens in self._own_odds.expected(self._run, most):
            known, cost = self._costs.known(length), self._costs.of(length)
            if not known and tokens > _WORTH_A_TRY * (length + 1) and cost - tokens < self._allowance:
                return length
            if tokens / cost >= pays:
                best, pays = length, tokens / cost
        return best


def _level(run: int) -> int:
    return min(run.bit_length(), _LEVELS - 1)
