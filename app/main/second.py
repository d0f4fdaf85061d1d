"""The Carrel that comes second: everything it does, the first one does for it."""

import concurrent.futures
import contextlib
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Self

from app.client.client import Client
from app.client.transport import local_socket_transport
from app.gateway.loop import LoopThread
from app.paths import Profile

_CLOSES_WITHIN_S = 3.0


class Second:
    """A client of the Carrel that holds the profile, over its local socket."""

    owner = False

    def __init__(self, loop: LoopThread, client: Client, model: Path | None) -> None:
        self.client = client
        self._loop = loop
        self._model = model

    @classmethod
    def reaching(cls, profile: Profile, model: Path | None) -> Self:
        """Connect to the first Carrel of `profile`.

        Raises:
            ConnectionLostError: it does not answer (yet).
        """
        client = Client(local_socket_transport(profile.socket))
        side = cls(LoopThread("client"), client, model)
        side._loop.start()
        try:
            side.submit(client.open()).result()
        except BaseException:
            side.close()
            raise
        return side

    def submit(self, work: Coroutine[Any, Any, Any]) -> "concurrent.futures.Future[Any]":
        """Run a coroutine of the client's on its loop."""
        return self._loop.submit(work)

    def open(self) -> None:
        """Let the first Carrel answer with the model that was asked for.

        Raises:
            AppError: it cannot.
        """
        if self._model is not None:
            self.submit(self.client.choose_chat_model(str(self._model))).result()

    def close(self) -> None:
        """Disconnect. The first Carrel goes on."""
        with contextlib.suppress(TimeoutError, RuntimeError):
            self.submit(self.client.close()).result(_CLOSES_WITHIN_S)
        self._loop.close()
