"""The sample that comes with the program: a document, and a question that it answers."""

import json
from dataclasses import dataclass
from pathlib import Path

from app import paths
from app.errors import StorageError


@dataclass(frozen=True, slots=True)
class Sample:
    """The sample question: any of `expected` is the fact, and `page` is where it stands."""

    document: Path
    question: str
    expected: tuple[str, ...]
    page: int

    @classmethod
    def bundled(cls) -> "Sample":
        """The sample that comes with the program.

        Raises:
            StorageError: it is missing, so the installation is not whole.
        """
        try:
            found = json.loads(paths.resource("sample", "sample.json").read_text("utf-8"))
        except OSError as error:
            raise StorageError(f"The sample is missing from this installation: {error}.") from error
        return cls(
            document=paths.resource("sample", found["document"]),
            question=found["question"],
            expected=tuple(found["expected"]),
            page=found["page"],
        )
