"""However many changes come at once, the library ends as a fresh look at the folder would have it."""

import asyncio
import hashlib
import random
import shutil
import threading
import time

import pytest

from app.backend.watching.follower import Pace
from app.database.agreement import disagreements
from app.database.places import Places

PACE = Pace(quiet=0.1, longest=1.0, still=0.3, poll=1.0, verify=900.0, look=0.5, grace=1.0)
NAMES = [f"{folder}{number}.txt" for folder in ("", "a/", "b/", "b/c/") for number in range(15)]


class Upheaval:
    """Changes files and folders at random, as people and programs do. Repeatable by its seed."""

    def __init__(self, folder, seed):
        self._folder = folder
        self._random = random.Random(seed)
        self._edition = 0

    def change(self):
        path = self._folder / self._random.choice(NAMES)
        path.parent.mkdir(parents=True, exist_ok=True)
        kinds = (
            self._write,
            self._edit,
            self._save_over,
            self._move,
            self._copy,
            self._delete,
            self._folders,
        )
        self._random.choices(kinds, weights=(4, 3, 3, 3, 1, 3, 0.3))[0](path)

    def _text(self):
        self._edition += 1
        return f"Edition {self._random.choice((self._edition, self._edition % 40))} of this text."

    def _write(self, path):
        path.write_text(self._text())

    def _edit(self, path):
        with path.open("a") as file:
            file.write(f" And {self._edition}.")

    def _save_over(self, path):
        beside = path.with_name(f".{path.name}.tmp")
        beside.write_text(self._text())
        beside.replace(path)

    def _move(self, path):
        if path.exists():
            target = self._folder / self._random.choice(NAMES)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)

    def _copy(self, path):
        target = self._folder / self._random.choice(NAMES)
        if path.exists() and target != path:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)

    def _delete(self, path):
        path.unlink(missing_ok=True)

    def _folders(self, path):
        folder = self._folder / self._random.choice(("a", "b", "b/c"))
        aside = self._folder / "aside"
        if not folder.exists():
            return
        if self._random.random() < 0.5 and not aside.exists():
            folder.rename(aside)
        else:
            shutil.rmtree(self._random.choice((folder, aside)), ignore_errors=True)


def on_disk(folder):
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.txt")
        if not path.name.startswith(".")
    }


def in_library(library, folder):
    """Where the library has which content; None while anything is still under way."""
    documents = {document.id: document for document in library.documents.list(library.user)}
    if any(document.status != "ready" or document.missing for document in documents.values()):
        return None
    places = Places(library.database).under(library.user, folder)
    if {place.document_id for place in places} != set(documents):
        return None
    return {place.path: documents[place.document_id].content_hash for place in places}


async def until_the_same(library, folder, patience):
    async with asyncio.timeout(patience), library.feed.subscribe() as events:
        event = asyncio.ensure_future(anext(events))
        while await asyncio.to_thread(in_library, library, folder) != await asyncio.to_thread(
            on_disk, folder
        ):
            await asyncio.wait([event], timeout=0.5)
            if event.done():
                event = asyncio.ensure_future(anext(events))
        event.cancel()
        await asyncio.wait([event])


def upheaval(open_library, folder, *, changes, seconds, patience, seed=1):
    folder.mkdir()
    mess = Upheaval(folder, seed)

    def all_of_it():
        began = time.monotonic()
        for number in range(changes):
            mess.change()
            ahead = seconds * number / changes - (time.monotonic() - began)
            if ahead > 0:
                threading.Event().wait(ahead)

    async def main() -> None:
        async with open_library(following=PACE, lanes=2) as library:
            await library.watching.add(library.user, str(folder))
            await asyncio.to_thread(all_of_it)
            await until_the_same(library, folder, patience)

            texts = library.database.read(lambda db: [row[0] for row in db.execute("SELECT text FROM pages")])
            assert sorted(texts) == sorted({path.read_text() for path in folder.rglob("*.txt")})
            assert disagreements(library.database) == ()
            (followed,) = await library.watching.list(library.user)
            assert followed.documents == len(texts)

    asyncio.run(main())


@pytest.mark.parametrize("seed", [1, 2])
def test_three_hundred_changes_in_two_seconds_end_as_the_folder_is(open_library, tmp_path, seed):
    upheaval(open_library, tmp_path / "papers", changes=300, seconds=2.0, patience=120, seed=seed)


@pytest.mark.long
def test_ten_thousand_changes_in_a_minute_end_as_the_folder_is(open_library, tmp_path):
    upheaval(open_library, tmp_path / "papers", changes=10_000, seconds=60.0, patience=600)
