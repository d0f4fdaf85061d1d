"""Token bytes in, text out: never half a character, never part of a stop string."""

import codecs


class Detokenizer:
    """Puts one answer's bytes together.

    A token may end inside a UTF-8 character, and a stop string may begin in one token and end
    three later. What could still become either is held back until it is decided. Bytes that are
    no UTF-8 become U+FFFD.
    """

    def __init__(self, stop: tuple[str, ...] = ()) -> None:
        self.stopped = False
        self._stop = tuple(text for text in stop if text)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def push(self, piece: bytes) -> str:
        """Add the next token's bytes; return the text that is certain now.

        At the first stop string the text before it is returned and `stopped` is set; nothing
        comes after that.
        """
        return self._release(self._decoder.decode(piece))

    def finish(self) -> str:
        """The answer is over: return what was held back (an unfinished character as U+FFFD)."""
        text = self._release(self._decoder.decode(b"", final=True)) + self._held
        self._held = ""
        return text

    def _release(self, text: str) -> str:
        if self.stopped:
            return ""
        self._held += text
        found = [at for stop in self._stop if (at := self._held.find(stop)) >= 0]
        if found:
            released, self._held = self._held[: min(found)], ""
            self.stopped = True
            return released
        keep = max((_overlap(self._held, stop) for stop in self._stop), default=0)
        cut = len(self._held) - keep
        released, self._held = self._held[:cut], self._held[cut:]
        return released


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that begins `stop`."""
    for length in range(min(len(text), len(stop) - 1), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
