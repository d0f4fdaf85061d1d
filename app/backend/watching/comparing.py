"""What is different between a folder as it was remembered and as it is now. Reads names, not contents."""

import math
import os
import stat
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from app.backend.documents.folders import Found, Listing, untouched
from app.database.places import Place, Stamp


@dataclass(slots=True)
class Difference:
    """What is to be done.

    Files that are `fresh` have to be opened; those that are `back` are there, as they were; those
    that are `unsettled` somebody may still be writing. Those that are `away` went with all others of
    their folder. `known` says whether any file is there that was last time, `returned` whether one
    of those that were away is, `expires_at` when the next one expires (seconds since the epoch).
    """

    fresh: list[Found] = field(default_factory=list)
    back: list[Place] = field(default_factory=list)
    gone: list[Place] = field(default_factory=list)
    expired: list[Place] = field(default_factory=list)
    away: list[Place] = field(default_factory=list)
    unsettled: list[Found] = field(default_factory=list)
    known: bool = False
    returned: bool = False
    expires_at: float = math.inf

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.fresh or self.back or self.gone or self.expired)

    def add(self, other: "Difference") -> None:
        """Take another part of the folder in."""
        for name in ("fresh", "back", "gone", "expired", "away", "unsettled"):
            getattr(self, name).extend(getattr(other, name))
        self.known = self.known or other.known
        self.returned = self.returned or other.returned
        self.expires_at = min(self.expires_at, other.expires_at)


class Stillness:
    """Tells files that nobody writes to any more: their stamp has been the same for a while."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[str, tuple[Stamp, float]] = {}

    def of(self, found: Found) -> bool:
        """Whether this file stands still. By its own times, or (its disk's clock may be another) by ours."""
        quiet = time.time() - found.changed_at
        now = time.monotonic()
        stamp, since = self._seen.get(found.path, (None, now))
        if quiet >= self._seconds or (stamp == found.stamp and now - since >= self._seconds):
            self._seen.pop(found.path, None)
            return True
        if stamp != found.stamp:
            self._seen[found.path] = (found.stamp, now)
        return False


def compare(
    folder: Path, listing: Listing, places: Sequence[Place], stillness: Stillness, *, grace: float
) -> Difference:
    """Compare a listing of a folder (or a part of it) with the places that were known there.

    A file that is gone is `expired` once it was gone for `grace` seconds, unless it went with all others
    or the disk it lay on is away. What could not be looked at is as it was.
    """
    difference = Difference()
    known = {place.path: place for place in places}
    for found in listing.files:
        _file(difference, found, known.pop(found.path, None), stillness)
    closed = tuple(listing.closed)
    within = tuple(f"{path}{os.sep}" for path in closed)
    for place in known.values():
        if place.path in closed or place.path.startswith(within):
            continue
        try:
            looked = os.lstat(place.path)
        except (FileNotFoundError, NotADirectoryError):
            _missing(difference, folder, place, grace)
            continue
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(looked.st_mode):
            # One that no pattern takes, but the user did.
            changed_at = max(looked.st_mtime, looked.st_ctime)
            found = Found(place.path, Stamp.of(looked), changed_at, place.mounted)
            _file(difference, found, place, stillness)
        elif place.document_id is not None:
            # A link that the user added by its name.
            difference.known = True
    return difference


def _file(difference: Difference, found: Found, place: Place | None, stillness: Stillness) -> None:
    if place is not None and place.stamp == found.stamp:
        # And not only its name, which a file of another disk may have, too.
        difference.known = difference.known or place.missing_since is None
        difference.returned = difference.returned or place.away
    set_aside = place is not None and place.document_id is None and place.problem is None
    if place is not None and (set_aside or untouched(place, found)):
        if place.missing_since is not None or place.unread:
            difference.back.append(place)
    elif stillness.of(found):
        difference.fresh.append(found)
    else:
        difference.unsettled.append(found)


def _missing(difference: Difference, folder: Path, place: Place, grace: float) -> None:
    now = time.time()
    if place.missing_since is None:
        difference.gone.append(place)
        difference.expires_at = min(difference.expires_at, now + grace)
    elif place.away:
        difference.away.append(place)
    elif not (place.mounted and _is_away(folder, place)):
        if now - place.missing_since >= grace:
            difference.expired.append(place)
        else:
            difference.expires_at = min(difference.expires_at, place.missing_since + grace)


def _is_away(folder: Path, place: Place) -> bool:
    """Whether a file that lay on another disk than its folder would lie on the folder's own by now."""
    try:
        own = folder.stat().st_dev
        for above in Path(place.path).parents:
            if above.exists():
                return above.stat().st_dev == own
    except OSError:
        pass
    return True
