"""Which models there are: the bundled ones, and the hashes of files seen before."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.errors import ModelFileError
from app.serving.notebook import Notebook

Hashes = Notebook[dict[str, tuple[int, int, str]]]
"""By the file's place: its size, its time (ns), and its SHA-256."""

_BLOCK = 1 << 20  # bytes read at a time


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A model of the catalogue. `license` is its SPDX name, `source` where it came from."""

    path: Path
    name: str
    sha256: str
    license: str
    source: str


@dataclass(frozen=True, slots=True)
class Bundled:
    """The models that come with the program."""

    chat: ModelFile
    embedding: ModelFile


def bundled(models_folder: Path) -> Bundled:
    """Read the manifest of the models that come with the program.

    Raises:
        ModelFileError: the packaging step has not been run, or its manifest is damaged.
    """
    manifest = models_folder / "manifest.json"
    try:
        found = json.loads(manifest.read_text("utf-8"))
        return Bundled(
            chat=_model_file(models_folder, found["chat"]),
            embedding=_model_file(models_folder, found["embedding"]),
        )
    except FileNotFoundError:
        raise ModelFileError(
            f"The bundled models are not in {models_folder}: `make run` prepares them."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"{manifest} is damaged ({type(error).__name__}: {error}).") from error


def hashes(file: Path) -> Hashes:
    """The hashes of files seen before, kept in `file`."""
    return Notebook(file, dict[str, tuple[int, int, str]])


def file_hash(path: Path, known: Hashes) -> str:
    """The SHA-256 of a file, in hexadecimal; read anew only if its size or time changed.

    Raises:
        ModelFileError: `path` cannot be read.
    """
    return known_hash(path, known) or _read_hash(path, known)


def known_hash(path: Path, known: Hashes) -> str | None:
    """The SHA-256 of a file that was read before and whose size and time are as they were then.

    Raises:
        ModelFileError: there is no such file.
    """
    path, size, time = stamp(path)
    entry = (known.read() or {}).get(str(path))
    return entry[2] if entry is not None and entry[:2] == (size, time) else None


def forget_hash(path: Path, known: Hashes) -> None:
    """Have the file read anew the next time its hash is asked for."""
    gone = str(path.resolve())
    known.change(lambda seen: {place: entry for place, entry in (seen or {}).items() if place != gone})


def stamp(path: Path) -> tuple[Path, int, int]:
    """Where a file really is, its bytes, and when it was changed last (ns).

    Raises:
        ModelFileError: there is no such file.
    """
    try:
        place = path.resolve()
        status = place.stat()
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}.") from error
    return place, status.st_size, status.st_mtime_ns


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        ModelFileError: it cannot be read.
    """
    digest = hashlib.sha256()
    for block in blocks(path):
        digest.update(block)
    return digest.hexdigest()


def blocks(path: Path) -> Iterator[bytes]:
    """A file's bytes, a megabyte at a time.

    Raises:
        ModelFileError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                yield block
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}.") from error


def _read_hash(path: Path, known: Hashes) -> str:
    place, size, time = stamp(path)
    digest = sha256(path)
    known.change(lambda seen: {**(seen or {}), str(place): (size, time, digest)})
    return digest


def _model_file(folder: Path, entry: dict[str, str]) -> ModelFile:
    return ModelFile(
        path=folder / Path(entry["file"]).name,
        name=entry["name"],
        sha256=entry["sha256"],
        license=entry["license"],
        source=entry["source"],
    )
