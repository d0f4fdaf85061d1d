"""Which files of a folder are taken: patterns like those of .gitignore.

A pattern without a slash matches a name at any depth; one with a slash begins at the folder. `*`,
`?` and `[…]` stay within a name, `**` spans folders, a slash at the end means folders alone. Case
makes no difference. What is excluded is not entered, and there is no `!` to come back.
"""

import re
from collections.abc import Sequence

from app.backend.documents.media_types import is_expected
from app.errors import InvalidRequestError

# Never taken from a folder: hidden files, what programs leave while they write, other people's code.
ALWAYS_EXCLUDED = (
    ".*",
    "~$*",
    "*~",
    "*.tmp",
    "*.temp",
    "*.part",
    "*.partial",
    "*.crdownload",
    "*.download",
    "*.swp",
    "node_modules/",
    "__pycache__/",
    "$RECYCLE.BIN/",
    "System Volume Information/",
    "lost+found/",
)
_MOST = 100
_LONGEST = 200


class Patterns:
    """What is included and excluded, in a folder."""

    def __init__(
        self,
        include: Sequence[str] = (),
        exclude: Sequence[str] = (),
        *,
        without: Sequence[str] | None = None,
    ) -> None:
        """
        Args:
            include: only files that match one of these; none: every kind that Carrel takes from folders.
            exclude: beside what is never taken.
            without: a folder that is not entered, by the names from the folder down to it.

        Raises:
            InvalidRequestError: a pattern that cannot be followed, or too many.
        """
        for pattern in (*include, *exclude):
            _check(pattern)
        if len(include) + len(exclude) > _MOST:
            raise InvalidRequestError(f"More than {_MOST} patterns cannot be followed.")
        self._without = None if without is None else tuple(without)
        self._include = tuple(map(_Pattern, include))
        self._exclude = tuple(map(_Pattern, (*ALWAYS_EXCLUDED, *exclude)))

    def takes(self, path: Sequence[str]) -> bool:
        """Whether a file is taken whose folder is entered.

        Args:
            path: the names from the folder down to the file.
        """
        if any(pattern.matches(path) for pattern in self._exclude if not pattern.folders_only):
            return False
        if not self._include:
            return is_expected(path[-1])
        return any(pattern.matches(path) for pattern in self._include)

    def enters(self, path: Sequence[str]) -> bool:
        """Whether a folder is looked into, whose own folder is."""
        if tuple(path) == self._without:
            return False
        return not any(pattern.matches(path) for pattern in self._exclude)

    def reaches(self, path: Sequence[str]) -> bool:
        """Whether a folder is looked into, and every one on the way there."""
        return all(self.enters(path[:depth]) for depth in range(1, len(path) + 1))


class _Pattern:
    def __init__(self, pattern: str) -> None:
        self.folders_only = pattern.endswith("/")
        inner = pattern.rstrip("/")
        parts = [None if part == "**" else _name(part) for part in inner.strip("/").split("/")]
        self._parts = tuple(parts if "/" in inner else [None, *parts])

    def matches(self, path: Sequence[str]) -> bool:
        # How many names of the path the parts so far may have taken up.
        reached = {0}
        for part in self._parts:
            if part is None:
                reached = set(range(min(reached), len(path) + 1))
            else:
                reached = {at + 1 for at in reached if at < len(path) and part.fullmatch(path[at])}
            if not reached:
                return False
        return len(path) in reached


def _name(glob: str) -> re.Pattern[str]:
    """A glob for one name as a regular expression that never backtracks over a star."""
    first, *rest = glob.split("*")
    expression = _literal(first)
    if rest:
        expression += "".join(f"(?>.*?{_literal(piece)})" for piece in rest[:-1] if piece)
        expression += f".*{_literal(rest[-1])}"
    return re.compile(expression, re.IGNORECASE | re.DOTALL)


def _literal(piece: str) -> str:
    """A piece of a glob without stars: `?` and character sets are followed, the rest is meant as it is."""
    return "".join(
        "." if part == "?" else _set(part) if len(part) > 1 else re.escape(part)
        for part in re.findall(r"\[[!^]?\]?[^\]]+\]|.", piece, re.DOTALL)
    )


def _set(part: str) -> str:
    inner = part[1:-1]
    negated = inner[0] in "!^" and len(inner) > 1
    inner = inner[1:] if negated else inner
    safe = re.sub(r"([\\\[\]^&~|])", r"\\\1", inner)
    return f"[{'^' if negated else ''}{safe}]"


def _check(pattern: str) -> None:
    inner = pattern.strip("/")
    if not inner or len(pattern) > _LONGEST or not pattern.isprintable():
        raise InvalidRequestError(f"A pattern is 1 to {_LONGEST} printable characters.")
    if pattern.startswith("!"):
        raise InvalidRequestError(
            "Patterns that begin with ! are not followed; include what you want instead."
        )
    try:
        _Pattern(pattern)
    except re.error:
        raise InvalidRequestError(f"The pattern {pattern} cannot be understood.") from None
