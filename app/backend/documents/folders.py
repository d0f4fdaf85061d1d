"""The files of a folder as they are now: listed with what tells that they were not touched."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from app.backend.documents.files import refusal
from app.backend.documents.patterns import Patterns
from app.database.places import Place, Stamp

# A file that was opened within this time of its last change may have changed again in the same tick
# of its disk's clock (2 s on FAT). Seconds.
_TICK_S = 2.0


@dataclass(frozen=True, slots=True)
class Found:
    """A file that is there. `changed_at`: when it or its name last changed, in seconds since the epoch.

    `mounted`: it lies on another disk than the folder that was listed.
    """

    path: str
    stamp: Stamp
    changed_at: float
    mounted: bool = False


@dataclass(slots=True)
class Listing:
    """The files that are taken, by name, and what could not be looked at (folders, and files)."""

    files: list[Found] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)


def listing(folder: Path, patterns: Patterns, *, within: Path | None = None, deep: bool = True) -> Listing:
    """List a folder with those below it, or one that lies `within` it.

    Links are not followed: they could lead out of the folder, or round in it.

    Args:
        within: the folder to list; the patterns begin at `folder` all the same.
        deep: with the folders below.

    Raises:
        FileMissingError, FileUnreadableError: the folder itself cannot be listed.
    """
    start = within or folder
    try:
        disk = folder.stat().st_dev
        os.scandir(start).close()
    except (OSError, ValueError) as error:
        raise refusal(error) from None
    names = start.relative_to(folder).parts
    return _list(os.fspath(start), names, patterns, disk, deep=deep) if patterns.reaches(names) else Listing()


def untouched(place: Place, found: Found) -> bool:
    """Whether the file at a place is surely the one that was opened there."""
    if place.stamp != found.stamp:
        return False
    return abs(place.looked_at - found.stamp.mtime_ns / 1e9) >= _TICK_S


def _list(folder: str, names: tuple[str, ...], patterns: Patterns, disk: int, *, deep: bool) -> Listing:
    found = Listing()
    waiting = [(folder, names)]
    while waiting:
        place, names = waiting.pop()
        below = []
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except FileNotFoundError:
            continue
        except OSError:
            found.closed.append(place)
            continue
        for entry in listed:
            path = (*names, entry.name)
            try:
                if entry.is_dir(follow_symlinks=False):
                    if deep and patterns.enters(path):
                        below.append((entry.path, path))
                elif entry.is_file(follow_symlinks=False) and patterns.takes(path):
                    found.files.extend(_look(entry, disk))
            except FileNotFoundError:
                continue
            except OSError:
                found.closed.append(entry.path)
        waiting += reversed(below)
    return found


def _look(entry: os.DirEntry[str], disk: int) -> Iterator[Found]:
    looked = entry.stat(follow_symlinks=False)
    if not looked.st_ino:  # Windows tells it only for the asking
        looked = Path(entry.path).lstat()
    if stat.S_ISREG(looked.st_mode):
        changed_at = max(looked.st_mtime, looked.st_ctime)
        yield Found(entry.path, Stamp.of(looked), changed_at, looked.st_dev != disk)
