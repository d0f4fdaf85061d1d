"""Sets up this checkout: system libraries, .venv, the locked packages, the project itself.

    python3 packaging/environment.py [--for test]

Runs under the system's Python with nothing but the standard library, says in plain sentences what
it does, and finds in well under a second (and without any network) that there is nothing to do.
`--for test` also asks for what only the tests need (a virtual display).
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python must reach this sentence
    sys.exit(
        "Carrel needs Python 3.11 or newer; "
        f"{sys.executable} is {sys.version_info[0]}.{sys.version_info[1]}.\n"
        "If another one is installed, name it: make run PYTHON=python3.12"
    )

import argparse
import hashlib
import json
import os
import platform
import re
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

import pip_progress
import system_libraries

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements.lock"
LOG = ROOT / ".cache" / "install.log"
STAMP = VENV / "carrel-stamp.json"
# Raised whenever the steps below change in a way that an existing .venv must see.
RECIPE = 1

# What `make run CARREL_BACKEND=…` hands to llama.cpp's build. Without it: the processor alone
# (and Metal on a Mac, which is llama.cpp's own default there).
BACKENDS = {
    "": "",
    "cpu": "",
    "cuda": "-DGGML_CUDA=on",
    "metal": "-DGGML_METAL=on",
    "vulkan": "-DGGML_VULKAN=on",
}


# GCC before 14 takes the configuration of a processor's tiles (Intel AMX) for 8 bytes where it is 64,
# and leaves the rest out as written for nobody: the first product in tiles ends the process. Not if
# it leaves nothing out.
TILES = "-fno-dse"


class SetupError(Exception):
    """The set-up cannot go on; the message is for the person at the terminal."""


def set_up(*, for_tests: bool, backend: str) -> bool:
    """Bring the checkout into a state where everything runs; say whether anything was done.

    Raises:
        SetupError: something is missing that this program cannot put there itself.
    """
    if backend not in BACKENDS:
        known = ", ".join(name for name in BACKENDS if name)
        raise SetupError(f"CARREL_BACKEND is {backend!r}; it can be one of: {known}.")
    installed = _system(for_tests=for_tests)
    wanted = _wanted(backend)
    found = _stamp()
    if found == wanted:
        return installed
    if not _venv_works() or any(found.get(key) != wanted[key] for key in ("place", "python")):
        _make_venv()
    STAMP.unlink(missing_ok=True)
    before = (found.get("backend", ""), found.get("compiler_flags", ""))
    _install(backend, flags=compiler_flags(), rebuild=before != (wanted["backend"], wanted["compiler_flags"]))
    STAMP.write_text(json.dumps(wanted, indent=2) + "\n", "utf-8")
    return True


def compiler_flags(cpu: Path = Path("/proc/cpuinfo")) -> str:
    """What llama.cpp's compiler is told on this machine, besides what CXXFLAGS says."""
    with suppress(OSError):
        return TILES if re.search(r"(?m)^flags\b.* amx_tile\b", cpu.read_text("utf-8", "replace")) else ""
    return ""  # not Linux


def locked(name: str, lock: str) -> str:
    """The lines of the lock that pin one package, hashes included."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", lock)
    return "".join(block for block in blocks if re.match(rf"{re.escape(name)}==", block))


def venv_python(venv: Path = VENV) -> Path:
    """The interpreter inside a virtual environment."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def _system(*, for_tests: bool) -> bool:
    try:
        return system_libraries.ensure(for_tests=for_tests, say=_say)
    except system_libraries.MissingError as error:
        raise SetupError(str(error)) from error


def _wanted(backend: str) -> dict[str, object]:
    inputs = hashlib.sha256(LOCK.read_bytes() + (ROOT / "pyproject.toml").read_bytes())
    return {
        "recipe": RECIPE,
        "place": str(ROOT),
        "python": platform.python_version(),
        "inputs": inputs.hexdigest(),
        "backend": "" if backend == "cpu" else backend,
        "compiler_flags": compiler_flags(),
    }


def _stamp() -> dict[str, object]:
    with suppress(OSError, ValueError):
        found = json.loads(STAMP.read_text("utf-8"))
        if isinstance(found, dict) and venv_python().exists():
            return found
    return {}


def _venv_works() -> bool:
    if not venv_python().exists():
        return False
    asked = [str(venv_python()), "-c", "import pip, sys; print(sys.prefix)"]
    answer = subprocess.run(asked, capture_output=True, text=True, check=False)
    return answer.returncode == 0 and Path(answer.stdout.strip()) == VENV


def _make_venv() -> None:
    _say(f"Making .venv with Python {platform.python_version()} …")
    command = [sys.executable, "-m", "venv", "--clear", str(VENV)]
    made = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if made.returncode:
        raise SetupError(f"The virtual environment could not be made:\n{made.stdout}{made.stderr}")


def _install(backend: str, *, flags: str, rebuild: bool) -> None:
    lock = LOCK.read_text("utf-8")
    LOG.parent.mkdir(parents=True, exist_ok=True)
    LOG.write_text("", "utf-8")
    environment = dict(os.environ)
    if options := BACKENDS[backend]:
        environment["CMAKE_ARGS"] = f"{environment.get('CMAKE_ARGS', '')} {options}".strip()
    if flags:
        environment["CXXFLAGS"] = f"{environment.get('CXXFLAGS', '')} {flags}".strip()
    with tempfile.TemporaryDirectory() as folder:
        # First the pinned pip alone: an older one does not check hashes of wheels it built itself.
        alone = Path(folder) / "pip.txt"
        alone.write_text(locked("pip", lock), "utf-8")
        _pip("Preparing pip", ["install", "--require-hashes", "-r", str(alone)], environment, packages=1)
        compiles = bool(options or flags or rebuild)
        if compiles:
            # pip's cache does not know for what a wheel was built: each has one of its own.
            alone.write_text(locked("llama-cpp-python", lock), "utf-8")
            arguments = ["install", "--no-deps", "--force-reinstall", "--cache-dir", _cache(options, flags)]
            arguments += ["--require-hashes", "-r", str(alone)]
            _say("Compiling llama.cpp for this machine, which takes minutes (unless that was done before).")
            try:
                _pip("Installing llama.cpp", arguments, environment, packages=1)
            except SetupError:
                if options or not flags:
                    raise
                # Nothing needs the tiles: they are tried out before they are used.
                _say("It could not be compiled for this processor's tiles; it goes on without them.")
                del environment["CXXFLAGS"]
    packages = len(re.findall(r"(?m)^[A-Za-z0-9][^;\n]*(?:\\| *)$", lock))
    minutes = "" if compiles else " llama.cpp is compiled here, which takes minutes."
    _say(f"Installing about {packages} locked packages.{minutes}")
    _pip("Installing", ["install", "--require-hashes", "-r", str(LOCK)], environment, packages=packages)
    itself = ["install", "--no-index", "--no-deps", "--no-build-isolation", "-e", str(ROOT)]
    _pip("Installing Carrel", itself, environment, packages=1)


def _cache(options: str, flags: str) -> str:
    """The folder of pip's cache for wheels that are built like this."""
    command = [str(venv_python()), "-m", "pip", "cache", "dir"]
    asked = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if asked.returncode:  # it has none
        return str(ROOT / ".cache" / "pip")
    how = hashlib.sha256(f"{options}\n{flags}".encode()).hexdigest()
    return str(Path(asked.stdout.strip()) / "carrel" / how[:16])


def _pip(doing: str, arguments: list[str], environment: dict[str, str], *, packages: int) -> None:
    command = [str(venv_python()), "-m", "pip", "--verbose", "--disable-pip-version-check", "--no-input"]
    command += [*arguments, "--progress-bar", "off"]
    code = pip_progress.run(command, environment, LOG, doing=doing, packages=packages)
    if code:
        last = "\n".join(pip_progress.telling_lines(LOG, 15))
        raise SetupError(f"{doing} failed. The whole log is in {LOG}; its last lines:\n\n{last}")


def _say(line: str) -> None:
    print(line, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="Sets up this checkout of Carrel.")
    parser.add_argument("--for", dest="purpose", choices=("run", "test"), default="run")
    chosen = parser.parse_args()
    backend = os.environ.get("CARREL_BACKEND", "").strip().lower()
    try:
        done = set_up(for_tests=chosen.purpose == "test", backend=backend)
    except SetupError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nStopped. The next start begins this step again.", file=sys.stderr)
        return 130
    if done:
        _say("Everything is installed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
