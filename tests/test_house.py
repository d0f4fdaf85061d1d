"""The rules of the house that no linter knows."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST = 400  # lines of a module
DRAWERS = {"utils", "helpers", "common", "manager"}
# Places of one machine and addresses of package registries, put together so that this file passes.
FORBIDDEN = re.compile(
    "|".join(
        (
            r"(?<![\w.-])/" + r"work/",
            r"(?<![\w.-])/" + r"root/",
            r"(?<![\w.-])/tmp/" + r"w\b",
            r"/opt/" + r"pypi",
            r"pypi" + r"\.org",
            r"files\.python" + r"hosted",
            r"(?<!emit-)index" + r"-url",
        )
    )
)
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".lock", ".spec", ".sh", ".html", ".css", ".svg", ""}


def test_no_module_is_longer_than_it_can_be_read():
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (*_python("app"), *_python("packaging"))
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST
    }

    assert long == {}


def test_no_module_is_a_drawer():
    assert [str(path) for path in _python("app") if path.stem in DRAWERS or path.parent.name in DRAWERS] == []


def test_no_committed_file_names_a_place_of_one_machine_or_a_registry():
    found = [
        f"{path.relative_to(ROOT)}: {hit[0]}"
        for path in _committed()
        if path.suffix in TEXT and (hit := FORBIDDEN.search(path.read_text("utf-8", "replace")))
    ]

    assert found == []


def _python(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _committed() -> list[Path]:
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this is not a git checkout")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]
