"""The folders that are followed: begun with, left, and what there is to say about them."""

from collections.abc import Sequence
from pathlib import PurePath

from PySide6.QtCore import QObject, Signal

from app.records import Problem, WatchedFolder
from app.ui.bridge import Bridge
from app.ui.documents.words import refusal

_SHORT = {
    "folder_missing": "not there now, kept until it is back",
    "folder_unreadable": "you may not look into it now",
    "folder_remote": "on another computer, looked at now and then",
    "watch_limit": "looked at now and then: the system's limit is reached",
}


class Following(QObject):
    """Signals:

    changed: the folders, or how one of them is followed.
    began: a WatchedFolder that the user put on the desk is followed from now on.
    said: a sentence on what became of a folder.
    warned: a sentence on what is wrong with one.
    """

    changed = Signal()
    began = Signal(object)
    said = Signal(str)
    warned = Signal(str)

    def __init__(self, bridge: Bridge, parent: QObject) -> None:
        super().__init__(parent)
        self._bridge = bridge
        self._folders: dict[str, WatchedFolder] = {}
        self._begun: set[str] = set()  # those of which the first look is awaited, to say what it found
        bridge.folder_changed.connect(self._put)
        bridge.folder_removed.connect(self._removed)

    @property
    def folders(self) -> tuple[WatchedFolder, ...]:
        """By path."""
        return tuple(sorted(self._folders.values(), key=lambda folder: folder.path))

    def fetch(self) -> None:
        """Take the whole list again."""
        self._bridge.request(self._bridge.client.watched(), self._reset, lambda _: None, owner=self)

    def follow(self, paths: Sequence[str]) -> None:
        """Follow folders of this computer."""
        for path in paths:

            def failed(problem: Problem, path: str = path) -> None:
                self.warned.emit(f"{name_of(path)}: {problem.message}")

            self._bridge.request(self._bridge.client.watch(path), self._began, failed, owner=self)

    def leave(self, folder_id: str) -> None:
        """Follow a folder no more; its documents stay."""
        folder = self._folders.get(folder_id)

        def left(_: object) -> None:
            self._removed(folder_id)
            if folder is not None:
                self.said.emit(f"{name_of(folder.path)} is followed no more. What was read of it stays.")

        self._bridge.request(self._bridge.client.unwatch(folder_id), left, owner=self)

    def _began(self, folder: WatchedFolder) -> None:
        known = folder.id in self._folders and self._folders[folder.id].scanned_at is not None
        self._begun.add(folder.id)
        self._put(folder if not known else self._folders[folder.id])
        self.began.emit(folder)

    def _reset(self, folders: tuple[WatchedFolder, ...]) -> None:
        self._folders = {folder.id: folder for folder in folders}
        self.changed.emit()

    def _put(self, folder: WatchedFolder) -> None:
        before = self._folders.get(folder.id)
        self._folders[folder.id] = folder
        self.changed.emit()
        if folder.id in self._begun and folder.scanned_at is not None:
            self._begun.discard(folder.id)
            if said := _first_look(folder):
                self.warned.emit(said)
        problem = folder.problem
        if (
            problem is not None
            and problem.code == "watch_limit"
            and (before is None or before.problem is None)
        ):
            self.warned.emit(f"{name_of(folder.path)}: {problem.message}")

    def _removed(self, folder_id: str) -> None:
        self._begun.discard(folder_id)
        if self._folders.pop(folder_id, None) is not None:
            self.changed.emit()


def name_of(path: str) -> str:
    """A folder as it is called: its last name, or the whole path of one that has none."""
    return PurePath(path).name or path


def state_of(folder: WatchedFolder) -> tuple[str, bool]:
    """One line on how a folder is followed, and whether it is a warning; its problem says more."""
    files = f"{folder.documents:,} {'document' if folder.documents == 1 else 'documents'}"
    if folder.state == "missing":
        why = _SHORT.get(folder.problem.code if folder.problem else "", "not there now")
        return f"{files} · {why}", True
    if folder.scanned_at is None:
        return "Being looked through", False
    parts = [files]
    if folder.refused_count:
        parts.append(f"{folder.refused_count:,} not added")
    if folder.problem is not None:
        parts.append(_SHORT.get(folder.problem.code, "looked at now and then"))
    return " · ".join(parts), False


def _first_look(folder: WatchedFolder) -> str:
    """What there is to say once a new folder was looked through; empty where all went well."""
    if folder.refused_count:
        left = folder.refused_count - len(folder.refused)
        more = f"\nAnd {left:,} more." if left else ""
        return refusal(folder.refused, folder.refused_count) + more
    if not folder.documents:
        return f"There is no file in {name_of(folder.path)} that Carrel reads. It is followed all the same."
    return ""
