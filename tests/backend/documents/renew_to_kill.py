"""A library that is read with another embedding model until it is killed; says on stdout what was embedded.

Run as: python renew_to_kill.py PROFILE MODEL. A line for each text (its SHA-256), then "done".
"""

import asyncio
import hashlib
import sys
from pathlib import Path

from app import paths
from app.backend.documents.renewing import Renewer
from app.backend.feed import Feed
from app.database.connection import Database
from app.database.jobs import Jobs
from app.database.journal import Journal
from app.database.renewals import Renewals
from app.events import Notice
from app.serving import catalogue
from app.serving.admission.admission import Admission
from app.serving.admission.breadcrumb import Breadcrumb
from app.serving.admission.probe import Probe
from app.serving.embedder import Embedder
from app.serving.embedders import MadeWith
from app.serving.models import Models

_embed = Embedder.embed


async def embed(self, texts, *, urgent=False):
    made = await _embed(self, texts, urgent=urgent)
    for text in texts:
        print(hashlib.sha256(text.encode()).hexdigest(), flush=True)
    return made


async def main(profile: paths.Profile, wanted: Path) -> None:
    bundled = catalogue.bundled(paths.resource("models")).embedding
    database = Database(profile.database)
    database.open()
    feed = Feed()
    models = Models(
        profile.models / "none.gguf",
        wanted,
        context_length=512,
        gpu_layers=0,
        threads=1,
        admission=Admission(
            hashes=profile.hashes,
            verdicts=profile.verdicts,
            trusted=frozenset((bundled.sha256, catalogue.sha256(wanted))),
            on_notice=lambda problem: None,
            probe=Probe(),
        ),
        breadcrumb=Breadcrumb(profile.breadcrumb),
        fallback_chat=None,
        fallback_embedding=bundled.path,
        library=MadeWith(bundled.path, bundled.sha256),
        on_change=lambda model: None,
        on_notice=lambda problem: None,
    )
    models.start()
    renewer = Renewer(Renewals(database), Journal(database), Jobs(database), models, feed)
    async with feed.subscribe(window=True) as events:
        renewer.start()
        async for event in events:
            if isinstance(event, Notice):
                assert event.problem.code == "library_renewed", event
                break
    await renewer.close()
    models.close()
    database.close()
    print("done", flush=True)


if __name__ == "__main__":
    Embedder.embed = embed
    asyncio.run(main(paths.Profile(Path(sys.argv[1])), Path(sys.argv[2])))
