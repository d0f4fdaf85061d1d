"""How much of a prompt one step may read, so that nobody waits for long. Has no clock: it is told."""

_WHILE_WATCHED = 0.35
"""Seconds a step may take while an answer is being written that a person reads at this window: the longest
gap between two of its tokens."""

_WHILE_WRITING = 0.5
"""Seconds a step may take while only others' answers are being written. Each step costs the prompts that
wait a token of every answer: the last of eight clients had its first token 10 % later with 0.35."""

_WHILE_READING = 1.0
"""Seconds a step may take otherwise: whoever comes is looked at after that."""

_SMALLEST = 32  # tokens; below it a step costs nearly the same
_TELLING = 32  # tokens from which a step tells the speed of reading
_WEIGHT = 0.3  # of the newest step; older ones fade
_CLEARLY = 1.5  # so many times the speed that steps of twice the size need, before they are taken


class Pace:
    """The speed at which this model reads on this machine, as it shows."""

    def __init__(self, batch: int) -> None:
        """`batch` is the most tokens of one step."""
        self._batch = batch
        self._speed: float | None = None  # tokens a second
        self._steady = batch  # tokens of a step that only reads

    def took(self, tokens: int, seconds: float) -> None:
        """A step that read `tokens` of prompts was over after `seconds`."""
        if tokens >= _TELLING and seconds > 0:
            speed = tokens / seconds
            self._speed = speed if self._speed is None else self._speed + _WEIGHT * (speed - self._speed)

    def chunk(self, *, writing: bool, watched: bool = False) -> int:
        """Tokens of prompts for the next step.

        Args:
            writing: somebody's answer is being written.
            watched: and a person is reading it.
        """
        if self._speed is None:
            return min(self._batch, 128) if writing else self._batch
        if writing:
            seconds = _WHILE_WATCHED if watched else _WHILE_WRITING
            return max(_SMALLEST, min(self._batch, int(self._speed * seconds)))
        # llama.cpp rounds by the shape of a step. A prompt that is alone is read in the same steps each
        # time, so that what is drawn with a seed is drawn again: not in others with each change of speed.
        allowed = self._speed * _WHILE_READING
        while self._steady // 2 >= _SMALLEST and allowed < self._steady:
            self._steady //= 2
        while self._steady * 2 <= self._batch and allowed >= self._steady * 2 * _CLEARLY:
            self._steady *= 2
        return self._steady
