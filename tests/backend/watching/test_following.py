"""A followed folder and the library are the same, whatever happens in it. Real files, the real system."""

import asyncio
import errno
import os
import shutil
import time

import pytest

from app.backend.documents import files
from app.backend.watching import follower as follower_module
from app.backend.watching import observing
from app.backend.watching.follower import Pace
from app.database.agreement import disagreements
from app.database.places import Places
from app.errors import FolderMissingError, InvalidRequestError, NotFoundError
from app.events import DocumentRemoved, FolderChanged, FolderRemoved

PATIENCE = 60.0
QUICK = Pace(quiet=0.05, longest=0.5, still=0.15, poll=0.3, verify=900.0, look=0.2, grace=0.4)
PATIENT = Pace(quiet=0.05, longest=0.5, still=0.15, poll=0.3, verify=900.0, look=0.2, grace=600.0)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "papers"
    path.mkdir()
    return path


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class Following:
    """A library that follows a folder, and what is expected of it."""

    def __init__(self, library):
        self.library = library

    async def follow(self, folder, **patterns):
        followed = await self.library.watching.add(self.library.user, str(folder), **patterns)
        await self.until(lambda: self.folder(followed.id).scanned_at is not None)
        return followed

    def folder(self, folder_id):
        return self.library.watching._watched.get(self.library.user, folder_id)

    def documents(self):
        return {document.path: document for document in self.library.documents.list(self.library.user)}

    def named(self, *names):
        """Whether these are the names of all documents, and every one is read."""
        found = self.documents().values()
        return sorted(document.name for document in found) == sorted(names) and all(
            document.status in ("ready", "failed") for document in found
        )

    def texts(self):
        rows = self.library.database.read(lambda db: list(db.execute("SELECT text FROM passages")))
        return sorted(row[0] for row in rows)

    async def until(self, wanted):
        """Wait for a state of the library; looked at again whenever the feed says that something changed."""
        async with asyncio.timeout(PATIENCE), self.library.feed.subscribe() as events:
            event = asyncio.ensure_future(anext(events))
            while not await asyncio.to_thread(wanted):
                await asyncio.wait([event], timeout=0.2)
                if event.done():
                    event = asyncio.ensure_future(anext(events))
            event.cancel()
            await asyncio.wait([event])


def following(open_library, work, pace=QUICK, **options):
    async def main() -> None:
        async with open_library(following=pace, **options) as library:
            await work(Following(library))
            assert disagreements(library.database) == ()

    asyncio.run(main())


def test_a_followed_folder_is_taken_in_and_what_comes_is_read(open_library, folder):
    write(folder / "a.txt", "One")
    write(folder / "deep" / "b.md", "Two")

    async def work(here):
        followed = await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "b.md"))
        write(folder / "c.txt", "Three")
        write(folder / "new" / "very" / "deep" / "d.txt", "Four")
        await here.until(lambda: here.named("a.txt", "b.md", "c.txt", "d.txt"))
        await here.until(lambda: here.folder(followed.id).documents == 4)

        assert here.folder(followed.id).state == "watching"
        assert here.folder(followed.id).problem is None

    following(open_library, work)


def test_an_edited_file_stays_its_document_and_is_read_again(open_library, folder):
    path = write(folder / "a.txt", "The deposit is two rents.")

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt"))
        before = here.documents()[str(path)]
        path.write_text("The deposit is three rents.")
        await here.until(lambda: here.texts() == ["The deposit is three rents."])

        assert here.documents()[str(path)].id == before.id

    following(open_library, work)


def test_an_editor_that_writes_beside_and_renames_over_keeps_the_document(open_library, folder):
    path = write(folder / "a.txt", "First edition")

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt"))
        before = here.documents()[str(path)]
        for edition in ("Second edition", "Third edition"):
            lock = write(folder / "~$a.txt", "somebody edits")
            beside = write(folder / "a.txt.tmp", edition)
            beside.replace(path)
            lock.unlink()
            await here.until(lambda edition=edition: here.texts() == [edition])

        assert here.documents()[str(path)].id == before.id
        assert len(here.documents()) == 1

    following(open_library, work)


def test_an_editor_that_moves_the_old_file_aside_keeps_the_document(open_library, folder):
    path = write(folder / "a.txt", "First edition")

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt"))
        before = here.documents()[str(path)]
        path.rename(folder / "a.txt~")
        write(path, "Second edition")
        (folder / "a.txt~").unlink()
        await here.until(lambda: here.texts() == ["Second edition"])

        assert here.documents()[str(path)].id == before.id

    following(open_library, work)


def test_a_renamed_file_and_a_moved_folder_take_their_documents_along_unread(open_library, folder):
    path = write(folder / "a.txt", "One")
    write(folder / "inner" / "b.txt", "Two")
    an_hour_ago(folder)

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "b.txt"))
        before = {document.content_hash: document.id for document in here.documents().values()}
        count = len(here.library.embedder.batches)
        path.rename(folder / "renamed.txt")
        (folder / "inner").rename(folder / "moved")
        wanted = {str(folder / "renamed.txt"), str(folder / "moved" / "b.txt")}
        await here.until(lambda: set(here.documents()) == wanted)
        after = here.documents().values()

        assert {document.content_hash: document.id for document in after} == before
        assert {document.name for document in after} == {"renamed.txt", "b.txt"}
        assert not any(document.missing for document in after)
        assert len(here.library.embedder.batches) == count

    following(open_library, work, PATIENT)


def test_a_copy_costs_no_reading(open_library, folder):
    path = write(folder / "a.txt", "One")

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt"))
        shutil.copy(path, folder / "copy.txt")
        places = Places(here.library.database)
        await here.until(lambda: len(places.under(here.library.user, folder)) == 2)

        assert len(here.documents()) == 1
        assert len(here.library.embedder.batches) == 1
        path.unlink()
        await here.until(lambda: here.named("copy.txt"))

    following(open_library, work)


def test_a_deleted_file_is_missing_first_and_goes_after_a_while(open_library, folder):
    write(folder / "a.txt", "One")
    write(folder / "b.txt", "Two")

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "b.txt"))
        async with here.library.feed.subscribe() as events:
            (folder / "a.txt").unlink()
            told = []
            async with asyncio.timeout(PATIENCE):
                async for event in events:
                    told.append(event)
                    if isinstance(event, DocumentRemoved):
                        break

        changed = [event.document for event in told if hasattr(event, "document")]
        assert [(document.name, document.missing) for document in changed] == [("a.txt", True)]
        assert here.named("b.txt")

    following(open_library, work)


def test_a_file_that_comes_back_in_time_was_never_away(open_library, folder):
    path = write(folder / "a.txt", "One")
    an_hour_ago(folder)

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt"))
        before = here.documents()[str(path)]
        path.rename(folder.parent / "a.txt")
        await here.until(lambda: here.documents()[str(path)].missing)
        (folder.parent / "a.txt").rename(path)
        await here.until(lambda: not here.documents()[str(path)].missing)

        assert here.documents()[str(path)].id == before.id
        assert len(here.library.embedder.batches) == 1

    following(open_library, work, PATIENT)


def test_a_file_that_is_being_written_is_taken_when_it_stands_still(open_library, folder, monkeypatch):
    looked = []
    look = files.look
    monkeypatch.setattr(files, "look", lambda path: looked.append(path.stat().st_size) or look(path))

    async def work(here):
        await here.follow(folder)
        path = folder / "slow.txt"
        with path.open("w") as file:
            for _ in range(12):
                file.write("A line of a file that takes its time.\n")
                file.flush()
                await asyncio.sleep(0.05)  # the writer's own pace
        await here.until(lambda: here.named("slow.txt"))

        assert set(looked) == {path.stat().st_size}

    following(open_library, work, Pace(quiet=0.05, longest=0.2, still=1.0, look=0.2))


def test_what_changed_while_closed_is_found_at_the_start(open_library, folder):
    for name in ("kept", "edited", "deleted", "moved"):
        write(folder / f"{name}.txt", f"The {name} one")

    async def before(here):
        await here.follow(folder)
        await here.until(lambda: here.named("kept.txt", "edited.txt", "deleted.txt", "moved.txt"))

    async def after(here):
        texts = ["The edited one, edited", "The kept one", "The moved one", "The new one"]
        await here.until(lambda: here.texts() == texts)
        assert sorted(here.documents()) == [
            str(folder / name) for name in ("edited.txt", "kept.txt", "new.txt", "there/moved.txt")
        ]

    following(open_library, before)
    (folder / "edited.txt").write_text("The edited one, edited")
    (folder / "deleted.txt").unlink()
    (folder / "there").mkdir()
    (folder / "moved.txt").rename(folder / "there" / "moved.txt")
    write(folder / "new.txt", "The new one")
    following(open_library, after)


def test_nothing_is_opened_at_a_start_where_nothing_changed(open_library, folder, monkeypatch):
    for number in range(20):
        write(folder / f"{number}.txt", f"Number {number}")
    an_hour_ago(folder)

    async def before(here):
        await here.follow(folder)
        await here.until(lambda: len(here.texts()) == 20)

    async def after(here):
        (followed,) = await here.library.watching.list(here.library.user)
        since = followed.scanned_at
        await here.until(lambda: here.folder(followed.id).scanned_at > since)

    following(open_library, before)
    monkeypatch.setattr(files, "look", lambda path: pytest.fail(f"{path} was opened"))
    following(open_library, after)


def test_a_folder_that_is_away_keeps_its_documents_and_is_not_read_again(open_library, folder):
    write(folder / "a.txt", "One")
    write(folder / "b.txt", "Two")
    an_hour_ago(folder)
    aside = folder.parent / "unplugged"

    async def work(here):
        followed = await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "b.txt"))
        before = here.documents()
        folder.rename(aside)
        await here.until(lambda: here.folder(followed.id).state == "missing")
        await here.until(lambda: all(document.missing for document in here.documents().values()))
        assert here.folder(followed.id).problem.code == "folder_missing"
        assert set(here.documents()) == set(before)
        assert here.texts() == ["One", "Two"]
        await asyncio.sleep(2 * QUICK.grace)  # longer than a deleted file would be kept

        aside.rename(folder)
        await here.until(lambda: here.folder(followed.id).state == "watching")
        await here.until(lambda: here.documents() == before)
        write(folder / "c.txt", "Three")
        await here.until(lambda: here.named("a.txt", "b.txt", "c.txt"))
        assert len(here.library.embedder.batches) == 3

    following(open_library, work)


def test_an_empty_folder_where_a_disk_was_mounted_deletes_nothing(open_library, folder):
    write(folder / "a.txt", "One")

    async def work(here):
        followed = await here.follow(folder)
        await here.until(lambda: here.named("a.txt"))
        folder.rename(folder.parent / "disk")
        folder.mkdir()  # as the place where it was mounted
        await here.until(lambda: here.folder(followed.id).state == "missing")
        await asyncio.sleep(3 * QUICK.grace)
        assert here.named("a.txt")
        assert here.documents()[str(folder / "a.txt")].missing

        folder.rmdir()
        (folder.parent / "disk").rename(folder)
        await here.until(lambda: here.folder(followed.id).state == "watching")
        await here.until(lambda: not here.documents()[str(folder / "a.txt")].missing)

    following(open_library, work)


def test_another_disk_at_the_same_place_deletes_nothing_of_the_first(open_library, folder):
    for name in ("a.txt", "b.txt"):
        write(folder / name, f"First disk, {name}")
    first, second = folder.parent / "first disk", folder.parent / "second disk"
    write(second / "c.txt", "Second disk")

    async def work(here):
        followed = await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "b.txt"))
        folder.rename(first)
        second.rename(folder)
        await here.until(lambda: here.named("a.txt", "b.txt", "c.txt"))
        await asyncio.sleep(4 * QUICK.grace)
        assert here.named("a.txt", "b.txt", "c.txt")

        (first / "b.txt").unlink()  # on another computer, say
        folder.rename(second)
        first.rename(folder)
        await here.until(lambda: not here.documents()[str(folder / "a.txt")].missing)
        await here.until(lambda: here.named("a.txt", "c.txt"))
        assert here.documents()[str(folder / "c.txt")].missing
        assert here.folder(followed.id).state == "watching"

    following(open_library, work)


def test_files_deleted_one_after_the_other_go_each_in_its_time_and_also_the_last(open_library, folder):
    for name in ("a.txt", "b.txt"):
        write(folder / name, name)

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "b.txt"))
        for name in ("a.txt", "b.txt"):
            (folder / name).unlink()
            await here.until(lambda name=name: here.documents()[str(folder / name)].missing)
        await here.until(lambda: here.documents() == {})

    following(open_library, work, Pace(quiet=0.05, longest=0.5, still=0.15, look=0.2, grace=2.0))


def test_where_the_system_watches_no_more_folders_it_is_said_and_polled(open_library, folder, monkeypatch):
    def full(self, folder, changed):
        raise observing.LimitReachedError

    monkeypatch.setattr(observing.Observers, "watch", full)
    write(folder / "a.txt", "One")

    async def work(here):
        followed = await here.follow(folder)
        await here.until(lambda: here.folder(followed.id).state == "polling")
        assert here.folder(followed.id).problem.code == "watch_limit"
        write(folder / "b.txt", "Two")
        await here.until(lambda: here.named("a.txt", "b.txt"))

        monkeypatch.undo()
        await here.until(lambda: here.folder(followed.id).state == "watching")
        assert here.folder(followed.id).problem is None

    following(open_library, work)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EMFILE])
def test_a_limit_of_the_system_is_known_by_its_number(folder, monkeypatch, number):
    def full(self, *given, **named):
        raise OSError(number, "inotify watch limit reached")

    monkeypatch.setattr("watchdog.observers.api.BaseObserver.schedule", full)
    observers = observing.Observers()

    with pytest.raises(observing.LimitReachedError):
        observers.watch(folder, lambda path, is_folder: None)
    observers.close()


def test_a_limit_that_is_met_on_the_way_down_counts_too(folder, monkeypatch):
    monkeypatch.setattr(observing, "can_watch_more", lambda: False)
    observers = observing.Observers()

    with pytest.raises(observing.LimitReachedError):
        observers.watch(folder, lambda path, is_folder: None)
    observers.close()


def test_a_folder_on_another_computer_is_polled(open_library, folder, monkeypatch):
    monkeypatch.setattr(follower_module, "is_remote", lambda path: True)
    write(folder / "a.txt", "One")

    async def work(here):
        followed = await here.follow(folder)
        await here.until(lambda: here.named("a.txt"))
        write(folder / "b.txt", "Two")
        await here.until(lambda: here.named("a.txt", "b.txt"))

        assert here.folder(followed.id).state == "polling"
        assert here.folder(followed.id).problem.code == "folder_remote"

    following(open_library, work)


def test_only_what_is_included_and_not_excluded_is_taken(open_library, folder):
    for name in ("a.txt", "a.md", "drafts/b.txt", "c.py", ".hidden/d.txt", "node_modules/e.txt"):
        write(folder / name, name)

    async def work(here):
        await here.follow(folder, include=["*.txt", "*.py"], exclude=["drafts/"])
        await here.until(lambda: here.named("a.txt", "c.py"))
        write(folder / "f.py", "later")
        write(folder / "drafts" / "g.txt", "later, too")
        await here.until(lambda: here.named("a.txt", "c.py", "f.py"))

        # Followed again with other patterns: these hold from now on, and nothing is lost.
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "c.py", "f.py", "a.md", "b.txt", "g.txt"))
        assert len(await here.library.watching.list(here.library.user)) == 1

    following(open_library, work)


def test_files_that_are_refused_are_named(open_library, folder):
    write(folder / "good.txt", "Good")
    (folder / "odd.txt").write_bytes(b"\x7fELF" + bytes(range(32)) * 8)

    async def work(here):
        followed = await here.follow(folder)
        await here.until(lambda: here.named("good.txt"))
        found = here.folder(followed.id)

        assert found.refused_count == 1
        assert [(addition.name, addition.problem.code) for addition in found.refused] == [
            ("odd.txt", "unsupported_type")
        ]
        write(folder / "odd.txt", "Mended")
        await here.until(lambda: here.named("good.txt", "odd.txt"))
        await here.until(lambda: here.folder(followed.id).refused_count == 0)

    following(open_library, work)


def test_a_document_that_the_user_removed_stays_away_until_the_folder_is_added_again(open_library, folder):
    path = write(folder / "a.txt", "One")
    write(folder / "b.txt", "Two")

    async def work(here):
        await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "b.txt"))
        await here.library.service.delete(here.library.user, here.documents()[str(path)].id)
        path.write_text("One, edited")
        write(folder / "c.txt", "Three")
        await here.until(lambda: here.named("b.txt", "c.txt"))

        await here.follow(folder)
        await here.until(lambda: here.named("a.txt", "b.txt", "c.txt"))

    following(open_library, work)


def test_a_file_that_the_user_added_himself_is_kept_when_it_is_deleted(open_library, folder):
    write(folder / "followed.txt", "One")
    mine = write(folder / "mine.txt", "Two")

    async def work(here):
        await here.library.service.add_paths(here.library.user, [mine])
        await here.follow(folder)
        await here.until(lambda: here.named("followed.txt", "mine.txt"))
        (folder / "followed.txt").unlink()
        mine.unlink()
        await here.until(lambda: here.named("mine.txt"))

        assert here.documents()[str(mine)].missing
        assert here.texts() == ["Two"]

    following(open_library, work)


def test_files_in_no_followed_folder_are_looked_at_at_the_start(open_library, tmp_path):
    edited, gone = write(tmp_path / "edited.txt", "One"), write(tmp_path / "gone.txt", "Two")
    an_hour_ago(tmp_path)

    async def before(here):
        await here.library.service.add_paths(here.library.user, [edited, gone])
        await here.until(lambda: here.named("edited.txt", "gone.txt"))

    async def after(here):
        await here.until(lambda: here.texts() == ["One, edited", "Two"])
        await here.until(lambda: here.documents()[str(gone)].missing)

    following(open_library, before)
    edited.write_text("One, edited")
    gone.unlink()
    following(open_library, after)


def test_a_folder_that_is_followed_no_more_keeps_its_documents_or_not(open_library, folder, tmp_path):
    write(folder / "a.txt", "One")
    mine = write(folder / "mine.txt", "Two")
    other = tmp_path / "other"
    write(other / "c.txt", "Three")

    async def work(here):
        watching, user = here.library.watching, here.library.user
        await here.library.service.add_paths(user, [mine])
        first, second = await here.follow(folder), await here.follow(other)
        await here.until(lambda: here.named("a.txt", "mine.txt", "c.txt"))

        async with here.library.feed.subscribe() as events:
            await watching.remove(user, second.id)
            assert await anext(events) == FolderRemoved(second.id)
        assert here.named("a.txt", "mine.txt", "c.txt")
        await watching.remove(user, first.id, documents=True)
        assert here.named("mine.txt", "c.txt")
        assert await watching.list(user) == ()
        with pytest.raises(NotFoundError):
            await watching.remove(user, first.id)

        write(folder / "d.txt", "Four")
        write(other / "e.txt", "Five")
        await asyncio.sleep(5 * QUICK.look)
        assert here.named("mine.txt", "c.txt")

    following(open_library, work)


def test_what_cannot_be_followed_is_refused_with_a_reason(open_library, folder, profile):
    file = write(folder / "a.txt", "One")

    async def work(here):
        watching, user = here.library.watching, here.library.user
        for path, error in (
            ("papers", InvalidRequestError),
            (file, InvalidRequestError),
            (folder / "nowhere", FolderMissingError),
            (profile.root, InvalidRequestError),
            (profile.uploads, InvalidRequestError),
            (f"{folder}/nul\0", FolderMissingError),
            ("/", InvalidRequestError),
        ):
            with pytest.raises(error):
                await watching.add(user, str(path))
        with pytest.raises(InvalidRequestError):
            await watching.add(user, str(folder), exclude=["!a"])
        assert await watching.list(user) == ()

    following(open_library, work)


def test_what_is_ours_is_passed_over_in_a_folder_that_holds_it(open_library, profile):
    """Else every line of our log would be a change that is read, and logged."""
    above = profile.root.parent
    write(above / "a.txt", "One")
    log = write(profile.root / "logs" / "carrel.log", "A line.")

    async def work(here):
        await here.follow(above)
        await here.until(lambda: here.named("a.txt"))
        log.write_text("Another line.")
        write(above / "b.txt", "Two")
        await here.until(lambda: here.named("a.txt", "b.txt"))

    following(open_library, work)


def test_a_folder_behind_a_link_is_followed_under_the_name_it_was_given(open_library, folder, tmp_path):
    write(folder / "a.txt", "One")
    link = tmp_path / "link"
    link.symlink_to(folder)

    async def work(here):
        await here.follow(link)
        await here.until(lambda: here.named("a.txt"))
        write(folder / "deep" / "b.txt", "Two")
        await here.until(lambda: here.named("a.txt", "b.txt"))

        assert sorted(here.documents()) == [str(link / "a.txt"), str(link / "deep" / "b.txt")]

    following(open_library, work)


def test_names_that_are_not_utf8_are_followed_byte_for_byte(open_library, folder):
    name = os.fsdecode(b"\xe4rger.txt")

    async def work(here):
        await here.follow(folder)
        path = write(folder / name, "One")
        await here.until(lambda: here.texts() == ["One"])
        path.write_text("Two")
        await here.until(lambda: here.texts() == ["Two"])
        path.rename(folder / "plain.txt")
        await here.until(lambda: here.named("plain.txt"))

        assert len(here.documents()) == 1

    following(open_library, work)


def test_a_folder_says_when_it_was_looked_through(open_library, folder):
    write(folder / "a.txt", "One")

    async def work(here):
        async with here.library.feed.subscribe() as events:
            followed = await here.library.watching.add(here.library.user, str(folder))
            assert (followed.scanned_at, followed.documents) == (None, 0)
            async with asyncio.timeout(PATIENCE):
                async for event in events:
                    if isinstance(event, FolderChanged) and event.folder.scanned_at is not None:
                        break

        assert (event.folder.documents, event.folder.state) == (1, "watching")

    following(open_library, work)


def an_hour_ago(folder):
    """The files of a folder are of before, so that nobody can be writing them."""
    for path in folder.rglob("*"):
        if path.is_file():
            os.utime(path, (time.time() - 3_600,) * 2)
