"""What the system must bring (system-libraries.txt): checks it, and installs it as root on Debian.

Standard library only. A check looks for the thing itself (does the library load, is the program
on the PATH) and not for a package, so it holds on every distribution and needs no network.
"""

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LIST = Path(__file__).with_name("system-libraries.txt")


class MissingError(Exception):
    """Something is missing that cannot be installed from here; the message names it."""


@dataclass(frozen=True, slots=True)
class Need:
    """One thing of the system.

    `packages` are the Debian names, the newest release's first; `proofs` are libraries or programs
    of which one is enough.
    """

    packages: tuple[str, ...]
    proofs: tuple[str, ...]

    @property
    def met(self) -> bool:
        return any(_there(proof) for proof in self.proofs)


def parse(text: str) -> dict[str, tuple[Need, ...]]:
    """The sections of the list ("run", "test") and what each asks for.

    Raises:
        ValueError: a line is neither a section nor a need.
    """
    sections: dict[str, list[Need]] = {}
    section = ""
    for number, whole in enumerate(text.splitlines(), 1):
        line = whole.split("#", 1)[0].strip()
        if not line:
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
            sections[section] = []
            continue
        packages, colon, proofs = line.partition(":")
        if not colon or not section or not packages.strip() or not proofs.strip():
            raise ValueError(f"Line {number} of the list of system libraries is not understood: {whole}")
        sections[section].append(Need(_names(packages), _names(proofs)))
    return {name: tuple(needs) for name, needs in sections.items()}


def missing(*, for_tests: bool) -> list[Need]:
    """What is asked for and not there."""
    sections = parse(LIST.read_text("utf-8"))
    needs = [*sections["run"], *(sections["test"] if for_tests else ())]
    lacking = [need for need in needs if not need.met]
    if importlib.util.find_spec("ensurepip") is None:
        exact = f"python3.{sys.version_info.minor}-venv"
        lacking.append(Need((exact, "python3-venv"), ("ensurepip",)))
    return lacking


def ensure(*, for_tests: bool, say: Callable[[str], None]) -> bool:
    """See that everything is there; say whether something had to be installed.

    Raises:
        MissingError: it is not, and this is not root on Debian or Ubuntu (or apt-get failed).
    """
    if sys.platform == "darwin":
        if not shutil.which("c++"):
            raise MissingError("A C++ compiler is missing. Install Apple's tools: xcode-select --install")
        return False
    if sys.platform != "linux":
        return False
    lacking = missing(for_tests=for_tests)
    if not lacking:
        return False
    if not shutil.which("apt-get"):
        proofs = ", ".join(" or ".join(need.proofs) for need in lacking)
        names = " ".join(need.packages[-1] for need in lacking)
        raise MissingError(
            f"The system lacks: {proofs}.\nOn Debian and Ubuntu they come with: {names}\n"
            "Install the packages of your system that hold them, then start again."
        )
    if os.geteuid() != 0:
        names = " ".join(_available(need.packages) for need in lacking)
        raise MissingError(
            "These packages of the system are missing, and only root can install them:\n\n"
            f"    sudo apt-get install --no-install-recommends {names}\n\nThen start again."
        )
    _install(lacking, say)
    return True


def _install(lacking: list[Need], say: Callable[[str], None]) -> None:
    say("Refreshing the list of system packages …")
    with suppress(MissingError):  # one dead source among several is no reason to stop
        _apt("update", "-qq")
    names = [_available(need.packages) for need in lacking]
    say(f"Installing system packages: {' '.join(names)} …")
    _apt("install", "-y", "-qq", "--no-install-recommends", *names)


def _apt(*arguments: str) -> None:
    command = ["apt-get", "-o", "DPkg::Lock::Timeout=120", *arguments]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-10:])
        raise MissingError(f"`{' '.join(command)}` failed:\n{last}")


def _available(packages: tuple[str, ...]) -> str:
    """The first of the names that this release of Debian or Ubuntu knows."""
    if len(packages) == 1 or not shutil.which("apt-cache"):
        return packages[-1]
    for name in packages:
        command = ["apt-cache", "show", "--no-all-versions", name]
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            return name
    return packages[-1]


def _there(proof: str) -> bool:
    if ".so" not in proof:
        return shutil.which(proof) is not None
    try:
        ctypes.CDLL(proof)
    except OSError:
        return False
    return True


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split("|"))
