import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from app.database.agreement import disagreements
from app.database.connection import Database
from app.database.documents import Documents
from app.database.jobs import Jobs
from app.database.messages import Messages
from app.database.search import Search
from app.database.users import Users

_WRITER = Path(__file__).with_name("writer_to_kill.py")
_ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill_and_nothing_half_is_there(tmp_path):
    path = tmp_path / "carrel.db"
    ready: set[str] = set()
    deleted: set[str] = set()
    said: dict[str, int] = {}
    chance = random.Random(7)
    for _ in range(5):
        for line in _run_until_killed(path, lines=chance.randrange(3, 40)):
            match line.split():
                case ["ready", document]:
                    ready.add(document)
                case ["deleted", document]:
                    deleted.add(document)
                case ["said", message, length]:
                    said[message] = int(length)

        database = Database(path)
        database.open()
        assert database.check() == "ok"
        assert disagreements(database) == ()
        user = Users(database).local()
        there = {document.id: document for document in Documents(database).list(user)}
        assert not deleted & there.keys()
        # The delete that was under way may have been committed before it was acknowledged.
        assert len(ready - deleted - there.keys()) <= 1
        ready &= there.keys() | deleted
        assert all(there[document].status == "ready" for document in ready - deleted)
        half = [document for document in there.values() if document.status != "ready"]
        assert len(half) <= 5
        assert Jobs(database).waiting() == len(half)
        Messages(database).interrupt_running()
        for message, length in said.items():
            kept = Messages(database).get(user, message)
            assert kept.state == "interrupted"
            assert len(kept.text) >= length
        assert Search(database).full_text(user, "rent deposit", 5)
        database.close()


def _run_until_killed(path: Path, lines: int) -> list[str]:
    """Let the writer acknowledge this many lines, kill it, and return all that it acknowledged."""
    writer = subprocess.Popen(
        [sys.executable, str(_WRITER), str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(_ROOT)},
    )
    with writer:
        found = [writer.stdout.readline() for _ in range(lines)]
        writer.kill()
        found += writer.stdout.read().splitlines()
    assert writer.returncode == -9
    return [line for line in found if line.strip()]
