"""In which order a person reads what stands on a page: across it, or column by column.

Works on the places of pieces of lines alone, so that it serves PDFs and scans alike.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

# Columns of a text, not of a table: so many pieces on each side, so many characters in the usual
# piece, and so much of the width of all text taken by it.
_PIECES = 4
_CHARACTERS = 16
_SHARE = 0.2
# Left edges that belong to one column, in points or pixels per size of the letters.
_EDGE = 0.35


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a line without a gap in it: where it is (y downwards), its letters' size and number."""

    left: float
    right: float
    y: float
    size: float
    characters: int


def columns(pieces: Sequence[Piece]) -> list[list[int]] | None:
    """The places of the pieces in groups that are read one after the other; None for one column.

    Pieces keep their order within a group. What spans the columns is a group of its own, between
    what stands above it and what below.
    """
    edge = _gutter(pieces, range(len(pieces)))
    if edge is None:
        return None
    return _grouped(pieces, list(range(len(pieces))), edge)


def _grouped(pieces: Sequence[Piece], members: list[int], edge: float) -> list[list[int]]:
    outside = _first_and_last(pieces, members)
    across = (place for place in members if place in outside or _side(pieces[place], edge) == 0)
    spanning = sorted(across, key=lambda place: pieces[place].y)
    bands: list[tuple[list[int], list[int]]] = [([], []) for _ in range(len(spanning) + 1)]
    for place in members:
        side = _side(pieces[place], edge)
        if side and place not in outside:
            # Half a letter of tolerance: a column may begin level with what spans them all.
            limit = pieces[place].y + pieces[place].size / 2
            above = sum(pieces[other].y < limit for other in spanning)
            bands[above][side > 0].append(place)
    groups: list[list[int]] = []
    for band, (left, right) in enumerate(bands):
        if band:
            groups.append([spanning[band - 1]])
        groups.append(left)
        further = _gutter(pieces, right)
        groups += [right] if further is None else _grouped(pieces, right, further)
    return [group for group in groups if group]


def _first_and_last(pieces: Sequence[Piece], members: Sequence[int]) -> frozenset[int]:
    """What little stands alone above or below all else: page numbers belong to no column."""
    found: set[int] = set()
    for edge in (
        min(members, key=lambda place: pieces[place].y),
        max(members, key=lambda place: pieces[place].y),
    ):
        level = [place for place in members if abs(pieces[place].y - pieces[edge].y) < pieces[edge].size / 2]
        if sum(pieces[place].characters for place in level) < _CHARACTERS:
            found.update(level)
    return frozenset(found)


def _gutter(pieces: Sequence[Piece], members: Sequence[int]) -> float | None:
    """The left edge of a column to the right of another, or None."""
    inside = [pieces[place] for place in members]
    if len(inside) < 2 * _PIECES:
        return None
    width = max(piece.right for piece in inside) - min(piece.left for piece in inside)
    edges = Counter(round(piece.left) for piece in inside)
    leftmost = min(piece.left for piece in inside)
    for edge, _ in sorted(edges.items(), key=lambda item: (-item[1], item[0]))[:6]:
        if edge <= leftmost + width * _SHARE:
            continue
        left = [piece for piece in inside if _side(piece, edge) < 0]
        right = [piece for piece in inside if _side(piece, edge) > 0]
        spanning = len(inside) - len(left) - len(right)
        if _is_column(left, width) and _is_column(right, width) and spanning <= len(inside) / 2:
            return float(edge)
    return None


def _is_column(pieces: Sequence[Piece], width: float) -> bool:
    if len(pieces) < _PIECES:
        return False
    characters = sorted(piece.characters for piece in pieces)[len(pieces) // 2]
    usual = sorted(piece.right - piece.left for piece in pieces)[len(pieces) // 2]
    return characters >= _CHARACTERS and usual >= _SHARE * width


def _side(piece: Piece, edge: float) -> int:
    """-1 left of the edge, 1 right of it, 0 across."""
    tolerance = _EDGE * piece.size
    if piece.left >= edge - tolerance - 1:
        return 1
    return -1 if piece.right <= edge - tolerance else 0
