"""The Carrel that comes first on a profile: it does the work, for itself and for the others."""

import concurrent.futures
import contextlib
import json
import logging
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.client.client import Client
from app.client.transport import InProcessTransport
from app.errors import AppError, SettingError
from app.gateway.server import Server
from app.paths import Profile
from app.settings import Settings

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from starlette.types import Receive, Scope, Send

    from app.backend.services import Backend
    from app.main.composition import Composition

_log = logging.getLogger(__name__)

_CLOSES_WITHIN_S = 3.0


class First:
    """Holds the profile's lock, runs the gateway and all behind it, and opens the local socket.

    The client may be used at once; what is asked waits until the gateway is open.
    """

    owner = True

    def __init__(self, profile: Profile, lock: "BaseFileLock", model: Path | None) -> None:
        self.settings = Settings(profile.settings)
        self._profile = profile
        self._lock = lock
        self._model = model
        self._server = Server(self._build)
        self._composition: Composition | None = None
        self._begun = False
        self.client = Client(InProcessTransport(self._application))

    def submit(self, work: Coroutine[Any, Any, Any]) -> "concurrent.futures.Future[Any]":
        """Run a coroutine of the client's on the gateway's loop."""
        return self._server.submit(work)

    def open(self) -> None:
        """Open everything, and wait until requests are answered.

        Raises:
            AppError: something cannot be opened; `close` is still to be called.
        """
        for problem in self.settings.problems:
            _log.warning("setting ignored: %s", problem)
        self._begun = True
        self._server.start().result()
        self._server.listen_local(self._profile.socket)
        self.submit(self.client.open()).result()

    def listen(self) -> None:
        """Open the port for other tools, where the setting says so."""
        if self.settings.flag("listen"):
            try:
                self._server.listen(self.settings.number("listen_port"))
            except SettingError as error:
                _log.warning("not listening: %s", error.message)

    def close(self) -> None:
        """Close everything in reverse, and let the profile go."""
        try:
            if not self._begun:
                return
            with contextlib.suppress(TimeoutError, RuntimeError):
                self.submit(self.client.close()).result(_CLOSES_WITHIN_S)
            self._server.close()
        finally:
            if self._composition is not None:
                self._composition.close()
            self._lock.release()

    def _build(self) -> "Backend":
        from app.main.composition import Composition  # noqa: PLC0415 - on the gateway's thread: it is slow

        self._composition = Composition(self._profile, self.settings, self._model)
        return self._composition.build()

    async def _application(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """The gateway; where it could not be opened, the reason why for every request."""
        try:
            await self._server.in_process(scope, receive, send)
        except RuntimeError as refusal:
            if not isinstance(refusal.__cause__, AppError):
                raise
            await _refuse(refusal.__cause__, send)


async def _refuse(error: AppError, send: "Send") -> None:
    body = {"code": error.code, "message": error.message, "type": "carrel_error", "trace_id": ""}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": body}).encode()})
