"""How many windows follow the feed: a second start asks whether there is one to show."""

from collections.abc import Iterator
from contextlib import contextmanager


class Windows:
    """Counts the open windows. Used on the gateway's loop."""

    def __init__(self) -> None:
        self._open = 0

    @property
    def any(self) -> bool:
        """Whether a window is there to be shown."""
        return self._open > 0

    @contextmanager
    def following(self) -> Iterator[None]:
        """Count one window for as long as the block lasts."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
