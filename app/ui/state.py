"""What the window remembers between starts: its size, its panes, the text size.

Kept as JSON in the profile. It is a convenience: a file that cannot be read or written is worth
a line in the log, never an error to the user.
"""

import json
import logging
import os
import tempfile
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WindowState:
    """Widths in logical pixels; `text_scale` and `zoom` as factors."""

    x: int | None = None
    y: int | None = None
    width: int = 0
    height: int = 0
    maximised: bool = False
    desk_width: int = 0
    desk_folded: bool = False
    desk_split: int = 0
    reader_width: int = 0
    text_scale: float = 1.0
    zoom: float = 1.0


class StateFile:
    """Reads the state once, writes it whole or not at all."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.state = self._read()

    def remember(self, **changed: object) -> None:
        """Keep some values and write the file when they differ."""
        state = replace(self.state, **changed)  # type: ignore[arg-type]
        if state == self.state:
            return
        self.state = state
        try:
            self._write()
        except OSError as error:
            log.warning("the window's state was not kept: %s", error)

    def _read(self) -> WindowState:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return WindowState()
        except (OSError, ValueError) as error:
            log.warning("the window's state was not read: %s", error)
            return WindowState()
        if not isinstance(found, dict):
            return WindowState()
        kept: dict[str, object] = {}
        for field in fields(WindowState):
            value = found.get(field.name, field.default)
            if _fits(value, field.default):
                kept[field.name] = value
        return WindowState(**kept)  # type: ignore[arg-type]

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._path.parent, prefix=self._path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(asdict(self.state), file, indent=2)
            Path(name).replace(self._path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _fits(value: object, default: object) -> bool:
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(default, bool)
    if default is None:
        return value is None or (isinstance(value, int) and abs(value) < 100_000)
    if isinstance(default, int):
        return isinstance(value, int) and 0 <= value < 100_000
    return isinstance(value, (int, float)) and 0.1 <= value <= 10
