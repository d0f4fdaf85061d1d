"""A clock that tests move, and a way to tamper with a cache's rows."""

import sqlite3
import time
from pathlib import Path

import pytest


class Clock:
    """The time as it is, moved by `ahead` seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def tamper(tmp_path: Path):
    """Run a statement on the cache's own database, as someone with access to the file could."""

    def run(folder: Path, statement: str, *values: object) -> int:
        connection = sqlite3.connect(folder / "cache.db")
        try:
            with connection:
                return connection.execute(statement, values).rowcount
        finally:
            connection.close()

    return run
