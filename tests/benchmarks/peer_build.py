"""Builds the peer: llama-server, out of the very source our llama.cpp was built from.

The source is the sdist of llama-cpp-python that requirements.lock pins, hash included. The flags
are those its wheel gets (Release, shared libraries, this machine's instructions, OpenMP, and what
CMAKE_ARGS adds); the compiler is the same (CC, CXX, or the system's). Only what a server on
loopback has no use for is left out: TLS, and the page it serves to browsers.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from places import CACHE, ROOT, say

_FLAGS = (
    "-DCMAKE_BUILD_TYPE=Release",
    "-DBUILD_SHARED_LIBS=ON",
    "-DLLAMA_BUILD_COMMON=ON",
    "-DLLAMA_BUILD_TOOLS=ON",
    "-DLLAMA_BUILD_SERVER=ON",
    "-DLLAMA_BUILD_TESTS=OFF",
    "-DLLAMA_BUILD_EXAMPLES=OFF",
    "-DLLAMA_BUILD_APP=OFF",
    "-DLLAMA_OPENSSL=OFF",
    # Without these two the build asks npm, or a model hub, for a web page.
    "-DLLAMA_BUILD_UI=OFF",
    "-DLLAMA_USE_PREBUILT_UI=OFF",
)
_SOURCE_IN_SDIST = "vendor/llama.cpp/"
_LOG = CACHE / "build.log"
_STAMP = CACHE / "build" / "carrel-stamp.json"
_SERVER = CACHE / "build" / "bin" / ("llama-server.exe" if os.name == "nt" else "llama-server")


class BuildError(Exception):
    """The peer could not be built; the message is for the person at the terminal."""


def server() -> Path:
    """The path of a built llama-server; builds it if it is not there, which takes minutes.

    Raises:
        BuildError: a step failed; the message says which, and where its log is.
    """
    pinned = _pinned("llama-cpp-python")
    flags = [*_FLAGS, *os.environ.get("CMAKE_ARGS", "").split()]
    wanted = {"pinned": pinned, "flags": flags}
    if _SERVER.is_file() and _stamp() == wanted:
        return _SERVER
    begun = time.monotonic()
    say("llama-server, the peer, is built once from the source of our own llama.cpp (about 7 minutes).")
    CACHE.mkdir(parents=True, exist_ok=True)
    _LOG.write_text("", "utf-8")
    shutil.rmtree(CACHE / "build", ignore_errors=True)
    source = _source(pinned)
    cmake = _cmake()
    _run("Configuring", [cmake, "-S", str(source), "-B", str(CACHE / "build"), *_generator(), *flags])
    jobs = str(os.cpu_count() or 1)
    _run(
        "Compiling", [cmake, "--build", str(CACHE / "build"), "--target", "llama-server", "--parallel", jobs]
    )
    if not _SERVER.is_file():
        raise BuildError(f"The build left no {_SERVER.name}. Its log is {_LOG}.")
    _STAMP.write_text(json.dumps(wanted, indent=2) + "\n", "utf-8")
    say(f"llama-server is built ({time.monotonic() - begun:.0f} s).")
    return _SERVER


def _pinned(name: str) -> str:
    """The lines of requirements.lock that pin a package, hashes included."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    found = re.search(rf"(?m)^{re.escape(name)}==.*(?:\n .*)*\n", lock)
    if found is None:
        raise BuildError(f"requirements.lock does not pin {name}.")
    return found[0]


def _source(pinned: str) -> Path:
    """Fetch the sdist (pip compares its hash) and unpack llama.cpp from it."""
    fetched = CACHE / "sdist"
    shutil.rmtree(fetched, ignore_errors=True)
    fetched.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "peer.txt"
        alone.write_text(pinned, "utf-8")
        download = [sys.executable, "-m", "pip", "download", "--no-deps", "--require-hashes"]
        download += ["--no-binary", "llama-cpp-python", "--dest", str(fetched), "-r", str(alone)]
        _run("Fetching the source", download)
    archive = next(fetched.glob("*.tar.gz"), None)
    if archive is None:
        raise BuildError(f"pip brought no source archive to {fetched}.")
    source = CACHE / "llama.cpp"
    shutil.rmtree(source, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            _, _, inside = member.name.partition("/")
            if inside.startswith(_SOURCE_IN_SDIST):
                member.name = inside.removeprefix(_SOURCE_IN_SDIST)
                tar.extract(member, source, filter="data")
    return source


def _cmake() -> str:
    """The system's cmake, or the one of the package registry: as the wheel is built."""
    found = shutil.which("cmake")
    if found is not None:
        return found
    tools = CACHE / "tools"
    if not tools.is_dir():
        _run("Making a place for cmake", [sys.executable, "-m", "venv", str(tools)])
    inside = tools / ("Scripts" if os.name == "nt" else "bin")
    _run("Fetching cmake", [str(inside / "python"), "-m", "pip", "install", "cmake", "ninja"])
    os.environ["PATH"] = os.pathsep.join((str(inside), os.environ.get("PATH", "")))
    return str(inside / "cmake")


def _generator() -> list[str]:
    return ["-G", "Ninja"] if shutil.which("ninja") else []


def _run(doing: str, command: list[str]) -> None:
    say(f"  {doing} …")
    with _LOG.open("a", encoding="utf-8") as log:
        log.write(f"\n$ {' '.join(command)}\n")
        log.flush()
        done = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        last = "\n".join(_LOG.read_text("utf-8", "replace").splitlines()[-15:])
        raise BuildError(f"{doing} failed. The whole log is {_LOG}; its last lines:\n\n{last}")


def _stamp() -> object:
    with suppress(OSError, ValueError):
        return json.loads(_STAMP.read_text("utf-8"))
    return None
