"""A value kept as JSON in one small file of the profile, and done without where that fails."""

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Notebook(Generic[_T]):
    """One value of one shape, whole in the file or not at all. Thread-safe.

    What is kept here only saves work or worry: a damaged file counts as an empty one, and one
    that cannot be written is told to the log.
    """

    def __init__(self, path: Path, shape: type[_T]) -> None:
        self.path = path
        self._decoder = msgspec.json.Decoder(shape)
        self._lock = threading.Lock()

    def read(self) -> _T | None:
        """What is in the file; None if there is none, or none of this shape."""
        try:
            return self._decoder.decode(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            _log.warning("%s is done without: %s", self.path.name, error)
            return None

    def change(self, change: Callable[[_T | None], _T | None], *, durable: bool = False) -> None:
        """Put what `change` makes of the value in its place; None removes the file.

        Args:
            durable: be on the disk when this returns, for what a machine that hangs must not lose.
        """
        with self._lock:
            value = change(self.read())
            try:
                if value is None:
                    self.path.unlink(missing_ok=True)
                else:
                    self._write(msgspec.json.encode(value), durable=durable)
            except OSError as error:
                _log.warning("%s could not be written: %s", self.path, error)

    def _write(self, data: bytes, *, durable: bool) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                if durable:
                    file.flush()
                    os.fsync(file.fileno())
            Path(name).replace(self.path)
        except OSError:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
