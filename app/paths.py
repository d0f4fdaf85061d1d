"""Where files live: the profile of one user, and the resources of the program.

A profile is one folder with everything of one user in it. The default is the platform's place
for application data; `--profile DIR` or `CARREL_PROFILE` name another. Resources are read-only
and come with the program, from a checkout or from inside a PyInstaller package.
"""

import hashlib
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

_OWNER_ONLY = 0o700
# A Unix socket's address holds 108 bytes on Linux and 104 on macOS.
_LONGEST_SOCKET_PATH = 100


@dataclass(frozen=True, slots=True)
class Profile:
    """The places inside one profile folder."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "carrel.db"

    @property
    def settings(self) -> Path:
        return self.root / "settings.json"

    @property
    def lock(self) -> Path:
        return self.root / "carrel.lock"

    @property
    def notes(self) -> Path:
        return self.root / "cache" / "notes"

    @property
    def embeddings(self) -> Path:
        return self.root / "cache" / "embeddings"

    @property
    def sessions(self) -> Path:
        return self.root / "cache" / "sessions"

    @property
    def states(self) -> Path:
        """What the model has read, so that a conversation need not be read again."""
        return self.root / "cache" / "states"

    @property
    def uploads(self) -> Path:
        """Files that came through an upload; temporary until accepted, then the original."""
        return self.root / "uploads"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def hashes(self) -> Path:
        """The hashes of model files seen before."""
        return self.models / "hashes.json"

    @property
    def verdicts(self) -> Path:
        """Which model files were tried out, and what became of them."""
        return self.models / "verdicts.json"

    @property
    def aptitudes(self) -> Path:
        """What chat models are fit for: to be quoted with, or to write."""
        return self.models / "aptitudes.json"

    @property
    def breadcrumb(self) -> Path:
        """Which models are at work at this moment; left behind by a process that died."""
        return self.models / "at_work.json"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def socket(self) -> Path:
        """The owner's local socket; in the runtime folder where the profile's path is too long."""
        inside = self.root / "carrel.sock"
        if len(os.fsencode(inside)) <= _LONGEST_SOCKET_PATH:
            return inside
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:16]
        base = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
        return Path(base) / f"carrel-{os.getuid() if hasattr(os, 'getuid') else 0}-{name}.sock"

    def create(self) -> None:
        """Make the folders, for the owner only.

        Raises:
            OSError: the place cannot be written.
        """
        for folder in (self.root, self.embeddings, self.sessions, self.uploads, self.models, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.root, self.root / "cache", self.embeddings, self.sessions, self.uploads):
            folder.chmod(_OWNER_ONLY)


def profile(chosen: str | os.PathLike[str] | None = None) -> Profile:
    """The profile that was chosen, else the one of `CARREL_PROFILE`, else the platform's."""
    place = chosen or os.environ.get("CARREL_PROFILE")
    if place:
        return Profile(Path(place).expanduser().absolute())
    return Profile(Path(platformdirs.user_data_dir("Carrel", appauthor=False)))


def resource(*parts: str) -> Path:
    """A file or folder under resources/, in a checkout and in a package alike."""
    packaged = getattr(sys, "_MEIPASS", None)
    root = Path(packaged) if packaged else Path(__file__).resolve().parent.parent
    return root.joinpath("resources", *parts)
