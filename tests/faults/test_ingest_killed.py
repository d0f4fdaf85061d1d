"""kill -9 at random instants while a folder is taken in: all that was acknowledged is finished, once."""

import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.database.agreement import disagreements
from app.database.connection import Database
from app.database.documents import Documents
from app.database.users import Users
from app.paths import Profile

pytestmark = pytest.mark.slow

_INGEST = Path(__file__).with_name("ingest_to_kill.py")
_ROOT = Path(__file__).parents[2]


def _folder(place: Path, files: int) -> Path:
    """Texts of one to forty passages; every fifth is another one's beginning, so that they share passages."""
    place.mkdir()
    for number in range(files):
        about = number - 1 if number % 5 == 4 else number
        text = "\n\n".join(
            f"Clause {clause} of contract {about}. The deposit of {about * 7 + clause} euros is paid back."
            f" {'The landlord lets the flat to the tenant. ' * 6}"
            for clause in range(1 + number * 13 % 40)
        )
        (place / f"contract-{number:03}.txt").write_text(text)
    return place


def _run(profile: Profile, folder: Path, seconds: float | None) -> tuple[list[str], bool]:
    """Take the folder in, and kill that after so many seconds of work; what was acknowledged, and whether
    it came to its end before."""
    ingest = subprocess.Popen(
        [sys.executable, str(_INGEST), str(profile.root), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
    )
    with ingest:
        assert ingest.stdout.readline() == "open\n"
        try:
            said, _ = ingest.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            ingest.kill()
            said, _ = ingest.communicate()
    assert ingest.returncode in (0, -9)
    return [line.split()[1] for line in said.splitlines() if line.startswith("added")], "done" in said


def _check(profile: Profile, acknowledged: set[str]) -> None:
    """Nothing that was acknowledged is missing, nothing is half, nothing is there twice."""
    database = Database(profile.database)
    database.open()
    try:
        assert database.check() == "ok"
        assert disagreements(database) == ()
        there = Documents(database).list(Users(database).local())
        assert acknowledged <= {document.id for document in there}
        assert len({document.content_hash for document in there}) == len(there)
        assert len({document.path for document in there}) == len(there)
        assert not [document.error for document in there if document.error is not None]
    finally:
        database.close()


def _ingest_and_kill(tmp_path: Path, *, kills: int, files: int, most_seconds: float) -> int:
    """Kill ingests until so many kills met one at work; returns how many ingests that took."""
    folder = _folder(tmp_path / "contracts", files)
    chance = random.Random(20261125)
    met = ingests = 0
    while met < kills:
        profile = Profile(tmp_path / f"profile-{ingests}")
        acknowledged: set[str] = set()
        ended = False
        while not ended:
            seconds = chance.uniform(0, most_seconds) if met < kills else None
            said, ended = _run(profile, folder, seconds)
            met += not ended
            acknowledged.update(said)
            _check(profile, acknowledged)
        database = Database(profile.database)
        database.open()
        there = Documents(database).list(Users(database).local())
        database.close()
        assert len(there) == files
        assert {document.status for document in there} == {"ready"}
        shutil.rmtree(profile.root)
        ingests += 1
    return ingests


def test_killed_at_random_instants_every_file_is_finished_once_and_whole(tmp_path):
    assert _ingest_and_kill(tmp_path, kills=5, files=12, most_seconds=2.0) >= 1


@pytest.mark.long
@pytest.mark.timeout(5_400)
def test_killed_300_times_every_file_of_500_is_finished_once_and_whole(tmp_path):
    assert _ingest_and_kill(tmp_path, kills=300, files=500, most_seconds=8.0) >= 1
