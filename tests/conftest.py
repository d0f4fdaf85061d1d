"""What every test may ask for: a profile of its own, the sample document, the bundled models."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from app import paths

# No test may open a window on somebody's screen; the variable is read when Qt starts.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")


@dataclass(frozen=True, slots=True)
class SampleQuestion:
    """The sample document and what is known about it."""

    document: Path
    question: str
    expected: tuple[str, ...]
    page: int

    def answered_by(self, text: str) -> bool:
        return any(fact.lower() in text.lower() for fact in self.expected)


@pytest.fixture
def profile(tmp_path: Path) -> paths.Profile:
    """An empty profile; its folders are made."""
    made = paths.Profile(tmp_path / "profile")
    made.create()
    return made


@pytest.fixture(scope="session")
def sample() -> SampleQuestion:
    """The lease that comes with the program."""
    found = json.loads(paths.resource("sample", "sample.json").read_text("utf-8"))
    return SampleQuestion(
        paths.resource("sample", found["document"]),
        found["question"],
        tuple(found["expected"]),
        found["page"],
    )


@pytest.fixture(scope="session")
def bundled_models() -> Path:
    """The folder of the bundled models. Without them a test fails: it must not pass unnoticed."""
    folder = paths.resource("models")
    if not (folder / "manifest.json").is_file():
        pytest.fail(
            f"The bundled models are not prepared in {folder}: run `make models` first.", pytrace=False
        )
    return folder
