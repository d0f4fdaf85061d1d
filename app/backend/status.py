"""The state of the whole program, for /health."""

import asyncio
import platform
import time
from collections.abc import Callable
from typing import Literal

import psutil
import sqlite_utils

from app.backend.accounts import Accounts
from app.database.connection import Database
from app.database.documents import Documents
from app.records import Health, Model, Renewal
from app.serving.llama import versions
from app.serving.models import Models


class StatusService:
    """Puts together what each layer says about itself. `profile` is the folder's path."""

    def __init__(
        self,
        *,
        accounts: Accounts,
        database: Database,
        documents: Documents,
        models: Models,
        profile: str,
        version: str,
        renewal: Callable[[], Renewal | None] = lambda: None,
    ) -> None:
        self._database = database
        self._accounts = accounts
        self._documents = documents
        self._models = models
        self._profile = profile
        self._version = version
        self._renewal = renewal
        self._begun = time.monotonic()
        self._process = psutil.Process()

    async def health(self) -> Health:
        """The figures of this moment. Where the gateway listens is for the gateway to add."""
        user_id = await self._accounts.local_user()
        counts = await asyncio.to_thread(self._documents.counts, user_id)
        models = self._models.describe()
        return Health(
            status=_status(models),
            version=self._version,
            versions=await asyncio.to_thread(self._versions),
            profile=self._profile,
            uptime=time.monotonic() - self._begun,
            memory=self._process.memory_info().rss,
            documents=counts.documents,
            passages=counts.passages,
            vectors=counts.vectors,
            queued=counts.queued,
            models=models,
            listening=None,
            renewal=self._renewal(),
        )

    def _versions(self) -> dict[str, str]:
        return {
            "carrel": self._version,
            "python": platform.python_version(),
            "sqlite": self._database.read(_sqlite_version),
            **versions(),
        }


def _sqlite_version(db: sqlite_utils.Database) -> str:
    return str(db.execute("SELECT sqlite_version()").fetchone()[0])


def _status(models: tuple[Model, ...]) -> Literal["ok", "starting", "degraded"]:
    if any(model.problem for model in models):
        return "degraded"
    return "ok" if all(model.loaded or model.resting for model in models) else "starting"
