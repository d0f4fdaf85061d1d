"""The gateway's thread: its loop, its application, and what other threads may ask of it.

The web framework takes 0.3 s to import; that happens on this thread, so the window shows first.
"""

import asyncio
import concurrent.futures
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app.gateway.loop import LoopThread

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from app.backend.services import Backend
    from app.gateway.door import Door
    from app.gateway.limits import Limits
    from app.gateway.listeners import Listeners

Result = TypeVar("Result")

_SECONDS_TO_CLOSE = 20.0


class Server:
    """Runs the gateway. Methods are for other threads, unless they say otherwise.

    `build` makes the backend; it is called on the gateway's thread, once.
    """

    def __init__(self, build: Callable[[], "Backend"], *, limits: "Limits | None" = None) -> None:
        self._build = build
        self._limits = limits
        self._thread = LoopThread("gateway")
        self._opening = False
        self._opened = asyncio.Event()
        self._backend: Backend | None = None
        self._application: ASGIApp | None = None
        self._behind_door: ASGIApp | None = None
        self._door: Door | None = None
        self._listeners: Listeners | None = None
        self._failure: BaseException | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The gateway's loop; the in-process client is used on it."""
        return self._thread.loop

    def run(self) -> None:
        """Start the thread: coroutines may be submitted. Again does nothing."""
        self._thread.start()

    def start(self) -> "concurrent.futures.Future[None]":
        """Open the gateway, on its thread, and return at once.

        Returns:
            Done when requests are answered; it has the error where the backend could not be built
            or started.
        """
        self._thread.start()
        self._opening = True
        return self._thread.submit(self._open())

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> "concurrent.futures.Future[Result]":
        """Run `coroutine` on the gateway's loop."""
        return self._thread.submit(coroutine)

    async def in_process(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """The application behind the door of this process: what InProcessTransport calls, on the loop.

        Callable from the start; requests wait until the gateway is ready.
        """
        await self._opened.wait()
        if self._failure is not None or self._behind_door is None:
            raise RuntimeError("the gateway is not running") from self._failure
        await self._behind_door(scope, receive, send)

    @property
    def address(self) -> str | None:
        """Where the port is open, such as http://127.0.0.1:11711; None when it is off."""
        return None if self._listeners is None else self._listeners.address

    def listen_local(self, path: Path) -> None:
        """Open the owner's local door at `path` (see Listeners.listen_local)."""
        self.submit(self._ready_listeners().listen_local(path)).result()

    def listen(self, port: int) -> str:
        """Open `port` on 127.0.0.1 (0: any free one) and return the address (see Listeners.listen)."""
        return self.submit(self._ready_listeners().listen(port)).result()

    def unlisten(self) -> None:
        """Close the port, if it is open; its streams end."""
        self.submit(self._ready_listeners().unlisten()).result()

    def close(self) -> None:
        """End streams, close the doors, then the backend, then the thread. Again does nothing."""
        try:
            if self._thread.running:
                self.submit(self._close()).result(_SECONDS_TO_CLOSE)
        finally:
            self._thread.close()

    async def _open(self) -> None:
        try:
            # Deferred: see the module's docstring.
            from app.gateway.application import create  # noqa: PLC0415
            from app.gateway.door import Door  # noqa: PLC0415
            from app.gateway.limits import Limits  # noqa: PLC0415
            from app.gateway.listeners import Listeners  # noqa: PLC0415

            self._backend = self._build()
            self._door = Door("in_process")
            self._listeners = Listeners(lambda: application)
            application = create(self._backend, self._listeners, limits=self._limits or Limits())
            self._behind_door = self._door.to(application)
            await self._backend.start()
        except BaseException as error:
            self._failure = error
            raise
        finally:
            self._opened.set()

    async def _close(self) -> None:
        if self._opening:
            await self._opened.wait()
        if self._door is not None:
            self._door.close()
        if self._listeners is not None:
            await self._listeners.close()
        if self._backend is not None:
            await self._backend.close()

    def _ready_listeners(self) -> "Listeners":
        if self._listeners is None or self._failure is not None:
            raise RuntimeError("wait for start() to be done")
        return self._listeners
