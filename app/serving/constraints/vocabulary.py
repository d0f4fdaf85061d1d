"""All tokens of a model in the order of their bytes, for asking which of them a grammar allows."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from app.serving.constraints.grammar_walk import State, Walk


class Vocabulary:
    """The bytes of every token. Read by any thread."""

    def __init__(self, pieces: Sequence[bytes], ends: Iterable[int]) -> None:
        """
        Args:
            pieces: by token; empty for those that are no text.
            ends: the tokens that end an answer.
        """
        self._pieces = pieces
        self._ends = frozenset(ends)
        spelled = [token for token, piece in enumerate(pieces) if piece and token not in self._ends]
        self._tokens = sorted(spelled, key=pieces.__getitem__)
        self._sorted = [pieces[token] for token in self._tokens]

    def follow(self, walk: Walk, state: State, token: int) -> State | None:
        """Where a token leads; None: it is not allowed. One that ends the answer leads nowhere else."""
        if token in self._ends:
            return state if state.complete else None
        piece = self._pieces[token]
        return walk.along(state, piece) if piece else None

    def allowed(self, walk: Walk, state: State) -> NDArray[np.bool_]:
        """Which tokens may come next, shape (tokens,).

        Tokens that begin with the same bytes are walked together, and a beginning that is not
        allowed is passed over with all that have it.
        """
        found = np.zeros(len(self._pieces), dtype=np.bool_)
        if state.complete:
            found[list(self._ends)] = True
        pieces, path, before, at = self._sorted, [state], b"", 0
        while at < len(pieces):
            piece = pieces[at]
            shared, most = 0, min(len(path) - 1, len(piece))
            while shared < most and piece[shared] == before[shared]:
                shared += 1
            del path[shared + 1 :]
            for length in range(shared, len(piece)):
                following = walk.step(path[-1], piece[length])
                if following is None:
                    at = bisect_left(pieces, _after(piece[: length + 1]), at + 1)
                    break
                path.append(following)
            else:
                found[self._tokens[at]] = True
                at += 1
            before = piece
        return found


def _after(beginning: bytes) -> bytes:
    """The first text in order that does not begin with `beginning` (which is no row of 0xFF)."""
    kept = beginning.rstrip(b"\xff")
    return kept[:-1] + bytes((kept[-1] + 1,)) if kept else b"\xff" * 1_000
