"""The sockets: the owner's local one, and the optional port on 127.0.0.1."""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from app.errors import ProfileInUseError, SettingError, StorageError
from app.gateway.door import Door

_log = logging.getLogger(__name__)

_LOOPBACK = "127.0.0.1"
_OWNER_ONLY = 0o600
_BACKLOG = 128
_CONNECTIONS = 256
_SECONDS_TO_FINISH = 3


class Listeners:
    """What the gateway listens on. Used on its loop."""

    def __init__(
        self, application: Callable[[], ASGIApp], *, unix: bool = hasattr(socket, "AF_UNIX")
    ) -> None:
        """`unix=False` uses a loopback port and a token file for the local door, as on Windows."""
        self._application = application
        self._unix = unix
        self._local: _Listener | None = None
        self._port: _Listener | None = None
        self._local_file: tuple[Path, int] | None = None
        self._changing = asyncio.Lock()
        _forward_warnings()

    @property
    def address(self) -> str | None:
        """Where tools can reach the API, such as http://127.0.0.1:11711; None when switched off."""
        return None if self._port is None else f"http://{_LOOPBACK}:{self._port.port}"

    async def listen_local(self, path: Path) -> None:
        """Open the owner's door at `path`. A file left there by a process that was killed is replaced.

        Raises:
            ProfileInUseError: a process answers there.
            StorageError: the socket cannot be made.
        """
        async with self._changing:
            if self._unix:
                listening, door = await asyncio.to_thread(_unix_socket, path), Door("local")
            else:
                secret = secrets.token_urlsafe(32)
                listening = _loopback_socket(0)
                door = Door("local", hosts=_hosts(listening), secret=secret)
                _write_token_file(path, listening.getsockname()[1], secret)
            self._local_file = path, path.stat().st_ino
            self._local = await _Listener.open(self._application(), door, listening)

    async def listen(self, port: int) -> str:
        """Open `port` on 127.0.0.1 (0: any free one) in place of the one that was open.

        Returns:
            The address, such as http://127.0.0.1:11711.

        Raises:
            SettingError: another program has the port. What was open stays so.
        """
        async with self._changing:
            if self._port is None or self._port.port != port:
                listening = _loopback_socket(port)
                before = self._port
                door = Door("tcp", hosts=_hosts(listening))
                self._port = await _Listener.open(self._application(), door, listening)
                if before is not None:
                    await before.close()
            return f"http://{_LOOPBACK}:{self._port.port}"

    async def unlisten(self) -> None:
        """Close the port, if one is open; its streams end."""
        async with self._changing:
            closing, self._port = self._port, None
            if closing is not None:
                await closing.close()

    async def close(self) -> None:
        """Close everything; streams end, other requests get 3 s to finish."""
        await self.unlisten()
        async with self._changing:
            closing, self._local = self._local, None
            if closing is not None:
                await closing.close()
            if self._local_file is not None:
                _remove_ours(*self._local_file)
                self._local_file = None


class _Listener(uvicorn.Server):
    """One listening socket and its door, served on the running loop."""

    def __init__(self, application: ASGIApp, door: Door, listening: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                door.to(application),
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,  # nobody stands in between who could be believed
                server_header=False,
                date_header=False,
                limit_concurrency=_CONNECTIONS,
                timeout_graceful_shutdown=_SECONDS_TO_FINISH,
                reset_contextvars=True,
            )
        )
        self.door = door
        self._listening = listening
        self.port: int | None = None
        if listening.family == socket.AF_INET:
            self.port = listening.getsockname()[1]
        self._ended = asyncio.Event()

    @classmethod
    async def open(cls, application: ASGIApp, door: Door, listening: socket.socket) -> "_Listener":
        listener = cls(application, door, listening)
        listener.config.load()
        listener.lifespan = listener.config.lifespan_class(listener.config)
        await listener.startup(sockets=[listening])
        return listener

    async def close(self) -> None:
        self.door.close()
        await self.shutdown(sockets=[self._listening])


def _hosts(listening: socket.socket) -> frozenset[str]:
    port = listening.getsockname()[1]
    return frozenset({f"{_LOOPBACK}:{port}", f"localhost:{port}"})


def _loopback_socket(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            # Elsewhere this option would let two programs share the port.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_LOOPBACK, port))
    except (OSError, OverflowError) as error:
        listening.close()
        raise SettingError(f"Port {port} cannot be opened; another program may be using it.") from error
    return listening


def _unix_socket(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _remove_stale(path)
        listening.bind(str(path))
        # Nobody can connect before listen(), so nobody can before this either.
        path.chmod(_OWNER_ONLY)
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise StorageError(f"The local socket {path} could not be made: {error.strerror}.") from error
    except ProfileInUseError:
        listening.close()
        raise
    return listening


def _remove_stale(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise FileExistsError(0, "there is another file of this name")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(2)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
    raise ProfileInUseError("Another Carrel answers in this profile.")


def _write_token_file(path: Path, port: int, secret: str) -> None:
    try:
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump({"port": port, "secret": secret}, file)
    except OSError as error:
        raise StorageError(f"The token file {path} could not be made: {error.strerror}.") from error


def _remove_ours(path: Path, inode: int) -> None:
    with contextlib.suppress(OSError):
        if path.lstat().st_ino == inode:
            path.unlink()


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _log.handle(record)


def _forward_warnings() -> None:
    """Bring uvicorn's warnings into the program's log; unconfigured they would go to stderr."""
    logger = logging.getLogger("uvicorn")
    logger.propagate = False
    logger.setLevel(logging.WARNING)
    if not any(isinstance(handler, _Forward) for handler in logger.handlers):
        logger.addHandler(_Forward())
