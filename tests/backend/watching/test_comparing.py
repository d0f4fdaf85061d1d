"""What is different between a folder and what is known of it: real files, no library."""

import os
import time

import pytest

from app.backend.documents import folders
from app.backend.documents.folders import Found, Listing, listing
from app.backend.documents.patterns import Patterns
from app.backend.watching.comparing import Stillness, compare
from app.database.places import Place, Stamp

AGO = time.time() - 3_600
PATTERNS = Patterns()


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "papers"
    path.mkdir()
    return path


def write(path, text="One"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (AGO, AGO))
    return path


def place_of(path, **changed):
    """The place of a file as it is now, looked at a while after it was written."""
    stamp = Stamp.of(path.stat()) if path.exists() else Stamp(1, 1, 1)
    given = {"document_id": "d", "by_hand": False, "mounted": False, "missing_since": None, "problem": None}
    return Place(id=1, path=str(path), stamp=stamp, looked_at=AGO + 60, **(given | changed))


def difference(folder, *places, still=0.0, grace=600.0):
    return compare(folder, listing(folder, PATTERNS), places, Stillness(still), grace=grace)


def test_a_file_that_was_not_touched_is_no_difference(folder):
    path = write(folder / "a.txt")

    found = difference(folder, place_of(path))

    assert not found.any
    assert found.known


def test_new_and_edited_files_are_fresh(folder):
    edited = write(folder / "edited.txt")
    place = place_of(edited)
    write(edited, "Two, longer")
    new = write(folder / "new.txt")

    assert [found.path for found in difference(folder, place).fresh] == [str(edited), str(new)]


def test_a_file_waits_until_it_stood_still(folder):
    path = write(folder / "a.txt")
    stillness = Stillness(60.0)

    # Its name has just come to be, whatever its own time says.
    first = compare(folder, listing(folder, PATTERNS), [], stillness, grace=600.0)

    assert [found.path for found in first.unsettled] == [str(path)]
    assert first.fresh == []


def test_a_disk_with_another_clock_does_not_keep_a_file_waiting_for_ever():
    stillness = Stillness(0.02)
    ahead = Found("/a.txt", Stamp(1, 2, 3), time.time() + 86_400)

    assert not stillness.of(ahead)
    end = time.monotonic() + 0.03
    while time.monotonic() < end:
        pass
    assert not stillness.of(Found("/a.txt", Stamp(9, 9, 3), time.time() + 86_400))  # written to meanwhile
    end = time.monotonic() + 0.03
    while time.monotonic() < end:
        pass
    assert stillness.of(Found("/a.txt", Stamp(9, 9, 3), time.time() + 86_400))


def test_a_file_that_is_gone_is_missing_and_expires(folder):
    path = folder / "gone.txt"
    lately, long_ago = time.time() - 60, time.time() - 601

    assert len(difference(folder, place_of(path)).gone) == 1
    assert not difference(folder, place_of(path, missing_since=lately)).any
    assert len(difference(folder, place_of(path, missing_since=long_ago)).expired) == 1


def test_a_file_of_a_disk_that_is_away_does_not_expire(folder):
    """Its folder lies on the followed folder's own disk by now: that is where the other was mounted."""
    mounted = folder / "stick"
    mounted.mkdir()
    place = place_of(mounted / "a.txt", mounted=True, missing_since=AGO)

    assert not difference(folder, place).any


def test_a_file_that_went_with_all_others_does_not_expire(folder):
    place = place_of(folder / "a.txt", away=True, missing_since=AGO)

    found = difference(folder, place)

    assert found.away == [place]
    assert not found.any


def test_a_file_of_the_same_name_is_not_the_one_that_was_there(folder):
    path = write(folder / "readme.txt")
    place = place_of(path)
    path.unlink()
    write(path, "Another disk's")

    assert not difference(folder, place).known


def test_what_cannot_be_looked_into_is_as_it_was(folder, monkeypatch):
    path = write(folder / "closed" / "a.txt")
    place = place_of(path)
    scandir = os.scandir

    def refuses(where):
        if str(where).endswith("closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(where)

    monkeypatch.setattr(folders.os, "scandir", refuses)
    path.unlink()

    assert listing(folder, PATTERNS).closed == [str(path.parent)]
    assert not difference(folder, place).any


def test_a_file_that_was_removed_from_the_library_stays_away_when_it_is_edited(folder):
    path = write(folder / "a.txt")
    place = place_of(path, document_id=None)
    write(path, "Two, longer")

    assert not difference(folder, place).any


def test_a_file_that_no_pattern_takes_is_followed_if_the_user_added_it(folder):
    path = write(folder / "program.py")
    place = place_of(path, by_hand=True)
    assert not difference(folder, place).any

    write(path, "Two, longer")

    assert [found.path for found in difference(folder, place).fresh] == [str(path)]


def test_a_link_that_the_user_added_is_not_gone(folder, tmp_path):
    link = folder / "link.txt"
    link.symlink_to(write(tmp_path / "elsewhere.txt"))

    assert not difference(folder, place_of(link, by_hand=True)).any


def test_a_file_that_could_not_be_read_when_it_was_away_is_back(folder):
    path = write(folder / "a.txt")

    assert len(difference(folder, place_of(path, unread=True)).back) == 1


def test_a_part_of_a_folder_is_listed_by_the_patterns_of_all_of_it(folder):
    for name in ("a.txt", "deep/b.txt", "deep/er/c.txt", "drafts/d.txt"):
        write(folder / name)
    patterns = Patterns((), ("/drafts/", "/deep/er/"))

    def names(**part):
        return [found.path.rpartition("/")[2] for found in listing(folder, patterns, **part).files]

    assert names() == ["a.txt", "b.txt"]
    assert names(deep=False) == ["a.txt"]
    assert names(within=folder / "deep") == ["b.txt"]
    assert names(within=folder / "deep" / "er") == []
    assert names(within=folder / "drafts") == []


@pytest.fixture
def abyss(folder):
    """Folders in folders, more of them than Python's own walks can come down."""
    here = os.open(folder, os.O_RDONLY)
    for step in ("d",) * 1_500:
        os.mkdir(step, dir_fd=here)
        below = os.open(step, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    yield folder
    for step in ("d",) * 1_500:
        above = os.open("..", os.O_RDONLY, dir_fd=here)
        os.close(here)
        os.rmdir(step, dir_fd=above)
        here = above
    os.close(here)


def test_a_folder_deeper_than_python_may_recurse_is_listed(abyss):
    write(abyss / "a.txt")

    assert [found.path for found in listing(abyss, PATTERNS).files] == [str(abyss / "a.txt")]


def test_an_empty_listing_says_nothing(folder):
    assert not compare(folder, Listing(), [], Stillness(0.0), grace=0.0).any
