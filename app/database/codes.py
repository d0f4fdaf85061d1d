"""Vectors as one bit a number, its sign: 1/32 of the size, and compared by counting bits that differ.

The share of signs that differ estimates the angle between two vectors (Charikar 2002), roughly. So
codes only choose which vectors are worth the exact product.
"""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]

_BITS = 64
# As many as stay in a core's cache while all their words are compared.
_COLUMNS_AT_ONCE = 16_384
_WORTH_GATHERING = 4


def code_bytes(dimension: int) -> int:
    """Bytes of one code: a bit a number, filled up to whole words of 64 bits."""
    return -(-dimension // _BITS) * 8


def codes_of(vectors: NDArray[np.floating]) -> Codes:
    """The codes of vectors of shape (n, dimension): shape (n, code_bytes(dimension)).

    The same bytes on every machine; a zero counts as negative.
    """
    count, dimension = vectors.shape
    codes = np.zeros((count, code_bytes(dimension)), np.uint8)
    bits = np.packbits(vectors > 0, axis=1)
    codes[:, : bits.shape[1]] = bits
    return codes


class CodeTable:
    """Codes by column, word by word, so that comparing them reads memory in one stride. Not thread-safe."""

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._words = code_bytes(dimension) // 8
        self._table = np.empty((self._words, 0), np.uint64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, codes: Codes) -> None:
        """Add codes of shape (n, code_bytes(dimension)) after the last one."""
        stop = self._count + len(codes)
        if stop > self._table.shape[1]:
            grown = np.empty((self._words, max(stop, self._table.shape[1] * 5 // 4)), np.uint64)
            grown[:, : self._count] = self._table[:, : self._count]
            self._table = grown
        self._table[:, self._count : stop] = np.ascontiguousarray(codes).view(np.uint64).T
        self._count = stop

    def keep(self, kept: NDArray[np.bool_]) -> None:
        """Drop every code whose place in `kept`, shape (len(self),), is false; the rest close up."""
        self._table = np.ascontiguousarray(self._table[:, : self._count][:, kept])
        self._count = self._table.shape[1]

    def distances(
        self, vector: NDArray[np.float32], places: NDArray[np.intp] | None = None
    ) -> NDArray[np.uint16]:
        """In how many signs each code differs from a vector's: shape (len(self),).

        Args:
            places: only of these codes, in this order; then the shape is (len(places),).
        """
        if places is None:
            return self._distances(vector, self._table, self._count)
        # Codes that lie apart are read as fast as all of them only where they are few.
        if len(places) * _WORTH_GATHERING > self._count:
            return self._distances(vector, self._table, self._count)[places]
        return self._distances(vector, self._table[:, places], len(places))

    def _distances(
        self, vector: NDArray[np.float32], table: NDArray[np.uint64], count: int
    ) -> NDArray[np.uint16]:
        asked = codes_of(vector[None]).view(np.uint64)[0]
        distances = np.zeros(count, np.uint16)
        differing = np.empty(_COLUMNS_AT_ONCE, np.uint64)
        counts = np.empty(_COLUMNS_AT_ONCE, np.uint8)
        for start in range(0, count, _COLUMNS_AT_ONCE):
            stop = min(start + _COLUMNS_AT_ONCE, count)
            part, size = distances[start:stop], stop - start
            for word, row in zip(asked, table, strict=True):
                np.bitwise_xor(row[start:stop], word, out=differing[:size])
                np.bitwise_count(differing[:size], out=counts[:size])
                np.add(part, counts[:size], out=part)
        return distances


def shortlist(distances: NDArray[np.uint16], size: int, most: int) -> NDArray[np.intp]:
    """The places of the `size` smallest distances, or of some more that are as near as the last.

    Args:
        most: distances above it are never taken.
    """
    if size >= len(distances):
        return np.flatnonzero(distances <= most)
    held = np.cumsum(np.bincount(np.minimum(distances, most + 1), minlength=most + 2)[: most + 1])
    limit = min(int(np.searchsorted(held, size)), most)
    return np.flatnonzero(distances <= limit)
