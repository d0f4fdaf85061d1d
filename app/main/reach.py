"""Who comes first holds the profile; who comes second talks to the first.

The first process on a profile takes its lock and opens the local socket; the next one finds the
lock taken and goes through that socket. The system drops the lock with its process, so a crash
leaves nothing that blocks the next start.
"""

import time
from pathlib import Path

from app import log
from app.errors import ConnectionLostError, ModelFileError, ProfileInUseError, StorageError
from app.main.side import Side
from app.paths import Profile

# How long the first Carrel may take to answer the second: it may be starting on a slow disk.
_ANSWERS_WITHIN_S = 30.0
_TRY_AGAIN_S = 0.1


def prepare(profile: Profile, model: Path | None, *, verbose: bool) -> None:
    """Make the profile's folders, begin the log, and look at the model that was asked for.

    Raises:
        StorageError: the profile cannot be written.
        ModelFileError: `model` is no GGUF file.
    """
    try:
        profile.create()
        log.configure(profile.logs, verbose=verbose)
    except OSError as error:
        raise StorageError(f"The profile {profile.root} cannot be written: {error.strerror}.") from error
    if model is not None:
        _check_model(model)


def reach(profile: Profile, model: Path | None, *, window: bool = False) -> Side:
    """Become the one that holds the profile, or reach the one that does.

    Args:
        window: as for `Side`.

    Raises:
        ProfileInUseError: another process holds the profile and does not answer in time.
    """
    side = Side(profile, model, window=window)
    deadline = time.monotonic() + _ANSWERS_WITHIN_S
    try:
        while not side.claim():
            try:
                side.connect()
            except ConnectionLostError as error:
                if time.monotonic() > deadline:
                    raise ProfileInUseError(
                        f"Another Carrel holds the profile {profile.root} and does not answer."
                    ) from error
                time.sleep(_TRY_AGAIN_S)
            else:
                break
    except BaseException:
        side.close()
        raise
    return side


def _check_model(model: Path) -> None:
    try:
        with model.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise ModelFileError(f"The model {model} cannot be read: {error.strerror}.") from error
    if magic != b"GGUF":
        raise ModelFileError(f"{model.name} is not a GGUF file, so it cannot be loaded as a model.")
