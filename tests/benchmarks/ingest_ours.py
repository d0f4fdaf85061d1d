"""Our side of ingest.py: a whole Carrel takes a folder in. `python ingest_ours.py FOLDER PROFILE`.

Says {"passages": …, "seconds": …} on stdout. The models are loaded before the clock starts.

Carrel is imported late: a parsing child imports the main module of its program, which is light in
Carrel and would be all of it here.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.backend.services import Backend


async def main(folder: Path, place: Path) -> None:
    from app.main.composition import Composition
    from app.paths import Profile
    from app.settings import Settings

    profile = Profile(place)
    profile.create()
    composition = Composition(profile, Settings(profile.settings), None)
    backend = composition.build()
    try:
        await backend.start()
        print(json.dumps(await _take_in(backend, folder)), flush=True)
        await backend.close()
    finally:
        composition.close()


async def _take_in(backend: "Backend", folder: Path) -> dict[str, float]:
    user = await backend.accounts.local_user()
    await backend.models.embed(["Is it loaded?"], "carrel")
    async with backend.feed.subscribe() as changes:
        begun = time.perf_counter()
        await backend.documents.add_paths(user, [folder])
        while any(
            document.status not in ("ready", "failed") for document in await backend.documents.list(user)
        ):
            await anext(changes)
    seconds = time.perf_counter() - begun
    documents = await backend.documents.list(user)
    failed = [document.name for document in documents if document.status == "failed"]
    if failed:
        raise RuntimeError(f"not read: {failed}")
    return {"passages": sum(document.passages for document in documents), "seconds": seconds}


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
