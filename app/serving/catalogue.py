"""Which models there are: the bundled ones, and the hashes of files seen before."""

import hashlib
import json
import logging
import os
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

from app.errors import ModelFileError

_log = logging.getLogger(__name__)
_known_lock = threading.Lock()

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


def file_hash(path: Path, known: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; read anew only if its size or time changed.

    Args:
        known: a JSON file of hashes seen before. Damaged or unwritable, it is done without.

    Raises:
        ModelFileError: `path` cannot be read.
    """
    try:
        path = path.resolve()
        status = path.stat()
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}.") from error
    state = [status.st_size, status.st_mtime_ns]
    entry = _read_known(known).get(str(path))
    if isinstance(entry, list) and entry[:2] == state and len(entry) == 3:
        return str(entry[2])
    digest = sha256(path)
    with _known_lock:
        entries = _read_known(known)
        entries[str(path)] = [*state, digest]
        _write_known(known, entries)
    return digest


def sha256(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal.

    Raises:
        ModelFileError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()


def _model_file(folder: Path, entry: dict[str, str]) -> ModelFile:
    return ModelFile(
        path=folder / Path(entry["file"]).name,
        name=entry["name"],
        sha256=entry["sha256"],
        license=entry["license"],
        source=entry["source"],
    )


def _read_known(known: Path) -> dict[str, object]:
    try:
        entries = json.loads(known.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _write_known(known: Path, entries: dict[str, object]) -> None:
    try:
        known.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=known.parent, prefix=known.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(entries, file, indent=2)
        Path(name).replace(known)
    except OSError as error:  # the hash is right all the same; the next start reads the file again
        _log.warning("%s could not be written: %s", known, error)
