"""This process's side of the program: it does the work, or has it done by the one that does.

The first process on a profile holds its lock, runs the gateway and all behind it, and opens the
local socket. The next one sends its requests through that socket; when the first is gone, it
takes the profile over at the next request, with the client and its session as they were.
"""

import asyncio
import concurrent.futures
import contextlib
import json
import logging
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
from filelock import FileLock, Timeout

from app.client.client import Client
from app.client.transport import InProcessTransport, local_socket_transport
from app.errors import AppError, ConnectionLostError, SettingError, StorageError
from app.gateway.server import Server
from app.paths import Profile
from app.settings import Settings

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from app.backend.services import Backend
    from app.main.composition import Composition

_log = logging.getLogger(__name__)

_CLIENT_CLOSES_WITHIN_S = 3.0
_OTHERS_FINISH_WITHIN_S = 120.0


class Side:
    """One side of one profile. Its methods are not for the gateway's thread.

    Attributes:
        client: used on the loop that `submit` runs coroutines on. What is asked of it while the
            gateway is being opened waits for that.
    """

    def __init__(self, profile: Profile, model: Path | None, *, window: bool = False) -> None:
        """`window`: this process shows one, and its models let it go first."""
        self.settings = Settings(profile.settings)
        self.client = Client(_Route(self))
        self._profile = profile
        self._model = model
        self._window = window
        self._lock = FileLock(profile.lock, thread_local=False)
        self._server = Server(self._build)
        self._running = False
        self._listens = False
        self._opening = threading.Lock()
        self._composition: Composition | None = None
        self._backend: Backend | None = None

    @property
    def owner(self) -> bool:
        """Whether this process holds the profile."""
        return self._lock.is_locked

    @property
    def socket(self) -> Path:
        """Where the one that holds the profile listens for the others."""
        return self._profile.socket

    def submit(self, work: Coroutine[Any, Any, Any]) -> "concurrent.futures.Future[Any]":
        """Run a coroutine of the client's on the loop."""
        self._run()
        return self._server.submit(work)

    def claim(self) -> bool:
        """Become the one that holds the profile, if nobody does. Returns at once.

        Raises:
            StorageError: the lock cannot be made.
        """
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            return False
        except OSError as error:
            place = self._profile.root
            raise StorageError(f"The profile {place} cannot be locked: {error.strerror}.") from error
        return True

    def connect(self) -> None:
        """Reach the Carrel that holds the profile.

        Raises:
            ConnectionLostError: it does not answer (yet).
        """
        try:
            self.submit(self.client.open()).result()
        except AppError as error:
            if error.code != ConnectionLostError.code:
                raise
            raise ConnectionLostError(error.message) from error

    def open(self, *, listen: bool = False) -> None:
        """Open everything this side is there for, and wait until requests are answered.

        Args:
            listen: also open the port for other tools, where the setting says so.
        Raises:
            AppError: something cannot be opened; `close` is still to be called.
        """
        self._listens = listen
        if self.owner:
            self._open_gateway()
            self.submit(self.client.open()).result()
        elif self._model is not None:
            self.submit(self.client.choose_chat_model(str(self._model))).result()

    def take_over(self) -> bool:
        """Hold the profile after the first Carrel has gone; False if it has not, or not wholly."""
        with self._opening:
            if self.owner:
                return True
            if not self.claim():
                return False
            _log.info("the first Carrel is gone; this one takes over")
            # Where it fails, every request is told why.
            with contextlib.suppress(AppError):
                self._open_gateway()
            return True

    def let_others_finish(self) -> None:
        """Wait until the answers that are being written for other processes are written."""
        if self.owner and self._backend is not None:
            with contextlib.suppress(TimeoutError, RuntimeError):
                self.submit(self._backend.ask.finish()).result(_OTHERS_FINISH_WITHIN_S)

    def close(self) -> None:
        """Close everything in reverse, and let the profile go."""
        begun = time.monotonic()
        try:
            if self._running:
                with contextlib.suppress(TimeoutError, RuntimeError):
                    self.submit(self.client.close()).result(_CLIENT_CLOSES_WITHIN_S)
                self._server.close()
        finally:
            gateway_closed = time.monotonic()
            if self._composition is not None:
                self._composition.close()
            self._lock.release()
            took = {
                "gateway_ms": round((gateway_closed - begun) * 1000),
                "rest_ms": round((time.monotonic() - gateway_closed) * 1000),
            }
            _log.info("closed", extra=took)

    async def application(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """The gateway of this process; where it could not be opened, the reason for every request."""
        try:
            await self._server.in_process(scope, receive, send)
        except RuntimeError as refusal:
            if not isinstance(refusal.__cause__, AppError):
                raise
            await _refuse(refusal.__cause__, send)

    def _run(self) -> None:
        if not self._running:
            self._running = True
            self._server.run()

    def _open_gateway(self) -> None:
        for problem in self.settings.problems:
            _log.warning("setting ignored: %s", problem)
        self._run()
        self._server.start().result()
        self._server.listen_local(self._profile.socket)
        if self._listens and self.settings.flag("listen"):
            try:
                self._server.listen(self.settings.number("listen_port"))
            except SettingError as error:
                _log.warning("not listening: %s", error.message)

    def _build(self) -> "Backend":
        from app.main.composition import Composition  # noqa: PLC0415 - on the gateway's thread: it is slow

        self._composition = Composition(self._profile, self.settings, self._model, polite=self._window)
        self._backend = self._composition.build()
        return self._backend


class _Route(httpx2.AsyncBaseTransport):
    """Leads each request to the gateway of this process, or to that of the first Carrel."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._in_process = InProcessTransport(side.application)
        self._local: httpx2.AsyncBaseTransport | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if not self._side.owner:
            try:
                if self._local is None:
                    self._local = local_socket_transport(self._side.socket)
                return await self._local.handle_async_request(request)
            except (httpx2.ConnectError, ConnectionLostError):
                # Nothing of the request was sent yet, so it may take another way.
                if not await asyncio.to_thread(self._side.take_over):
                    raise
        return await self._in_process.handle_async_request(request)

    async def aclose(self) -> None:
        await self._in_process.aclose()
        if self._local is not None:
            await self._local.aclose()


async def _refuse(error: AppError, send: "Send") -> None:
    body = {"code": error.code, "message": error.message, "type": "carrel_error", "trace_id": ""}
    headers = [(b"content-type", b"application/json")]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": body}).encode()})
