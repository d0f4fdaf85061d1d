"""Each setting once: name, default, unit, range, help; and the file they are kept in.

The file is JSON and holds only what differs from the defaults. A value out of range is refused
when it is set; one found in the file (edited by hand, or by another version) is ignored and
reported, so that a bad line never keeps the program from starting.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from app.errors import SettingError

Value = str | int | float | bool


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. `choices` bounds a text, `low` and `high` (inclusive) a number."""

    name: str
    default: Value
    help: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    def check(self, value: object) -> Value:
        """Return `value` if this setting can hold it.

        Raises:
            SettingError: it is of another type, or out of range.
        """
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if not isinstance(value, (str, int, float, bool)) or type(value) is not kind:
            raise SettingError(f"{self.name} takes a value like {self.default!r}, not {value!r}.")
        if self.choices and value not in self.choices:
            raise SettingError(f"{self.name} is one of {', '.join(self.choices)}, not {value!r}.")
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            below = self.low is not None and value < self.low
            above = self.high is not None and value > self.high
            if below or above:
                bounds = f"{self.low:g} to {self.high:g} {self.unit}".strip()
                raise SettingError(f"{self.name} ranges from {bounds}; {value!r} is outside.")
        return value

    def parse(self, text: str) -> Value:
        """Read a value as it is typed on a command line.

        Raises:
            SettingError: the text is not such a value.
        """
        kind = type(self.default)
        if kind is str:
            return self.check(text)
        if kind is bool and text.lower() in ("on", "off", "true", "false"):
            return text.lower() in ("on", "true")
        try:
            return self.check(json.loads(text))
        except json.JSONDecodeError:
            raise SettingError(f"{self.name} takes a value like {self.default!r}.") from None


ALL: Mapping[str, Setting] = MappingProxyType(
    {
        setting.name: setting
        for setting in (
            Setting("chat_model", "", "A GGUF file of yours to answer with; empty: the bundled one."),
            Setting(
                "embedder",
                "",
                "A GGUF file of yours to search with; empty: the bundled one. What is in the library is read"
                " again with it in the background.",
            ),
            Setting(
                "reranker",
                "",
                "A GGUF file of yours that puts what was found in order, finer and slower; empty: none.",
            ),
            Setting(
                "context_length", 0, "0: as the model and memory allow.", "tokens", low=0, high=1_048_576
            ),
            Setting(
                "gpu_layers",
                -1,
                "Layers to put on the GPU; -1: what fits.",
                "layers",
                low=-1,
                high=1_000,
            ),
            Setting("threads", 0, "0: all cores.", "threads", low=0, high=256),
            Setting(
                "rest_after",
                30,
                "Free the model after so long without a question; 0: never.",
                "minutes",
                low=0,
                high=10_000,
            ),
            Setting(
                "drafting",
                "automatic",
                "Guess several words of an answer that quotes, where that is faster.",
                choices=("automatic", "off"),
            ),
            Setting("keep_read", True, "Keep what was read for a conversation, so that it goes on at once."),
            Setting("answer_tokens", 400, "The longest answer.", "tokens", low=16, high=8_192),
            Setting(
                "answer_style",
                "auto",
                "quote: sentences of your documents, word for word; write: the model's own; auto: as well as"
                " the model was measured to write.",
                choices=("auto", "quote", "write"),
            ),
            Setting("temperature", 0.0, "0: always the likeliest word.", low=0.0, high=2.0),
            Setting("listen", False, "Let other tools on this computer use the API."),
            Setting(
                "listen_port", 11711, "Where the API listens on 127.0.0.1.", "port", low=1_024, high=65_535
            ),
            Setting("theme", "system", "Colours of the window.", choices=("system", "light", "dark")),
        )
    }
)


class Settings:
    """The settings of one profile. Used by `main`, `cli` and `ui`; not thread-safe."""

    def __init__(self, path: Path) -> None:
        """Read the file if there is one; `problems` then lists what in it was ignored."""
        self.path = path
        self.problems: list[str] = []
        self._chosen: dict[str, Value] = {}
        self._read()

    def __getitem__(self, name: str) -> Value:
        return self._chosen.get(name, _known(name).default)

    def text(self, name: str) -> str:
        return str(self[name])

    def number(self, name: str) -> int:
        return int(self[name])

    def fraction(self, name: str) -> float:
        return float(self[name])

    def flag(self, name: str) -> bool:
        return bool(self[name])

    def choose(self, name: str, value: object) -> None:
        """Set one setting and write the file (whole or not at all).

        Raises:
            SettingError: unknown name, or a value it cannot hold.
            OSError: the file cannot be written; the setting stays as it was.
        """
        chosen = dict(self._chosen)
        chosen[name] = _known(name).check(value)
        if chosen[name] == ALL[name].default:
            del chosen[name]
        self._write(chosen)
        self._chosen = chosen

    def _read(self) -> None:
        try:
            found = json.loads(self.path.read_text("utf-8"))
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            self.problems.append(f"{self.path.name} could not be read: {error}")
            return
        if not isinstance(found, dict):
            self.problems.append(f"{self.path.name} does not hold settings")
            return
        for name, value in found.items():
            try:
                self._chosen[name] = _known(name).check(value)
            except SettingError as error:
                self.problems.append(error.message)

    def _write(self, chosen: dict[str, Value]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(chosen, file, indent=2, sort_keys=True)
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(self.path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise


def _known(name: str) -> Setting:
    if name not in ALL:
        raise SettingError(f"There is no setting called {name}.")
    return ALL[name]
