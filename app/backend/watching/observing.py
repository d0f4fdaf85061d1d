"""What the system tells of changes in folders, through watchdog; and where it does not tell."""

import errno
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

if sys.platform.startswith("linux"):
    from watchdog.observers.inotify_c import InotifyConstants, inotify_add_watch, inotify_init

# Called on the observer's thread with a path that changed, and whether that is a folder with all in it.
Changed = Callable[[str, bool], None]

# Opening and closing are left out: our own looks must not be changes.
_EVENTS: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
_LIMITS = (errno.ENOSPC, errno.EMFILE, errno.ENFILE)
_REMOTE = frozenset(
    ("nfs", "nfs4", "cifs", "smb", "smb2", "smb3", "smbfs", "afpfs", "webdav", "davfs", "9p", "ncpfs", "afs",
     "ceph", "glusterfs", "lustre", "vboxsf", "vmhgfs", "prl_fs", "fuse.sshfs", "fuse.rclone", "fuse.davfs2")
)  # fmt: skip


class LimitReachedError(Exception):
    """The system watches no more folders (for this user)."""


class Observers:
    """Watches folders with all below them. Thread-safe; `watch` and `unwatch` block for large ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._observer: BaseObserver | None = None

    def watch(self, folder: Path, changed: Changed) -> ObservedWatch:
        """Be told of every change in a folder from now on.

        Raises:
            LimitReachedError: not all of it can be watched; then nothing is.
            OSError: it is not there, or may not be watched.
        """
        # A link is not followed on the way down, but the folder itself may be one.
        real = os.path.realpath(folder)
        handler = _Handler(real, os.fspath(folder), changed)
        try:
            with self._lock:
                if self._observer is None:
                    observer = Observer()
                    observer.start()
                    self._observer = observer
                observer = self._observer
            watch = observer.schedule(handler, real, recursive=True, event_filter=_EVENTS)
        except OSError as error:
            if error.errno in _LIMITS:
                raise LimitReachedError from None
            raise
        # A limit that is met on the way down is passed over in silence, so it is asked for.
        if not can_watch_more():
            self.unwatch(watch)
            raise LimitReachedError
        return watch

    def unwatch(self, watch: ObservedWatch) -> None:
        """Be told no more. Idempotent."""
        with self._lock:
            observer = self._observer
        if observer is not None:
            try:
                observer.unschedule(watch)
            except KeyError:
                return

    def close(self) -> None:
        """Watch nothing any more. Idempotent."""
        with self._lock:
            observer, self._observer = self._observer, None
        if observer is not None:
            observer.stop()
            observer.join()


def can_watch_more() -> bool:
    """Whether the system would watch one folder more for this user."""
    if not sys.platform.startswith("linux"):
        return True
    queue = inotify_init()
    if queue < 0:
        return False
    try:
        return bool(inotify_add_watch(queue, b"/", InotifyConstants.IN_DELETE_SELF) >= 0)
    finally:
        os.close(queue)


def is_remote(folder: Path) -> bool:
    """Whether a folder lies on another computer, whose changes the system does not tell."""
    real = Path(os.path.realpath(folder))
    if str(real).startswith("\\\\"):
        return True
    try:
        mounted = psutil.disk_partitions(all=True)
    except (OSError, RuntimeError):
        return False
    at = [part for part in mounted if real.is_relative_to(part.mountpoint)]
    nearest = max(at, key=lambda part: len(Path(part.mountpoint).parts), default=None)
    return nearest is not None and nearest.fstype.lower() in _REMOTE


class _Handler(FileSystemEventHandler):
    def __init__(self, real: str, shown: str, changed: Changed) -> None:
        self._real = real
        self._shown = shown
        self._changed = changed

    def dispatch(self, event: FileSystemEvent) -> None:
        for path in (event.src_path, event.dest_path):
            if path:
                place = os.fsdecode(path)
                if self._real != self._shown and place.startswith(self._real):
                    place = self._shown + place[len(self._real) :]
                self._changed(place, event.is_directory)
